"""What is small is written without a DuckDB; what is not, or not plain, is left to it before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import WriteFailed
from phlo.iceberg import in_memory
from phlo.iceberg import merge as staged
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import Limits, append, merge
from phlo.iceberg.parquet import Writer
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("_id", pa.string()), ("n", pa.int64())])


@pytest.fixture
def table(tmp_path: Path) -> Table:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog.create_table("raw.t", SCHEMA, "run-1", keys=["_id"])


class Refused(Exception):
    """A DuckDB was asked for."""


def refuse() -> Any:
    raise Refused


NO_DUCKDB = Limits(connect=refuse)


def rows(**columns: Any) -> pa.Table:
    return pa.table(columns, schema=pa.schema([SCHEMA.field(name) for name in columns]))


def stored(table: Table) -> dict[str, int]:
    return {row["_id"]: row["n"] for row in table.scan().to_arrow().to_pylist()}


def test_small_writes_open_no_duckdb(table: Table) -> None:
    assert append(table, rows(_id=["a", "b"], n=[1, 2]), limits=NO_DUCKDB) == Written(inserted=2)
    batch = rows(_id=["b", "c", "c", "a"], n=[3, 4, 5, 1])
    assert merge(table, batch, ["_id"], limits=NO_DUCKDB) == Written(inserted=1, updated=1, unchanged=1)
    assert stored(table) == {"a": 1, "b": 3, "c": 5}
    before = table.metadata_location
    assert merge(table, rows(_id=[], n=[]), ["_id"], limits=NO_DUCKDB) == Written()
    assert append(table, rows(_id=[], n=[]), limits=NO_DUCKDB) == Written()
    assert table.metadata_location == before


def test_a_small_stream_is_small_too(table: Table) -> None:
    batches = rows(_id=["a", "b", "c"], n=[1, 2, 3]).to_batches(max_chunksize=1)
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    assert merge(table, reader, ["_id"], limits=NO_DUCKDB) == Written(inserted=3)


@pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_MEMORY"])
def test_a_stream_that_proves_large_is_staged_from_its_beginning(
    table: Table, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(in_memory, limit, 2)
    batches = rows(_id=list("abcde"), n=[1, 2, 3, 4, 5]).to_batches(max_chunksize=1)
    taken: list[int] = []

    def deliver() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            taken.append(batch.num_rows)
            yield batch

    left = in_memory.at_hand(pa.RecordBatchReader.from_batches(SCHEMA, deliver()))
    assert isinstance(left, pa.RecordBatchReader)
    assert len(taken) < len(batches)
    assert left.read_all().to_pylist() == rows(_id=list("abcde"), n=[1, 2, 3, 4, 5]).to_pylist()
    with pytest.raises(Refused):
        append(table, pa.RecordBatchReader.from_batches(SCHEMA, iter(batches)), limits=NO_DUCKDB)
    assert append(table, pa.RecordBatchReader.from_batches(SCHEMA, iter(batches))) == Written(inserted=5)
    assert len(stored(table)) == 5


@pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(9, 2), pa.binary()])
def test_keys_that_are_equal_in_other_ways_are_left_to_duckdb(tmp_path: Path, kind: pa.DataType) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    table = catalog.create_table("raw.t", pa.schema([("key", kind)]), "run-1", keys=["key"])
    with pytest.raises(Refused):
        merge(table, pa.table({"key": pa.nulls(1, kind)}), ["key"], limits=NO_DUCKDB)


@pytest.mark.parametrize("write", ["merge", "append"])
def test_text_that_is_no_utf8_is_refused_and_leaves_no_file(tmp_path: Path, write: str) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    table = catalog.create_table("raw.t", pa.schema([("_id", pa.string()), ("t", pa.string())]), "run-1", keys=["_id"])
    texts = pa.array([b"a", b"b\xff", b"c"]).cast(pa.string(), safe=False)  # amid the others: no bound tells of it
    batch = pa.table({"_id": ["a", "b", "c"], "t": texts})
    with pytest.raises(WriteFailed):
        append(table, batch) if write == "append" else merge(table, batch, ["_id"])
    assert table.current_snapshot() is None
    assert list(tmp_path.rglob("*.parquet")) == []


def test_what_is_left_to_duckdb_half_way_leaves_no_file(tmp_path: Path) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    schema = pa.schema([("_id", pa.string()), ("x", pa.float64())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    with table.update_spec() as update:
        update.add_field("_id", "identity", "part")
    batch = pa.table({"_id": ["a", "b"], "x": [1.0, float("nan")]})
    with pytest.raises(Refused):
        merge(table, batch, ["_id"], limits=NO_DUCKDB)
    assert list(tmp_path.rglob("*.parquet")) == []
    assert merge(table, batch, ["_id"]) == Written(inserted=2)


@pytest.mark.parametrize("memory", [True, False], ids=["in memory", "staged"])
def test_what_counts_as_unchanged_is_one_in_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, memory: bool
) -> None:
    if not memory:
        monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    schema = pa.schema([("_id", pa.string()), ("x", pa.float64()), ("_phlo_load_id", pa.string()), ("t", pa.string())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    nan = float("nan")
    old = [("zero", 0.0, "t"), ("null", None, None), ("nan", nan, ""), ("one", 1.0, "e\u0301"), ("gone", 1.0, "x")]
    new = [("zero", -0.0, "t"), ("null", None, None), ("nan", nan, ""), ("one", 1.0, "é"), ("gone", None, "x")]
    for load, given in enumerate((old, new)):
        batch = pa.table(
            [[key for key, _, _ in given], [x for _, x, _ in given], [str(load)] * 5, [t for _, _, t in given]],
            schema=schema,
        )
        written = staged.merge(table, batch, ["_id"])
    assert written == Written(updated=2, unchanged=3)
    loads = {row["_id"]: row["_phlo_load_id"] for row in table.scan().to_arrow().to_pylist()}
    assert loads == {"zero": "0", "null": "0", "nan": "0", "one": "1", "gone": "1"}


def test_a_long_text_that_repeats_is_unpacked_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = pa.schema([("_id", pa.string()), ("n", pa.dictionary(pa.int8(), pa.string()))])
    batch = pa.table({"_id": list("abc"), "n": pa.array(["x" * 1_000] * 3).dictionary_encode()}, schema=schema)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    texts = catalog.create_table("raw.texts", schema, "run-1", keys=["_id"])
    monkeypatch.setattr(in_memory, "MOST_MEMORY", 2_500)
    with pytest.raises(Refused):
        append(texts, batch, limits=NO_DUCKDB)
    monkeypatch.setattr(in_memory, "MOST_MEMORY", 4_000)
    assert append(texts, batch, limits=NO_DUCKDB) == Written(inserted=3)


def test_a_write_that_is_interrupted_while_its_file_is_described_leaves_none(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Writer, "_describe", interrupt)
    with pytest.raises(KeyboardInterrupt):
        append(table, rows(_id=["a"], n=[1]))
    assert list(tmp_path.rglob("*.parquet")) == []
