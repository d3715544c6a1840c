"""A row belongs to one partition, whoever says so: Iceberg, DuckDB or Arrow."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.typedef import Record

from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.partitioning import Partitioning

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

UTC = pa.timestamp("us", "UTC")
BEFORE, EPOCH = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(1970, 1, 1)
TIMES = [EPOCH, BEFORE, None, dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23), EPOCH, dt.datetime(2024, 2, 29, 12)]
VALUES: dict[pa.DataType, list[Any]] = {
    pa.timestamp("us"): TIMES,
    UTC: [time and time.replace(tzinfo=dt.UTC) for time in TIMES],
    pa.date32(): [time and time.date() for time in TIMES],
    pa.string(): ["é", "", None, "é", "a/b=c"],
    pa.int64(): [2**63 - 1, -(2**63), None, 0, 0],
    pa.bool_(): [True, False, None, True],
}
SPECS = [
    *((kind, transform) for kind in (pa.timestamp("us"), UTC, pa.date32()) for transform in ("day", "month", "year")),
    *((kind, "identity") for kind in (pa.string(), pa.int64(), pa.bool_())),
]


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog


def made(catalog: SqlRefCatalog, schema: pa.Schema, *fields: tuple[str, str]) -> Table:
    table = catalog.create_table("raw.t", schema, "run-1")
    with table.update_spec() as update:
        for column, transform in fields:
            update.add_field(column, transform, f"{column}_part")
    return table


@pytest.mark.parametrize(("kind", "transform"), SPECS, ids=str)
def test_arrow_and_duckdb_agree_with_iceberg(catalog: SqlRefCatalog, kind: pa.DataType, transform: str) -> None:
    rows = pa.table({"n": range(len(VALUES[kind])), "value": pa.array(VALUES[kind], kind)})
    table = made(catalog, rows.schema, ("value", transform))
    field, source = table.spec().fields[0], table.schema().find_field("value")
    wanted: dict[Record, list[int]] = {}
    for n, value in enumerate(rows["value"].cast(pa.int64()).to_pylist() if "time" in str(kind) else VALUES[kind]):
        days = (value - EPOCH.date()).days if kind == pa.date32() and value is not None else value
        wanted.setdefault(Record(field.transform.transform(source.field_type)(days)), []).append(n)
    partitioning = Partitioning.of(table)
    assert {part: found["n"].to_pylist() for part, found in partitioning.split(rows).items()} == wanted
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("batch", rows)
        assert partitioning.counts(con, "batch") == {part: len(numbers) for part, numbers in wanted.items()}
        for part, numbers in wanted.items():
            found = con.execute(f"SELECT n FROM batch WHERE {partitioning.condition(part)} ORDER BY n").fetchall()
            assert [n for (n,) in found] == numbers


def test_rows_are_split_by_all_fields_and_stay_in_order(catalog: SqlRefCatalog) -> None:
    days = pa.array([dt.date(2024, 2, 1), dt.date(2024, 1, 1), dt.date(2024, 2, 2), None], pa.date32())
    rows = pa.table({"n": [3, 1, 2, 0], "kind": ["a", "a", "a", None], "day": days})
    table = made(catalog, rows.schema, ("kind", "identity"), ("day", "month"))
    found = {part: part_rows["n"].to_pylist() for part, part_rows in Partitioning.of(table).split(rows).items()}
    assert found == {Record("a", 649): [3, 2], Record("a", 648): [1], Record(None, None): [0]}
    assert Partitioning.of(table).split(rows.slice(0, 0)) == {}


def test_without_partitions_all_rows_are_in_one(catalog: SqlRefCatalog) -> None:
    rows = pa.table({"n": [1, 2]})
    partitioning = Partitioning.of(made(catalog, rows.schema))
    assert partitioning.split(rows) == {Record(): rows}
    assert partitioning.split(rows.slice(0, 0)) == {}
