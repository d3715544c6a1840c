"""Snapshots that swap files: their summaries, and commits that others make meanwhile."""

from __future__ import annotations

import io
import threading
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.avro.encoder import BinaryEncoder
from pyiceberg.avro.file import AvroFile
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import ManifestEntry
from pyiceberg.table.snapshots import Operation
from pyiceberg.typedef import Record
from tests.iceberg.deleting import delete_values, unpartitioned_spec

from phlo.iceberg import commit
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.commit import _Encoder, swap
from phlo.iceberg.merge import append, merge, replace
from phlo.iceberg.rewrite import Rewrite
from phlo.iceberg.tables import scan_sql

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("key", pa.int64()), ("value", pa.int64())])
DATED, JANUARY = pa.schema([("key", pa.int64()), ("partition_date", pa.date32())]), date(2024, 1, 20)


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog


@pytest.fixture
def table(catalog: SqlRefCatalog) -> Table:
    return catalog.create_table("raw.t", SCHEMA, "run-1", keys=["key"])


def rows(values: dict[int, int]) -> pa.Table:
    return pa.table({"key": list(values), "value": list(values.values())}, schema=SCHEMA)


def summary(table: Table) -> dict[str, Any]:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    return {"operation": snapshot.summary.operation, **snapshot.summary.additional_properties}


def test_snapshots_say_what_they_did(table: Table) -> None:
    append(table, rows({1: 1, 2: 2}))
    assert summary(table)["operation"] == Operation.APPEND
    merge(table, rows({2: 3, 4: 4}), ["key"])
    found = summary(table)
    assert found["operation"] == Operation.OVERWRITE
    assert (found["total-records"], found["deleted-records"], found["added-records"]) == ("3", "2", "3")


def test_nothing_to_swap_is_no_snapshot(table: Table) -> None:
    swap(table, Rewrite([], []), AlwaysTrue())
    assert table.current_snapshot() is None


def test_each_snapshot_can_still_be_read(table: Table) -> None:
    seen = {}
    for n in range(6):
        merge(table, rows({n % 3: n}), ["key"])
        snapshot = table.current_snapshot()
        assert snapshot is not None
        seen[snapshot.snapshot_id] = {**(list(seen.values())[-1] if seen else {}), n % 3: n}
    for snapshot_id, expected in seen.items():
        found = table.scan(snapshot_id=snapshot_id).to_arrow().to_pylist()
        assert {row["key"]: row["value"] for row in found} == expected


def test_manifests_become_one_before_they_are_many(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.iceberg.rewrite.SMALL_FILE", 0)
    monkeypatch.setattr(commit, "MANIFESTS", 4)
    most = 0
    for n in range(3 * commit.MANIFESTS):
        append(table, rows({n: n}))
        snapshot = table.current_snapshot()
        assert snapshot is not None
        most = max(most, len(snapshot.manifests(table.io)))
    assert most < commit.MANIFESTS
    assert len(list(table.scan().plan_files())) == 3 * commit.MANIFESTS


def test_writers_that_race_on_disjoint_keys_lose_no_row(catalog: SqlRefCatalog, table: Table) -> None:
    append(table, rows({0: 0}))
    tables = [catalog.load("raw.t", "run-1") for _ in range(3)]
    failed: list[int] = []

    def write(number: int) -> None:
        for step in range(3):
            key = 1000 * (number + 1) + step
            try:
                merge(tables[number], rows({key: key}), ["key"])
            except CommitFailedException:
                failed.append(key)
                tables[number].refresh()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = catalog.load("raw.t", "run-1").scan().to_arrow()["key"].to_pylist()
    expected = {0, *(1000 * (number + 1) + step for number in range(3) for step in range(3))} - set(failed)
    assert sorted(keys) == sorted(expected)
    assert len(failed) < 9


def test_a_table_that_was_replaced_meanwhile_is_not_written(
    catalog: SqlRefCatalog, table: Table, tmp_path: Path
) -> None:
    append(table, rows({1: 1, 2: 2}))
    stale = catalog.load("raw.t", "run-1")
    replace(table, rows({5: 5}))
    on_disk = set(tmp_path.rglob("*.parquet"))
    with pytest.raises(CommitFailedException):
        merge(stale, rows({1: 9}), ["key"])
    assert set(tmp_path.rglob("*.parquet")) == on_disk
    assert catalog.load("raw.t", "run-1").scan().to_arrow().to_pylist() == [{"key": 5, "value": 5}]


@pytest.mark.parametrize("where", ["partition", "everywhere"])
def test_a_file_whose_rows_are_deleted_by_value_meanwhile_is_not_written_again(
    catalog: SqlRefCatalog, where: str
) -> None:
    table = catalog.create_table("raw.p", DATED, "run-1", partition_by="month(partition_date)", keys=["key"])
    everywhere = unpartitioned_spec(table)
    append(table, pa.table({"key": [1, 7], "partition_date": [JANUARY] * 2}, schema=DATED))
    stale = catalog.load("raw.p", "run-1")
    if where == "partition":
        delete_values(table, [{"key": 7}], ["key"], partition=Record(648))
    else:
        delete_values(table, [{"key": 7}], ["key"], spec_id=everywhere)
    with pytest.raises(CommitFailedException, match="deleted meanwhile"):
        merge(stale, pa.table({"key": [1], "partition_date": [None]}, schema=DATED), ["key"])
    merge(stale, pa.table({"key": [2], "partition_date": [date(2024, 5, 1)]}, schema=DATED), ["key"])  # beside it
    assert keys(catalog.load("raw.p", "run-1")) == [1, 2]


def keys(table: Table) -> list[int]:
    with duckdb.connect() as con:
        return [key for (key,) in con.sql(f"FROM ({scan_sql(table, ['key'], con=con)}) ORDER BY 1").fetchall()]


@pytest.mark.slow
@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_encoded_as_pyiceberg_encodes_them(number: int) -> None:
    wanted, found = io.BytesIO(), _Encoder()
    BinaryEncoder(wanted).write_int(number)  # type: ignore[arg-type]
    found.write_int(number)
    assert bytes(found.written) == wanted.getvalue()


def test_the_entries_of_a_manifest_are_one_block_that_pyiceberg_reads(table: Table) -> None:
    with table.update_spec() as update:
        update.add_field("key", "identity", "part")
    append(table, rows({1: 1, -(2**63): 2, 300: 3}))
    snapshot = table.current_snapshot()
    assert snapshot is not None
    (manifest,) = snapshot.manifests(table.io)
    entries = manifest.fetch_manifest_entry(table.io)
    assert {entry.data_file.partition[0]: entry.data_file.record_count for entry in entries} == {
        1: 1,
        -(2**63): 1,
        300: 1,
    }
    with AvroFile[ManifestEntry](table.io.new_input(manifest.manifest_path)) as file:
        assert file._read_block() == 3
