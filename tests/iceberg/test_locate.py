"""What a batch shares with a table is found alike in memory and in files: each test merges both ways."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import MissingTableFiles, UnreadableFile, WriteFailed
from phlo.iceberg import in_memory
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge
from phlo.iceberg.tables import local_path
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyiceberg.table import Table

    Make = Callable[[pa.Schema], Table]

NAN = float("nan")
WAYS = pytest.mark.parametrize("held", [True, False], ids=["in memory", "in files"])


@pytest.fixture
def make(tmp_path: Path, held: bool, monkeypatch: pytest.MonkeyPatch) -> Make:
    if not held:
        monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return lambda schema: catalog.create_table("raw.t", schema, "run-1", keys=schema.names[:1])


def stored(table: Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in table.scan().to_arrow().to_pylist()]


KEYS: list[tuple[pa.DataType, Any, Any]] = [
    (pa.string(), "é", "e\u0301"),
    (pa.int64(), -(2**63), 2**63 - 1),
    (pa.binary(), b"", b"\x00"),
    (pa.bool_(), True, False),
    (pa.date32(), dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    (pa.timestamp("us", "UTC"), dt.datetime(1960, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 0, 0, 0, 1, dt.UTC)),
    (pa.decimal128(20, 2), Decimal("-0.01"), Decimal("0.01")),
    (pa.float64(), NAN, 0.0),
    (pa.string(), None, ""),
]


@WAYS
@pytest.mark.parametrize(("kind", "one", "other"), KEYS)
def test_a_key_of_any_type_is_found_again(make: Make, kind: pa.DataType, one: Any, other: Any) -> None:
    table = make(pa.schema([("key", kind), ("n", pa.int64())]))
    merge(table, pa.table({"key": pa.array([one, other], kind), "n": [1, 1]}), ["key"])
    again = pa.table({"key": pa.array([one], kind), "n": [2]})
    assert merge(table, again, ["key"]) == Written(updated=1)
    assert merge(table, again, ["key"]) == Written(unchanged=1)
    assert sorted(n for _, n in stored(table)) == [1, 2]


@WAYS
def test_keys_of_several_columns_are_found_as_one(make: Make) -> None:
    table = make(pa.schema([("a", pa.string()), ("b", pa.int64()), ("n", pa.int64())]))
    rows = pa.table({"a": ["x", "x", "y", None], "b": [1, 2, 1, 1], "n": [1, 1, 1, 1]})
    merge(table, rows, ["a", "b"])
    batch = pa.table({"a": ["x", "y", None, "x"], "b": [2, 1, 1, 3], "n": [2, 1, 2, 2]})
    assert merge(table, batch, ["a", "b"]) == Written(inserted=1, updated=2, unchanged=1)
    assert set(stored(table)) == {("x", 1, 1), ("y", 1, 1), ("x", 2, 2), (None, 1, 2), ("x", 3, 2)}


@WAYS
def test_of_rows_that_are_stored_twice_one_stays(make: Make) -> None:
    table = make(pa.schema([("key", pa.string()), ("n", pa.int64())]))
    append(table, pa.table({"key": ["a", "a", "b"], "n": [1, 1, 1]}))
    assert merge(table, pa.table({"key": ["a", "b"], "n": [1, 1]}), ["key"]) == Written(updated=1, unchanged=1)
    assert sorted(stored(table)) == [("a", 1), ("b", 1)]


@WAYS
def test_columns_with_the_names_of_the_notes_are_no_obstacle(make: Make) -> None:
    names = ["row", "same", "hits", "known", "held", "rowid", "odd name"]
    table = make(pa.schema([(name, pa.string()) for name in names]))
    merge(table, pa.table({name: ["a", "b"] for name in names}), ["row"])
    batch = pa.table({name: ["a" if name == "row" else "c"] for name in names})
    assert merge(table, batch, ["row"]) == Written(updated=1)
    assert sorted(stored(table)) == [("a", *["c"] * 6), ("b",) * 7]


@WAYS
@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
@pytest.mark.parametrize("key", ["a", "b"])
def test_a_file_that_can_not_be_read_is_named(make: Make, tmp_path: Path, key: str, *, damaged: bool) -> None:
    table = make(pa.schema([("key", pa.string())]))
    merge(table, pa.table({"key": ["a"]}), ["key"])
    (task,) = table.scan().plan_files()
    file = tmp_path / local_path(task.file.file_path)
    file.unlink()
    if damaged:
        file.write_bytes(b"x" * task.file.file_size_in_bytes)
    error = UnreadableFile if damaged else MissingTableFiles
    with pytest.raises(error, match=r"\.parquet"):
        merge(table, pa.table({"key": [key]}), ["key"])
    with pytest.raises(error, match=r"\.parquet"):
        append(table, pa.table({"key": [key]}))


@WAYS
def test_a_file_with_a_damaged_page_is_told(make: Make, tmp_path: Path) -> None:
    table = make(pa.schema([("key", pa.string()), ("n", pa.int64())]))
    merge(table, pa.table({"key": [f"{n:05}" for n in range(5_000)], "n": range(5_000)}), ["key"])
    (task,) = table.scan().plan_files()
    file = tmp_path / local_path(task.file.file_path)
    content = bytearray(file.read_bytes())
    content[10 : len(content) // 2] = bytes(len(content) // 2 - 10)
    file.write_bytes(content)
    before = set(tmp_path.rglob("*.parquet"))
    with pytest.raises(WriteFailed, match="a file of the table may be damaged"):
        merge(table, pa.table({"key": ["00007"], "n": [1]}), ["key"])
    assert set(tmp_path.rglob("*.parquet")) == before
