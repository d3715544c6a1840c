"""Plans on remembered manifests: the files that PyIceberg would plan, whatever the filter and the snapshot."""

from __future__ import annotations

import gc
import weakref
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import _manifests

from phlo.iceberg import commit, manifests
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.manifests import plan_files
from phlo.iceberg.merge import append, merge
from phlo.iceberg.tables import within

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("_id", pa.string()), ("value", pa.int64()), ("partition_date", pa.date32())])
DAYS = [date(2024, month, 15) for month in range(1, 11)]


@pytest.fixture
def table(tmp_path: Path) -> Table:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("r")
    return catalog.create_table("raw.t", SCHEMA, "r", partition_by="month(partition_date)", keys=["_id"])


def rows(days: list[date], value: int = 0) -> pa.Table:
    values = {"_id": [str(day) for day in days], "value": [value] * len(days), "partition_date": days}
    return pa.table(values, schema=SCHEMA)


def shown(tasks: Any) -> list[tuple[str, list[str]]]:
    return sorted((task.file.file_path, sorted(each.file_path for each in task.delete_files)) for task in tasks)


def counts(table: Table) -> list[int]:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return sorted(len(manifests.live(table.io, each)) for each in snapshot.manifests(table.io))


@pytest.mark.parametrize("days", [[], DAYS[:1], DAYS[3:5], [date(2030, 1, 1)]])
def test_a_plan_has_the_files_that_pyiceberg_plans(table: Table, delete_rows: Any, days: list[date]) -> None:
    append(table, rows(DAYS))
    merge(table, rows(DAYS[:2], 1), ["_id"])
    delete_rows(table, str(DAYS[3]))
    expected = shown(table.scan(within(days)).plan_files())
    assert [shown(plan_files(table, within(days))) for _ in range(2)] == [expected] * 2
    assert bool(expected) == (days != [date(2030, 1, 1)])


def test_an_empty_table_has_no_files(table: Table) -> None:
    assert plan_files(table, AlwaysTrue()) == []


def test_manifests_are_forgotten_when_they_are_too_many(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "_remembered", manifests._Remembered())
    monkeypatch.setattr(manifests, "REMEMBERED", 3)
    for day in DAYS[:6]:
        append(table, rows([day]))
    for _ in range(2):
        assert shown(plan_files(table, AlwaysTrue())) == shown(table.scan().plan_files())
    assert manifests._remembered.count == sum(map(len, manifests._remembered.files.values()))
    assert 0 < manifests._remembered.count <= 3


def test_a_list_of_manifests_is_read_once_for_all_handles(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    append(table, rows(DAYS[:2]))
    snapshot = table.current_snapshot()
    assert snapshot is not None
    read: list[str] = []

    def noted(io: Any, path: str) -> Any:
        read.append(path)
        return _manifests(io, path)

    monkeypatch.setattr(manifests, "_remembered", manifests._Remembered())
    monkeypatch.setattr(manifests, "_manifests", noted)
    handles = [PyArrowFileIO() for _ in range(3)]
    kept = [weakref.ref(each) for each in handles]
    assert [len(manifests.manifests_of(snapshot, each)) for each in handles] == [1, 1, 1]
    assert read == [snapshot.manifest_list]
    handles.clear()
    gc.collect()
    assert [each() for each in kept] == [None] * 3


def test_lists_of_manifests_are_forgotten_too(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "_remembered", manifests._Remembered())
    monkeypatch.setattr(manifests, "REMEMBERED", 5)
    for day in DAYS:
        append(table, rows([day]))
    for snapshot in table.metadata.snapshots:
        assert manifests.manifests_of(snapshot, table.io) == snapshot.manifests(table.io)
        assert sum(map(len, manifests._remembered.files.values())) <= 5


def test_a_commit_writes_again_no_more_than_the_manifest_whose_file_goes(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "MANIFEST_FILES", 4)
    append(table, rows(DAYS))
    assert counts(table) == [2, 4, 4]
    before = _paths(table)
    merge(table, rows(DAYS[9:], 1), ["_id"])
    assert len(before & _paths(table)) == 2
    assert table.scan().to_arrow().num_rows == len(DAYS)


def test_small_manifests_become_one_and_full_ones_stay(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "MANIFEST_FILES", 4)
    monkeypatch.setattr(commit, "MANIFESTS", 3)
    append(table, rows(DAYS[:4]))
    full = _paths(table)
    for day in DAYS[4:]:
        append(table, rows([day]))
        assert full <= _paths(table)
        assert sum(count < 2 for count in counts(table)) < 3
    assert sum(counts(table)) == len(DAYS)


def test_python_collects_again_once_a_plan_is_made(table: Table) -> None:
    append(table, rows(DAYS))
    assert gc.isenabled()
    with pytest.raises(KeyError), manifests.no_collection(), manifests.no_collection():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def _paths(table: Table) -> set[str]:
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return {manifest.manifest_path for manifest in snapshot.manifests(table.io)}
