"""What is written through Arrow, in memory or from DuckDB, is what DuckDB writes: rows, order, bounds and counts."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phlo.iceberg import in_memory, small_files
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge
from phlo.iceberg.parquet import Writer
from phlo.iceberg.tables import evolve, local_path

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

DAY = dt.date(2024, 1, 20)
AT = dt.datetime(2024, 1, 20, 23, 59, 59, 999999)
NAN = float("nan")
PLAIN: dict[str, tuple[pa.DataType, Any, Any]] = {
    "flag": (pa.bool_(), True, False),
    "small": (pa.int32(), -(2**31), 2**31 - 1),
    "large": (pa.int64(), -(2**63), 2**63 - 1),
    "single": (pa.float32(), -0.0, float("inf")),
    "double": (pa.float64(), float("-inf"), 5e-324),
    "money": (pa.decimal128(9, 2), Decimal("-0.01"), Decimal("9999999.99")),
    "long money": (pa.decimal128(18, 4), Decimal("-1.5"), Decimal("99999999999999.9999")),
    "huge": (pa.decimal128(38, 0), Decimal(-(10**37)), Decimal(10**37)),
    "day": (pa.date32(), dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "local": (pa.timestamp("us"), AT.replace(year=1), AT),
    "at": (pa.timestamp("us", "UTC"), AT.replace(tzinfo=dt.UTC), AT.replace(year=9999, tzinfo=dt.UTC)),
    "text": (pa.string(), "", "日本\U0010ffff" * 9),
    "bytes": (pa.binary(), b"", b"\xff\x00" * 20),
    'odd "name"': (pa.string(), "é", "z"),
}
SCHEMA = pa.schema([("_id", pa.string()), *((name, kind) for name, (kind, _, _) in PLAIN.items())])


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What wrote files, one word a file; not what gave up."""
    wrote: list[str] = []
    for name in ("write", "write_arrow"):
        method = getattr(Writer, name)

        def noted(*args: Any, _method: Any = method, _name: str = name, **options: Any) -> Any:
            files = _method(*args, **options)
            wrote.append({"write": "DuckDB", "write_arrow": "Arrow"}[_name])
            return files

        monkeypatch.setattr(Writer, name, noted)
    return wrote


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches come out of DuckDB."""
    monkeypatch.setattr(in_memory, "MOST_ROWS", -1)


def row(key: str, place: int | None) -> dict[str, Any]:
    return {"_id": key} | {name: None if place is None else values[place + 1] for name, values in PLAIN.items()}


def batch(*rows: dict[str, Any], schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def only_file(table: Table) -> DataFile:
    (task,) = table.scan().plan_files()
    return task.file


def described(file: DataFile) -> list[Any]:
    """What a manifest says of a file, but for where it is and how large."""
    return [
        file.record_count,
        file.null_value_counts,
        file.value_counts,
        file.lower_bounds,
        file.upper_bounds,
        file.partition,
        file.spec_id,
    ]


def stored(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.scan().to_arrow().to_pylist()
    return rows


def test_every_plain_type_is_written_as_duckdb_writes_it(
    catalog: SqlRefCatalog, through: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {}
    for way in ("memory", "Arrow", "DuckDB"):
        if way == "Arrow":
            monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
        elif way == "DuckDB":
            monkeypatch.setattr(small_files, "MOST_STORED", -1)
        tables[way] = catalog.create_table(f"raw.{way.lower()}", SCHEMA, "run-1", keys=["_id"])
        merge(tables[way], batch(row("a", 0), row("b", None), row("é", 1)), ["_id"])
        merge(tables[way], batch(row("b", 1), row("c", None), row("é", 1)), ["_id"])
    assert through == ["Arrow", "Arrow", "DuckDB", "Arrow", "DuckDB", "DuckDB"]
    assert stored(tables["DuckDB"]) == [row("a", 0), row("é", 1), row("b", 1), row("c", None)]
    for way in ("memory", "Arrow"):
        assert stored(tables[way]) == stored(tables["DuckDB"])
        assert described(only_file(tables[way])) == described(only_file(tables["DuckDB"]))


@pytest.mark.usefixtures("staged")
def test_a_schema_in_the_file_is_the_tables_with_its_ids(catalog: SqlRefCatalog, through: list[str]) -> None:
    table = catalog.create_table("raw.t", SCHEMA, "run-1", keys=["_id"])
    kept: list[pa.Schema] = []
    for _ in range(2):
        merge(table, batch(row(f"k{len(kept)}", 1)), ["_id"])
        kept.append(pq.read_schema(local_path(only_file(table).file_path)))
    assert through == ["DuckDB", "Arrow"]
    one, other = ([(field.name, field.type, field.metadata) for field in schema] for schema in kept)
    assert one == other


def test_nan_is_left_to_duckdb_which_gives_it_no_bounds(catalog: SqlRefCatalog, through: list[str]) -> None:
    schema = pa.schema([("x", pa.float64()), ("n", pa.int64())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["x"])
    for n, x in enumerate((1.0, NAN, 2.0)):
        merge(table, batch({"x": x, "n": n}, schema=schema), ["x"])
    assert through == ["DuckDB"] * 3
    assert merge(table, batch({"x": NAN, "n": 9}, schema=schema), ["x"]).updated == 1


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.time64("us"), pa.uuid()])
def test_other_types_are_left_to_duckdb(catalog: SqlRefCatalog, through: list[str], kind: pa.DataType) -> None:
    schema = pa.schema([("_id", pa.string()), ("other", kind)])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    for key in ("a", "b"):
        merge(table, batch({"_id": key, "other": None}, schema=schema), ["_id"])
    assert through == ["DuckDB", "DuckDB"]


def test_files_from_before_the_schema_changed_are_left_to_duckdb(catalog: SqlRefCatalog, through: list[str]) -> None:
    old = pa.schema([("_id", pa.string()), ("n", pa.int32())])
    table = catalog.create_table("raw.t", old, "run-1", keys=["_id"])
    merge(table, batch({"_id": "a", "n": 1}, schema=old), ["_id"])
    new = pa.schema([("_id", pa.string()), ("n", pa.int64()), ("note", pa.string())])
    evolve(table, new)
    merge(table, batch({"_id": "b", "n": 2**40, "note": "x"}, schema=new), ["_id"])
    with table.update_schema() as update:
        update.rename_column("note", "remark")
    renamed = new.set(2, pa.field("remark", pa.string()))
    merge(table, batch({"_id": "b", "n": 3, "remark": "y"}, schema=renamed), ["_id"])
    assert through == ["Arrow", "DuckDB", "Arrow"]
    assert stored(table) == [{"_id": "a", "n": 1, "remark": None}, {"_id": "b", "n": 3, "remark": "y"}]


def test_a_text_too_long_for_a_bound_is_found_again(catalog: SqlRefCatalog, through: list[str]) -> None:
    schema = pa.schema([("_id", pa.string()), ("n", pa.int64())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    long = ["a" + "x" * 5_000, "z" * 5_000]
    for n, key in enumerate([*long, *long]):
        written = merge(table, batch({"_id": key, "n": n}, schema=schema), ["_id"])
        assert (written.inserted, written.updated) == ((1, 0) if n < 2 else (0, 1))
    assert through == ["Arrow", "Arrow", "Arrow", "Arrow"]


@pytest.mark.parametrize(("limit", "value"), [("MOST_ROWS", 1), ("MOST_MEMORY", 100), ("MOST_STORED", 100)])
def test_what_is_much_for_memory_is_left_to_duckdb(
    catalog: SqlRefCatalog, through: list[str], monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    table = catalog.create_table("raw.t", SCHEMA, "run-1", keys=["_id"])
    append(table, batch(row("a", 0), row("b", 0), row("c", 0)))
    for module in (small_files, in_memory):
        monkeypatch.setattr(module, limit, value, raising=module is small_files)
    merge(table, batch(row("a", 1), row("b", 1)), ["_id"])
    assert through == ["Arrow", "DuckDB"]
    assert stored(table) == [row("c", 0), row("a", 1), row("b", 1)]


def test_texts_that_repeat_are_no_less_for_memory_than_others(
    catalog: SqlRefCatalog, through: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = pa.schema([("_id", pa.int64()), ("text", pa.string())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    append(table, pa.table({"_id": range(1_000), "text": ["x" * 1_000] * 1_000}, schema=schema))
    assert only_file(table).file_size_in_bytes < 100_000
    monkeypatch.setattr(small_files, "MOST_MEMORY", 500_000)
    merge(table, batch({"_id": 7, "text": "y"}, schema=schema), ["_id"])
    assert through == ["Arrow", "DuckDB"]
    monkeypatch.setattr(small_files, "MOST_MEMORY", 2_000_000)
    merge(table, batch({"_id": 7, "text": "z"}, schema=schema), ["_id"])
    assert through == ["Arrow", "DuckDB", "Arrow"]
    texts = [each["text"] for each in stored(table)]
    assert texts.count("x" * 1_000) == 999 and texts.count("z") == 1


def test_many_columns_of_numbers_are_much_for_memory_too(
    catalog: SqlRefCatalog, through: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(50)]
    table = catalog.create_table("raw.t", pa.schema([(name, pa.int64()) for name in names]), "run-1", keys=["n0"])
    rows = pa.table({name: range(100) for name in names})
    for module in (small_files, in_memory):
        monkeypatch.setattr(module, "MOST_MEMORY", 100 * 50 * 8 - 1)
    append(table, rows.slice(0, 1))
    append(table, rows)
    assert through == ["Arrow", "DuckDB"]


def test_a_file_of_which_nothing_is_left_is_not_written(catalog: SqlRefCatalog, through: list[str]) -> None:
    schema = pa.schema([("_id", pa.string()), ("partition_date", pa.date32())])
    table = catalog.create_table("raw.t", schema, "run-1", partition_by="month(partition_date)", keys=["_id"])
    for month in (1, 2):
        merge(table, batch({"_id": "a", "partition_date": DAY.replace(month=month)}, schema=schema), ["_id"])
    assert through == ["Arrow", "Arrow", "Arrow"]
    assert stored(table) == [{"_id": "a", "partition_date": DAY.replace(month=2)}]


FULL_DISK = """
import resource, signal, sys
import pyarrow as pa
from phlo.errors import WriteFailed
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import merge

folder = sys.argv[1]
catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", f"{folder}/warehouse")
catalog.create_ref("run-1")
table = catalog.create_table("raw.t", pa.schema([("_id", pa.string()), ("n", pa.int64())]), "run-1", keys=["_id"])
merge(table, pa.table({"_id": ["a"], "n": [1]}), ["_id"])
before = table.metadata_location
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    merge(table, pa.table({"_id": ["b"], "n": [2]}), ["_id"])
except WriteFailed as error:
    print(error.code, table.metadata_location == before)
"""


@pytest.mark.slow
def test_a_write_that_the_disk_refuses_leaves_no_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["write-failed", "True"], done.stderr
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
