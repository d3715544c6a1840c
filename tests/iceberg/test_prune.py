"""Which files a merge looks into: bounds that can be trusted, and those that say nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue

from phlo.iceberg import prune, rewrite
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge
from phlo.iceberg.prune import BatchKeys, key_range, may_hold
from phlo.iceberg.tables import evolve
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyiceberg.table import Table


class Make(Protocol):
    def __call__(self, kind: pa.DataType, *files: Sequence[Any]) -> Table: ...


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A table with the column ``key`` in one file for each list of values."""
    monkeypatch.setattr(rewrite, "SMALL_FILE", 0)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")

    def make(kind: pa.DataType, *files: Sequence[Any]) -> Table:
        table = catalog.create_table("raw.t", pa.schema([("key", kind)]), "run-1", keys=["key"])
        for values in files:
            append(table, pa.table({"key": pa.array(values, kind)}))
        return table

    return make


def looked_into(table: Table, batch: pa.Array) -> list[int]:
    """The record counts of the files that a batch of keys may touch: give each file a number of rows of its own."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("arrived", pa.table({"key": batch}))
        con.execute("CREATE TABLE batch AS FROM arrived")
        tasks = list(table.scan().plan_files())
        return sorted(task.file.record_count for task in may_hold(table, tasks, BatchKeys.read(con, table, ["key"])))


def test_a_file_is_looked_into_only_if_a_key_lies_within_its_bounds(make: Make) -> None:
    table = make(pa.int64(), [10], [20, 29], [30, 35, 39], [-5] * 4)
    assert looked_into(table, pa.array([5, 15, 40])) == []
    assert looked_into(table, pa.array([25, 40])) == [2]  # between 20 and 29, though not there
    assert looked_into(table, pa.array([-5, 10])) == [1, 4]
    assert looked_into(table, pa.array([], pa.int64())) == []


@pytest.mark.parametrize(
    ("kind", "low", "high", "beyond"),
    [
        (pa.string(), "é", "日本", "😀"),
        (pa.string(), "a" * 40, "a" * 50, "a" * 39),
        (pa.date32(), dt.date(1969, 12, 1), dt.date(1970, 1, 2), dt.date(1970, 1, 3)),
        (pa.timestamp("us"), dt.datetime(1960, 1, 1), dt.datetime(2024, 1, 1, 12), dt.datetime(2024, 1, 1, 12, 1)),
        (
            pa.timestamp("us", "UTC"),
            dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
            dt.datetime(2024, 1, 2, 0, 0, 1, tzinfo=dt.UTC),
        ),
    ],
)
def test_bounds_of_each_type_are_read_in_its_order(make: Make, kind: Any, low: Any, high: Any, beyond: Any) -> None:
    table = make(kind, [low, high])
    assert looked_into(table, pa.array([beyond], kind)) == []
    for key in (low, high):
        assert looked_into(table, pa.array([key, beyond], kind)) == [2]


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.decimal128(9, 2), pa.binary()])
def test_types_whose_bounds_are_not_compared_are_always_looked_into(make: Make, kind: pa.DataType) -> None:
    table = make(kind, pa.nulls(1, kind).to_pylist())
    assert looked_into(table, pa.nulls(1, kind)) == [1]


def test_a_null_key_is_looked_for_where_nulls_are(make: Make) -> None:
    table = make(pa.string(), ["a"], ["a", None], [None, None, None])
    assert looked_into(table, pa.array([None], pa.string())) == [2, 3]
    assert looked_into(table, pa.array(["a"])) == [1, 2]
    assert looked_into(table, pa.array(["z", None])) == [2, 3]


def test_beyond_so_many_values_only_their_range_counts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    table = make(pa.int64(), [10], [20, 20], [90] * 3)
    monkeypatch.setattr(prune, "EXACT", 1)
    assert looked_into(table, pa.array([15, 25])) == [2]
    assert looked_into(table, pa.array([5, 30])) == [1, 2]


def test_bounds_written_before_a_key_was_widened_are_still_read(make: Make) -> None:
    table = make(pa.int32(), [-7], [1, 2**31 - 1])
    evolve(table, pa.schema([("key", pa.int64())]))
    assert looked_into(table, pa.array([-7])) == [1]
    assert looked_into(table, pa.array([2**31 - 1])) == [2]
    assert looked_into(table, pa.array([2**31])) == []


def test_keys_too_long_for_bounds_are_found_beside_short_ones(make: Make) -> None:
    long = [f"{n:05}" + "x" * 1000 for n in range(130_000)]  # beyond the first row group, and beyond its bounds
    table = make(pa.string(), ["m", *("n" for _ in range(122_879)), *long[122_880:]])
    assert merge(table, pa.table({"key": [long[125_000], "m", "zz"]}), ["key"]) == Written(inserted=1, unchanged=2)


def test_the_conflict_range_is_that_of_the_keys(make: Make) -> None:
    table = make(pa.string())
    with duckdb.connect() as con:
        con.execute("CREATE TABLE batch AS SELECT unnest(['b', 'a', 'c']) AS key")
        found = str(key_range(table, BatchKeys.read(con, table, ["key"])))
        con.execute("INSERT INTO batch VALUES (NULL)")
        assert key_range(table, BatchKeys.read(con, table, ["key"])) == AlwaysTrue()
    assert "literal('a')" in found
    assert "literal('c')" in found
