"""Files as other Iceberg readers find them: names, ids, bounds, places."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.typedef import Record

from phlo.iceberg import parquet
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append
from phlo.iceberg.parquet import Writer
from phlo.iceberg.tables import local_path

SCHEMA = pa.schema(
    [
        ("date-string", pa.string()),
        ("sgv", pa.int64()),
        ("raw", pa.struct([("a b", pa.list_(pa.struct([("x", pa.int32())])))])),
        ("tags", pa.map_(pa.string(), pa.float64())),
        ("partition_date", pa.date32()),
    ]
)


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog


def row(sgv: int, text: str = "x", day: dt.date | None = dt.date(2024, 2, 29)) -> dict[str, Any]:
    return {"date-string": text, "sgv": sgv, "raw": {"a b": [{"x": 1}]}, "tags": [("k", 1.0)], "partition_date": day}


def test_files_have_field_ids_compatible_names_and_zstd(catalog: SqlRefCatalog) -> None:
    table = catalog.create_table("raw.t", SCHEMA, "run-1", partition_by="month(partition_date)", keys=["sgv"])
    append(table, pa.Table.from_pylist([row(1)], schema=SCHEMA))
    (task,) = table.scan().plan_files()
    found = pq.ParquetFile(task.file.file_path)
    assert found.schema_arrow.names == ["date_x2Dstring", "sgv", "raw", "tags", "partition_date"]
    assert [field.metadata[b"PARQUET:field_id"] for field in found.schema_arrow] == [b"1", b"2", b"3", b"4", b"5"]
    assert found.schema_arrow.field("raw").type.field(0).metadata[b"PARQUET:field_id"] == b"6"
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"
    assert table.scan().to_arrow().to_pylist() == [row(1)]


def test_a_file_says_how_many_rows_and_nulls_it_has_and_their_bounds(catalog: SqlRefCatalog) -> None:
    table = catalog.create_table("raw.t", SCHEMA, "run-1", keys=["date-string"])
    append(table, pa.Table.from_pylist([row(7, "b" * 30), row(-3, "a" * 30), row(5, "c", None)], schema=SCHEMA))
    (file,) = table.inspect.files().to_pylist()
    metrics = file["readable_metrics"]
    assert file["record_count"] == 3
    assert file["file_size_in_bytes"] == Path(file["file_path"]).stat().st_size
    assert (metrics["sgv"]["lower_bound"], metrics["sgv"]["upper_bound"]) == (-3, 7)
    assert metrics["date-string"]["lower_bound"] == "a" * 30  # a key's bounds are whole
    assert metrics["partition_date"]["null_value_count"] == 1


def test_each_partition_has_its_folder(catalog: SqlRefCatalog) -> None:
    table = catalog.create_table("raw.t", SCHEMA, "run-1", partition_by="month(partition_date)")
    days = [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 2, 29), None]
    append(table, pa.Table.from_pylist([row(n, day=day) for n, day in enumerate(days)], schema=SCHEMA))
    tasks = {task.file.partition[0]: Path(task.file.file_path).parent.name for task in table.scan().plan_files()}
    assert tasks == {
        -1: "partition_date_month=1969-12",
        0: "partition_date_month=1970-01",
        649: "partition_date_month=2024-02",
        None: "partition_date_month=null",
    }
    assert table.scan(row_filter="partition_date < '1970-01-01'").to_arrow()["sgv"].to_pylist() == [0]


def test_large_results_are_split(catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", 1_000_000)
    table = catalog.create_table("raw.t", pa.schema([("n", pa.int64()), ("text", pa.string())]), "run-1")
    with duckdb.connect() as con:
        files = Writer(table).write(
            con, "SELECT i AS n, md5(CAST(i AS VARCHAR)) AS text FROM range(300000) t(i)", Record()
        )
    assert len(files) > 1
    assert sum(file.record_count for file in files) == 300_000


def test_large_results_of_arrow_are_split_too(catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", 30_000)
    schema = pa.schema([pa.field("n", pa.int64(), metadata={"PARQUET:field_id": "1"})])
    table = catalog.create_table("raw.t", pa.schema([("n", pa.int64())]), "run-1")
    rows = (pa.table({"n": [start + n * 7919 for n in range(20_000)]}, schema=schema) for start in range(7))
    files = Writer(table).write_arrow(rows, schema, Record())
    assert len(files) > 2
    assert all(60_000 <= file.file_size_in_bytes < 180_000 for file in files[:-1])
    found = [pq.read_table(local_path(file.file_path))["n"].to_pylist() for file in files]
    assert [n for numbers in found for n in numbers] == [start + n * 7919 for start in range(7) for n in range(20_000)]


def test_no_rows_make_no_file(catalog: SqlRefCatalog, tmp_path: Path) -> None:
    table = catalog.create_table("raw.t", pa.schema([("n", pa.int64())]), "run-1")
    with duckdb.connect() as con:
        assert Writer(table).write(con, "SELECT 1 AS n WHERE false", Record()) == []
    assert Writer(table).write_arrow([], pa.schema([("n", pa.int64())]), Record()) == []
    assert list(tmp_path.rglob("*.parquet")) == []


def test_bounds_that_leave_out_a_row_group_are_left_out(catalog: SqlRefCatalog) -> None:
    table = catalog.create_table(
        "raw.t", pa.schema([("text", pa.string()), ("x", pa.float64())]), "run-1", keys=["text"]
    )
    with duckdb.connect() as con:
        groups = "CASE WHEN i < 122880 THEN 'short' ELSE repeat('é', 5000) || i END AS text"
        floats = "CASE WHEN i < 122880 THEN 1.0 ELSE 'nan'::DOUBLE END AS x"
        (file,) = Writer(table).write(con, f"SELECT {groups}, {floats} FROM range(123000) t(i)", Record())
    assert file.lower_bounds == {}
    assert file.upper_bounds == {}
