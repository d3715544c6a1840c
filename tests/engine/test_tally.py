"""Counts over more rows than memory should hold."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from phlo.config import Settings
from phlo.engine.duckdb import DuckDBEngine
from phlo.errors import WriteFailed
from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = dt.date(2024, 1, 20)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    yield DuckDBEngine(catalog, Settings(memory_limit="30MB"), tmp_path / "temp")
    catalog.close()


def rows(**columns: list[object]) -> pa.RecordBatchReader:
    return pa.table(columns).to_reader(max_chunksize=2)


@pytest.mark.parametrize("keys", [["rowid"], ["rowid", 'K"0'], ["value", "k0"]])
def test_of_rows_with_equal_keys_the_last_counts_whatever_the_keys_are_called(
    engine: DuckDBEngine, keys: list[str]
) -> None:
    columns = {name: [1, 1, 2, 3, 1] for name in keys} | {"load": ["a", "a", "a", "b", "c"]}
    assert engine.last_by("raw.readings", rows(**columns), keys, "load") == {"a": 1, "b": 1, "c": 1}


def test_more_keys_than_its_memory_holds_are_counted_exactly(engine: DuckDBEngine) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        for load in range(20):
            keys = pa.array([f"{number:064d}" for number in range(load * 5_000, load * 5_000 + 10_000)])
            yield pa.record_batch([keys, pa.array([f"load-{load:02d}"] * 10_000)], names=["id", "load"])

    arriving = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.string()), ("load", pa.string())]), batches())
    counted = engine.last_by("raw.readings", arriving, ["id"], "load")
    assert counted == {f"load-{load:02d}": 5_000 for load in range(19)} | {"load-19": 10_000}


def test_rows_whose_key_was_there_before_are_counted_once_each(engine: DuckDBEngine) -> None:
    def write(ids: list[str], load: str, mode: str) -> None:
        table = pa.table({"id": ids, "partition_date": [DAY] * len(ids), "_phlo_load_id": [load] * len(ids)})
        engine.write("raw.readings", table, "run-1", mode=mode, keys=["id"])  # type: ignore[arg-type]

    write(["a", "a", "b", "c"], "1", "insert")
    before = engine.catalog.pin("run-1")
    write(["a", "b", "d"], "2", "merge")
    now = engine.catalog.pin("run-1")
    assert engine.known_by("raw.readings", now, before, ["id"], "_phlo_load_id") == {"1": 2, "2": 1}


def test_what_it_has_no_room_for_is_a_write_that_failed(engine: DuckDBEngine) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        raise duckdb.OutOfMemoryException("Out of Memory Error: no room\nfor more")
        yield

    arriving = pa.RecordBatchReader.from_batches(pa.schema([("id", pa.string()), ("load", pa.string())]), broken())
    with pytest.raises(WriteFailed, match=r"written to `raw\.readings`: .*no room"):
        engine.last_by("raw.readings", arriving, ["id"], "load")
