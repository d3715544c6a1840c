"""Maintenance frees what nothing reaches, and whatever could be read before reads the same after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from tests.iceberg.deleting import delete_values

from phlo.errors import HistoryExpired, MissingTableFiles
from phlo.iceberg import handles, liveness, states
from phlo.iceberg.maintenance import Keep, maintain, plan
from phlo.iceberg.merge import merge
from phlo.iceberg.tables import scan_sql
from phlo.protocols import MAIN

if TYPE_CHECKING:
    from tests.iceberg.conftest import Write

    from phlo.iceberg.catalog import SqlRefCatalog

NOTHING = Keep(history=timedelta(0), failed=0, failed_days=0, grace=timedelta(0))
"""Keeps main and open refs alone."""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def catalog_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both databases, the slower to start in the slow suite."""
    if request.param == "postgres":
        uri: str = request.getfixturevalue("postgres_uri")
        return uri
    return f"sqlite:///{tmp_path}/state/catalog.db"


def files(warehouse: Path) -> set[Path]:
    return {path for path in warehouse.rglob("*") if path.is_file()}


def rows_of_everything(catalog: SqlRefCatalog) -> dict[Any, Any]:
    """What main, every ref, and every publish that is kept have."""
    pins = {"main": catalog.pin()} | {ref.name: catalog.pin(ref.name) for ref in catalog.refs()}
    for publish in catalog.publishes():
        try:
            pins[f"publish {publish.seq}"] = catalog.pin(seq=publish.seq)
        except HistoryExpired:
            continue
    return {
        (where, name): sorted(catalog.open_pinned(name, pin).scan().to_arrow().to_pylist(), key=str)
        for where, pin in pins.items()
        for name in pin.tables
    }


def is_past(where: tuple[str, str]) -> bool:
    """Whether it may go: a state of main before today's, or what a maintenance that was killed has left."""
    return where[0].startswith(("publish ", "maintain-"))


def test_what_could_be_read_reads_the_same_after(catalog: SqlRefCatalog, published: Write, write: Write) -> None:
    for n in range(6):
        published("raw.g", [n], f"run-{n}")
    write("raw.g", [100], "open")
    write("raw.new", [1], "open")
    before = rows_of_everything(catalog)
    done = maintain(catalog, Keep(grace=timedelta(0)))
    assert [(each.table, each.small_files) for each in done.tables] == [("raw.g", 6)]
    after = rows_of_everything(catalog)
    assert {where: rows for where, rows in after.items() if where in before} == before
    assert len(list(catalog.load("raw.g").scan().plan_files())) == 1
    assert maintain(catalog, Keep(grace=timedelta(0))).tables == ()


def test_rows_that_another_engine_deleted_stay_deleted_and_their_files_are_kept_as_long_as_they_are_needed(
    catalog: SqlRefCatalog, warehouse: Path, published: Write
) -> None:
    for n in range(4):
        published("raw.g", [n, 10 + n], f"run-{n}")
    catalog.create_ref("flink")
    delete_values(catalog.load("raw.g", "flink"), [{"n": 12}], ["n"])
    catalog.publish("flink")
    deletes = set(warehouse.rglob("deletes-*.parquet"))
    assert maintain(catalog, Keep(grace=timedelta(0))).tables[0].small_files == 4
    table = catalog.load("raw.g")
    with duckdb.connect() as con:
        assert con.sql(f"SELECT list(n ORDER BY n) FROM ({scan_sql(table)})").fetchall()[0][0] == [
            0,
            1,
            2,
            3,
            10,
            11,
            13,
        ]
    assert deletes <= files(warehouse)  # the publish before is still to be read


def test_a_table_whose_deletes_can_not_be_read_is_left_as_it_is(catalog: SqlRefCatalog, published: Write) -> None:
    for n in range(4):
        published("raw.g", [n], f"run-{n}")
    catalog.create_ref("flink")
    delete_values(catalog.load("raw.g", "flink"), [{"n": 1}], [])
    catalog.publish("flink")
    before = catalog.load("raw.g").current_snapshot()
    maintain(catalog, Keep(grace=timedelta(0)))
    assert catalog.load("raw.g").current_snapshot() == before


def test_past_states_beyond_retention_go_and_say_so(
    catalog: SqlRefCatalog, warehouse: Path, published: Write, rows: Any
) -> None:
    for n in range(5):
        published("raw.g", [n], f"run-{n}")
    count = len(files(warehouse))
    done = maintain(catalog, NOTHING)
    assert (done.kept_from, done.files > 0) == (5, True)
    again = maintain(catalog, NOTHING)
    assert again.kept_from == 6  # its own publish
    assert len(files(warehouse)) < count
    assert rows("raw.g") == [0, 1, 2, 3, 4]
    with pytest.raises(HistoryExpired, match="begins with publish 6"):
        catalog.pin(seq=4)
    with pytest.raises(HistoryExpired):
        catalog.undo(3)
    assert len(catalog.publishes()) == 6  # the log stays whole


def test_a_plan_changes_nothing_and_says_what_will_be_done(
    catalog: SqlRefCatalog, warehouse: Path, published: Write, write: Write
) -> None:
    for n in range(5):
        published("raw.g", [n], f"run-{n}")
    write("raw.f", [1], "failed")
    catalog.fail_ref("failed", "because")
    before, there = files(warehouse), rows_of_everything(catalog)
    planned = plan(catalog, NOTHING)
    assert (planned.refs, planned.kept_from, planned.tables[0].small_files) == (("failed",), 5, 5)
    assert (files(warehouse), rows_of_everything(catalog)) == (before, there)
    done = maintain(catalog, NOTHING)
    assert (done.refs, done.kept_from, done.tables) == (planned.refs, planned.kept_from, planned.tables)


def test_the_files_of_a_dropped_ref_go_with_their_folder(
    catalog: SqlRefCatalog, warehouse: Path, published: Write, write: Write
) -> None:
    published("raw.g", [1], "one")
    maintain(catalog, Keep(grace=timedelta(0)))  # takes the metadata that no publish ended with
    kept = files(warehouse)
    write("raw.g", [2], "gone")
    write("raw.new", [3], "gone")
    catalog.drop_ref("gone")
    more = len(files(warehouse) - kept)
    assert maintain(catalog, Keep(grace=timedelta(0))).files == more
    assert files(warehouse) == kept
    assert {folder.name.partition("-")[0] for folder in (warehouse / "raw").iterdir()} == {"g"}


def test_a_table_whose_making_was_killed_leaves_nothing(catalog: SqlRefCatalog, warehouse: Path) -> None:
    location = _made_just_now(catalog, "raw.g")
    maintain(catalog, Keep())
    assert files(warehouse), "somebody may be making it"
    maintain(catalog, NOTHING)
    assert not files(warehouse)
    assert not Path(location).exists()


def test_the_folder_of_a_table_that_is_made_just_now_stays(catalog: SqlRefCatalog) -> None:
    location = handles.new_location(catalog.warehouse, "raw.g")
    with catalog.database.write() as connection:
        states.remember(connection, [location])
    Path(location, "metadata").mkdir(parents=True)
    maintain(catalog, Keep())
    assert Path(location, "metadata").is_dir()


def test_what_is_not_the_catalogs_own_is_left_alone(catalog: SqlRefCatalog, warehouse: Path, published: Write) -> None:
    published("raw.g", [1], "one")
    theirs = [warehouse / "raw" / "other-0123456789ab" / "data" / "1.parquet", warehouse / "notes.txt"]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    maintain(catalog, NOTHING)
    assert all(path.exists() for path in theirs)


def test_young_files_and_those_of_a_run_that_goes_on_are_left_alone(
    catalog: SqlRefCatalog, second: SqlRefCatalog, published: Write
) -> None:
    published("raw.g", [1], "one")
    folder = Path(catalog.load("raw.g").location(), "data")
    with second.lease(["raw.g"], "going-on"):
        orphan = folder / "uncommitted.parquet"
        orphan.write_text("rows")
        assert maintain(catalog, NOTHING).files == 0
    assert maintain(catalog, Keep()).files == 0  # it is younger than an hour
    old = time.time() - 2 * 3600
    os.utime(orphan, (old, old))
    assert maintain(catalog, Keep()).files == 1
    assert not orphan.exists()


@pytest.mark.parametrize("table", ["raw.g", "raw.new"])
def test_a_run_that_goes_on_keeps_what_it_wrote_while_the_clock_had_stepped_back(
    catalog: SqlRefCatalog, second: SqlRefCatalog, published: Write, table: str
) -> None:
    published("raw.g", [1], "one")
    with second.lease([table], "going-on"):
        folder = second.load("raw.g").location() if table == "raw.g" else _made_just_now(second, table)
        file = Path(folder, "data", "uncommitted.parquet")
        file.parent.mkdir(exist_ok=True)
        file.write_text("rows")
        _age(folder)
        assert maintain(catalog, NOTHING).files == 0
        assert file.exists()
    maintain(catalog, NOTHING)
    assert not file.exists()


def _made_just_now(catalog: SqlRefCatalog, table: str) -> str:
    location = handles.new_location(catalog.warehouse, table)
    with catalog.database.write() as connection:
        states.remember(connection, [location])
    handles.write_new_table(location, table, pa.schema([("key", pa.int64())]), None, ())
    return location


def _age(folder: str) -> None:
    """Let all of a folder be of the day before yesterday."""
    then = time.time() - 2 * 86400
    for path in Path(folder).rglob("*"):
        os.utime(path, (then, then))


def test_a_table_that_a_run_writes_is_left_for_the_next_time(
    catalog: SqlRefCatalog, second: SqlRefCatalog, published: Write
) -> None:
    for n in range(5):
        published("raw.g", [n], f"g-{n}")
        published("raw.h", [n], f"h-{n}")
    with second.lease(["raw.g"], "going-on"):
        done = maintain(catalog, Keep())
    assert ([each.table for each in done.tables], done.left) == (["raw.h"], ("raw.g",))
    assert [each.table for each in maintain(catalog, Keep()).tables] == ["raw.g"]


def test_a_run_that_reads_meanwhile_publishes_on_top(catalog: SqlRefCatalog, published: Write, write: Write) -> None:
    for n in range(5):
        published("raw.g", [n], f"run-{n}")
    write("raw.other", [1], "going-on")
    maintain(catalog, NOTHING)
    write("raw.other", [2], "going-on")
    catalog.publish("going-on")
    assert catalog.load("raw.other").scan().to_arrow().num_rows == 2


def test_old_snapshots_are_expired_and_their_files_deleted(catalog: SqlRefCatalog, published: Write) -> None:
    published("raw.g", [1], "one")
    catalog.create_ref("two")
    table = catalog.load("raw.g", "two")
    for n in range(3):
        merge(table, pa.table({"n": pa.array([n], pa.int64())}), ["n"])
        table = catalog.load("raw.g", "two")
    catalog.publish("two")
    done = maintain(catalog, NOTHING)
    assert done.tables[0].snapshots == len(table.snapshots()) - 1
    assert len(catalog.load("raw.g").snapshots()) == 1
    assert sorted(catalog.load("raw.g").scan().to_arrow()["n"].to_pylist()) == [0, 1, 2]


def test_a_missing_file_stops_it_before_it_deletes(catalog: SqlRefCatalog, warehouse: Path, published: Write) -> None:
    published("raw.g", [1], "one")
    published("raw.g", [2], "two")
    pointer = Path(catalog.pin().tables["raw.g"])
    content = pointer.read_bytes()
    pointer.unlink()
    before = files(warehouse)
    with pytest.raises(MissingTableFiles):
        maintain(catalog, NOTHING)
    assert files(warehouse) == before
    pointer.write_bytes(content)


def test_an_abandoned_maintenance_is_taken_away(catalog: SqlRefCatalog, published: Write) -> None:
    published("raw.g", [1], "one")
    catalog.create_ref("maintain-20240120-000000-0000", run_id="maintain-20240120-000000-0000")
    maintain(catalog, Keep())
    assert catalog.refs() == []


def test_an_undo_to_a_kept_state_still_works_after(catalog: SqlRefCatalog, published: Write, rows: Any) -> None:
    published("raw.g", [1], "one")
    published("raw.g", [2], "two")
    maintain(catalog, Keep(grace=timedelta(0)))
    catalog.undo()
    assert rows("raw.g") == [1]
    assert maintain(catalog, NOTHING).kept_from == 3
    assert rows("raw.g") == [1]


def test_reach_lists_every_file_of_a_table(catalog: SqlRefCatalog, warehouse: Path, published: Write) -> None:
    published("raw.g", [1], "one")
    published("raw.g", [2], "two")
    pin = catalog.pin(MAIN)
    with catalog.database.read() as connection:
        found = liveness.roots(connection)
    assert found.before < datetime.now(UTC)
    between = {path for path in files(warehouse) if path.match("00000-*.metadata.json")}  # before its first row
    assert {Path(path) for path in liveness.reach(found.pointers)} == files(warehouse) - between
    assert pin.tables["raw.g"] in found.pointers


@pytest.mark.slow
def test_maintenance_killed_at_any_moment_loses_nothing(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, published: Write, write: Write
) -> None:
    write("raw.g", [-1], "open")
    for n in range(12):
        published("raw.g", [n], f"run-{n}")
        if n % 4 == 0:
            published("raw.h", [n], f"h-{n}")
    command = [sys.executable, "-c", KILLED, catalog_uri, str(warehouse)]
    calls = int(subprocess.run([*command, "0"], capture_output=True, text=True, check=True).stdout)
    assert calls > 100
    ends = []
    for kill in range(1, 9):
        for n in range(4):
            published("raw.g", [kill * 100 + n], f"run-{kill}-{n}")
        numbers = sorted(catalog.load("raw.g").scan().to_arrow()["n"].to_pylist())
        before = rows_of_everything(catalog)
        died = subprocess.run([*command, str(calls * kill // 12)], check=False, capture_output=True)
        ends.append(died.returncode)  # what an earlier one has done is not to be done again, so one may get to its end
        after = rows_of_everything(catalog)
        assert {where: rows for where, rows in after.items() if where in before} == {
            where: rows for where, rows in before.items() if not is_past(where) or where in after
        }
        assert sorted(catalog.load("raw.g").scan().to_arrow()["n"].to_pylist()) == numbers
    assert set(ends) <= {0, -signal.SIGKILL}
    assert ends.count(-signal.SIGKILL) > 5
    maintain(catalog, NOTHING)
    assert {ref.name for ref in catalog.refs()} == {"open"}
    assert len(list(catalog.load("raw.g").scan().plan_files())) == 1


KILLED = """
import os, signal, sys
from datetime import timedelta
from pathlib import Path
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.maintenance import Keep, maintain

calls, at = 0, int(sys.argv[3])

def profile(frame, event, _):
    global calls
    if event == "call" and f"{os.sep}phlo{os.sep}" in frame.f_code.co_filename:
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)

catalog = SqlRefCatalog(sys.argv[1], Path(sys.argv[2]))
sys.setprofile(profile)
maintain(catalog, Keep(history=timedelta(0), failed=0, failed_days=0, grace=timedelta(0)))
sys.setprofile(None)
print(calls)
"""


@pytest.mark.slow
def test_loads_go_on_while_maintenance_runs_again_and_again(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, published: Write
) -> None:
    published("raw.g", [-1], "first")
    command = [sys.executable, "-c", LOADS, catalog_uri, str(warehouse)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loads:
        while loads.poll() is None:
            maintain(catalog, Keep(grace=timedelta(0)))
        assert loads.returncode == 0
    assert sorted(catalog.load("raw.g").scan().to_arrow()["n"].to_pylist()) == [-1, *range(20)]
    assert rows_of_everything(catalog)
    maintain(catalog, NOTHING)
    assert sorted(catalog.load("raw.g").scan().to_arrow()["n"].to_pylist()) == [-1, *range(20)]


LOADS = """
import sys
from pathlib import Path
import pyarrow as pa
from phlo.errors import PublishConflict
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import merge

catalog = SqlRefCatalog(sys.argv[1], Path(sys.argv[2]))
for n in range(20):
    with catalog.lease(["raw.g"], f"run-{n}"):
        catalog.create_ref(f"run-{n}", run_id=f"run-{n}")
        merge(catalog.load("raw.g", f"run-{n}"), pa.table({"n": pa.array([n], pa.int64())}), ["n"])
        catalog.publish(f"run-{n}")
"""
