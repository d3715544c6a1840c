"""A project folder that moved can be mended: every table, ref and past state reads as before."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from tests.iceberg.deleting import delete_positions, delete_values

from phlo.errors import MissingTableFiles, NotRelocatable, ProjectMoved
from phlo.iceberg import handles, relocate
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import merge
from phlo.iceberg.moved_deletes import write_moved
from phlo.iceberg.tables import plan, scan_sql
from phlo.protocols import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.table import Table


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    """Files are rewritten in place here, which nothing else does; a relocation is its own process."""
    from pyiceberg.manifest import clear_manifest_cache

    handles.read_metadata.cache_clear()
    clear_manifest_cache()
    yield
    handles.read_metadata.cache_clear()
    clear_manifest_cache()


@pytest.fixture
def moved(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, write: Any, tmp_path: Path
) -> Callable[[Path], str]:
    """A catalog with two publishes and an open ref, whose project then moves; what its URI is there."""
    write("raw.g", [1, 2], "run-1")
    catalog.put_view("gold.v", View(f"SELECT '{warehouse}/raw/g-0123456789ab/x'"), "run-1")
    catalog.publish("run-1")
    write("raw.g", [3], "run-2")
    catalog.publish("run-2")
    write("raw.g", [4], "open")
    write("gold.j", [5], "open")
    catalog.close()

    def move(target: Path) -> str:
        target.parent.mkdir(parents=True, exist_ok=True)
        away = tmp_path / "away"
        (tmp_path / "state").rename(away)
        target.mkdir(parents=True, exist_ok=True)
        for path in away.iterdir():
            shutil.move(path, target / path.name)
        handles.read_metadata.cache_clear()
        return catalog_uri.replace(f"{tmp_path}/state/", f"{target}/")

    return move


def numbers(catalog: SqlRefCatalog, name: str, **pin: Any) -> list[int]:
    table = catalog.open_pinned(name, catalog.pin(**pin))
    return sorted(table.scan().to_arrow()["n"].to_pylist())


def check(catalog: SqlRefCatalog) -> None:
    assert numbers(catalog, "raw.g") == [1, 2, 3]
    assert numbers(catalog, "raw.g", seq=1) == [1, 2]
    assert numbers(catalog, "raw.g", ref="open") == [1, 2, 3, 4]
    assert numbers(catalog, "gold.j", ref="open") == [5]
    first = catalog.load("raw.g", "open").snapshots()[0]
    assert len(catalog.load("raw.g", "open").scan(snapshot_id=first.snapshot_id).to_arrow()) == 2


@pytest.mark.parametrize("target", ["elsewhere/s", "state/state", "élan #1/s", "."])
def test_everything_reads_as_before_where_the_folder_is_now(
    moved: Callable[[Path], str], tmp_path: Path, target: str, warehouse: Path
) -> None:
    uri = moved(tmp_path / target)
    here = tmp_path / target / "warehouse"
    with pytest.raises(ProjectMoved):
        SqlRefCatalog(uri, here)
    assert relocate.relocate(uri, here) > 0
    catalog = SqlRefCatalog(uri, here)
    check(catalog)
    assert str(warehouse) in catalog.pin().views["gold.v"].sql  # a text of the user's, not a path of ours
    catalog.load("raw.g", "open").append(pa.table({"n": [6]}))
    catalog.publish("open")
    assert numbers(catalog, "raw.g") == [1, 2, 3, 4, 6]
    catalog.undo(1)
    assert catalog.pin().tables == {}
    assert not list(here.rglob("*.moved"))


def test_what_has_not_moved_is_left_alone(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, published: Any
) -> None:
    published("raw.g", [1], "r")
    assert relocate.relocate(catalog_uri, warehouse) == 0


def test_manifests_say_what_they_said_and_their_lists_know_their_length(
    moved: Callable[[Path], str], catalog: SqlRefCatalog, tmp_path: Path, warehouse: Path
) -> None:
    def told(where: SqlRefCatalog) -> tuple[str, list[int]]:
        table = where.load("raw.g", "open")
        snapshot = table.current_snapshot()
        assert snapshot is not None
        sizes = [len(table.io.new_input(manifest.manifest_path)) for manifest in snapshot.manifests(table.io)]
        manifests = table.inspect.manifests()
        assert manifests["length"].to_pylist() == sizes
        assert len(sizes) == 3
        entries = table.inspect.entries().to_pylist()
        return str([entries, manifests.drop(["length"]).to_pylist()]), [len(entries)]

    before, count = told(catalog)
    uri, here = moved(tmp_path / "new"), tmp_path / "new" / "warehouse"
    relocate.relocate(uri, here)
    assert told(SqlRefCatalog(uri, here)) == (before.replace(str(warehouse), str(here)), count)


@pytest.mark.parametrize("interrupted_at", [1, 2, 5, 9])
def test_a_relocation_that_was_interrupted_is_finished_by_another(
    moved: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: int
) -> None:
    uri, here = moved(tmp_path / "state" / "new"), tmp_path / "state" / "new" / "warehouse"
    sync, calls = relocate.files.sync, list[object]()

    def interrupted(path: Path) -> None:
        calls.append(path)
        if len(calls) == interrupted_at:
            raise KeyboardInterrupt
        sync(path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(relocate.files, "sync", interrupted)
        relocate.relocate(uri, here)
    with pytest.raises(ProjectMoved):
        SqlRefCatalog(uri, here)
    relocate.relocate(uri, here)
    check(SqlRefCatalog(uri, here))


def test_a_partitioned_table_that_was_merged_into_follows_too(
    catalog: SqlRefCatalog, moved: Callable[[Path], str], tmp_path: Path
) -> None:
    schema = pa.schema([("id", pa.string()), ("n", pa.int64()), ("partition_date", pa.date32())])
    days = [dt.date(2024, month, 5) for month in (1, 2, 3)]
    table = catalog.create_table("raw.days", schema, "open", partition_by="month(partition_date)", keys=["id"])
    merge(table, pa.table({"id": ["a", "b", "c"], "n": [1, 2, 3], "partition_date": days}, schema=schema), ["id"])
    merge(table, pa.table({"id": ["b"], "n": [20], "partition_date": days[1:2]}, schema=schema), ["id"])
    uri, here = moved(tmp_path / "new"), tmp_path / "new" / "warehouse"
    relocate.relocate(uri, here)
    after = SqlRefCatalog(uri, here)
    assert numbers(after, "raw.days", ref="open") == [1, 3, 20]
    table = after.load("raw.days", "open")
    assert len(list(table.scan("partition_date < '2024-02-01'").plan_files())) == 1
    merge(table, pa.table({"id": ["c"], "n": [30], "partition_date": days[2:]}, schema=schema), ["id"])
    assert numbers(after, "raw.days", ref="open") == [1, 20, 30]


def test_a_folder_that_is_not_all_there_changes_nothing_in_the_catalog(
    moved: Callable[[Path], str], tmp_path: Path
) -> None:
    uri, here = moved(tmp_path / "new"), tmp_path / "new" / "warehouse"
    (here / "gold").rename(tmp_path / "gold")
    with pytest.raises(MissingTableFiles, match=r"of table `gold.j` is missing"):
        relocate.relocate(uri, here)
    (tmp_path / "gold").rename(here / "gold")
    relocate.relocate(uri, here)
    check(SqlRefCatalog(uri, here))


def test_while_a_run_writes_nothing_is_relocated(catalog: SqlRefCatalog, catalog_uri: str, tmp_path: Path) -> None:
    with catalog.lease(["raw.g"], "run-1"), pytest.raises(NotRelocatable, match="run-1 is writing to it"):
        relocate.relocate(catalog_uri, tmp_path / "new")


def test_files_of_deletes_move_with_the_paths_in_them(
    catalog: SqlRefCatalog, catalog_uri: str, published: Any, tmp_path: Path
) -> None:
    published("raw.g", [1, 2, 3], "run-1")
    catalog.create_ref("run-2")
    table = catalog.load("raw.g", "run-2")
    (task,) = plan(table)
    delete_positions(table, {task.file.file_path: [0]})
    delete_values(table, [{"n": 3}], ["n"])
    catalog.publish("run-2")
    catalog.close()
    here = tmp_path / "new"
    (tmp_path / "state").rename(here)
    handles.read_metadata.cache_clear()
    uri = catalog_uri.replace(f"{tmp_path}/state/", f"{here}/")
    for _ in range(2):  # as one that was interrupted is done again
        relocate.Rewriter(relocate.Move(f"{tmp_path}/state/warehouse", f"{here}/warehouse")).rewrite(
            "raw.g", max(map(str, (here / "warehouse").rglob("*.metadata.json")))
        )
    relocate.relocate(uri, here / "warehouse")
    assert stored(SqlRefCatalog(uri, here / "warehouse").load("raw.g")) == [2]


def test_files_of_deletes_in_a_format_that_is_not_known_are_refused(tmp_path: Path) -> None:
    (tmp_path / "deletes").write_bytes(b"Obj1")
    with pytest.raises(NotRelocatable, match="in a format that is not known"):
        write_moved(f"{tmp_path}/deletes", f"{tmp_path}/moved", str)


def stored(table: Table) -> list[int]:
    with duckdb.connect() as con:
        return [n for (n,) in con.sql(f"FROM ({scan_sql(table, con=con)}) ORDER BY 1").fetchall()]
