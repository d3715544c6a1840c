"""Commands without a server: their runs are in Dagster's instance when they end, and nothing beside them is felt."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRunStatus
from floor import DAY, floor_of, rows, write_checks, write_waiting
from server_process import PATIENCE, PLATFORM, dagsters_own, served
from tests.faults.test_full_disk import fill, small_disk  # noqa: F401  # a fixture

from phlo.declarations import SilentReporter
from phlo.journal import journal
from phlo.orchestration import recording
from phlo.orchestration.recording import RECORDER, is_recorded, recorded
from phlo.orchestration.tags import BY_TAG, RUN_TAG
from phlo.pipeline import new_run_id
from phlo.profiles import open_lake
from phlo.project import Workflows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterRun
    from floor import Floor
    from tests.conftest import Shop

ON = {"PHLO_RECORD_COMMANDS": "true"}
LOUD = """
from dagster._core.launcher import DefaultRunLauncher as Launcher

print("imported")
"""
TERMINATE = "mutation Stop($run: String!) { terminateRun(runId: $run) { __typename } }"
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


@pytest.mark.slow
def test_a_command_is_in_the_instance_when_it_ends_and_no_server_was_ever_started(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    done = floor.shop.run("materialize", "readings", "--partition", DAY, **ON)
    assert "warning" not in done.stderr
    (run,) = floor.runs
    assert run.status is DagsterRunStatus.SUCCESS
    assert run.asset_selection == {AssetKey("readings")}
    (record,) = floor.shop.call("history", "--json").records
    assert (run.tags["dagster/partition"], run.tags[BY_TAG], run.tags[RUN_TAG]) == (DAY, "cli", record["run_id"])
    assert run.job_snapshot_id and run.execution_plan_snapshot_id and run.remote_job_origin
    assert floor.materialized("readings") == {DAY}
    found = floor.instance.get_latest_materialization_event(AssetKey("readings"))
    assert found is not None and found.asset_materialization is not None
    shown = {name: value.value for name, value in found.asset_materialization.metadata.items()}
    assert (shown["rows written"], shown["dagster/row_count"], shown["publish"]) == (3, 3, 1)
    (check,) = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    assert check.dagster_event and check.dagster_event.asset_check_evaluation_data.check_name == "readings_have_an_id"
    assert "Started by `cli`" in floor.instance.all_logs(run.run_id)[0].message
    assert recorders(floor.shop.root) == []


@pytest.mark.slow
def test_a_command_is_in_the_instance_while_it_goes_and_failed_soon_after_it_is_killed(shop: Shop) -> None:
    write_waiting(shop.root)
    with waiting(shop) as command, floor_of(shop) as floor:
        run = only(floor.instance, DagsterRunStatus.STARTED)
        assert "Started by `cli`" in floor.instance.all_logs(run.run_id)[0].message
        os.killpg(command.pid, signal.SIGKILL)
        assert only(floor.instance, *ENDED).status is DagsterRunStatus.FAILURE
        assert "Its process ended before the run did" in floor.failure(run)
        assert floor.materialized("waiting") == set()
        wait_for(lambda: recorders(shop.root) == [])
        shop.run("materialize", "events", "--partition", DAY, **ON)
        assert len(floor.runs) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_with_its_whole_group_is_canceled_and_leaves_no_process(
    shop: Shop, sent: signal.Signals, code: int
) -> None:
    write_waiting(shop.root)
    with waiting(shop) as command, floor_of(shop) as floor:
        only(floor.instance, DagsterRunStatus.STARTED)
        os.killpg(command.pid, sent)
        assert command.wait(PATIENCE) == code
        assert only(floor.instance, *ENDED).status is DagsterRunStatus.CANCELED
        assert recorders(shop.root) == []


@pytest.mark.slow
def test_a_command_whose_recorder_died_is_settled_by_the_next_command(shop: Shop) -> None:
    write_waiting(shop.root)
    with waiting(shop) as command, floor_of(shop) as floor:
        run = only(floor.instance, DagsterRunStatus.STARTED)
        for pid in (*recorders(shop.root), command.pid):  # as when the power goes
            os.kill(pid, signal.SIGKILL)
        command.wait(PATIENCE)
        strange = floor.create("events", tags={BY_TAG: "cli"}, status=DagsterRunStatus.STARTED)  # it names no journal
        shop.run("materialize", "events", "--partition", DAY, **ON)
        found = {each.run_id: each.status for each in floor.runs if each.run_id != strange.run_id}
        assert found.pop(run.run_id) is DagsterRunStatus.FAILURE
        assert list(found.values()) == [DagsterRunStatus.SUCCESS]


@pytest.mark.slow
def test_a_command_that_fails_its_checks_says_so_at_once_and_is_failed_with_their_results_and_no_partition(
    shop: Shop,
) -> None:
    shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(shop.root)
    folder = open_lake(shop.root).project.state / "dagster"
    folder.mkdir(parents=True)
    with (folder / "journals.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # so that nothing can be recorded
        command = shop.start("materialize", "readings", "--partition", DAY, **ON)
        assert command.stderr is not None
        while not command.stderr.readline().startswith("hint: "):
            assert command.poll() is None
        assert command.poll() is None  # it waits
    assert command.wait(PATIENCE) == 1
    command.communicate()
    with floor_of(shop) as floor:
        run = only(floor.instance, *ENDED)
        assert run.status is DagsterRunStatus.FAILURE
        ((ref, _, _),) = floor.refs
        assert f"kept on {ref}" in floor.failure(run)
        told = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
        assert {e.dagster_event.asset_check_evaluation_data.passed for e in told if e.dagster_event} == {True, False}
        assert floor.materialized("readings") == set()


@pytest.mark.slow
def test_a_backfill_is_a_run_for_each_chunk_and_each_day_counts_once(shop: Shop) -> None:
    days = ("--start-date", "2023-01-01", "--end-date", "2024-01-01")
    assert "warning" not in shop.run("backfill", "events", *days, **ON).stderr
    with floor_of(shop) as floor:
        assert [run.status for run in floor.runs] == [DagsterRunStatus.SUCCESS] * 12
        assert len(floor.materialized("events")) == 366
        events = floor.instance.fetch_materializations(AssetKey("events"), limit=1000).records
        assert len(events) == 366


@pytest.mark.slow
def test_rows_that_are_replayed_are_a_run_too_and_what_a_class_of_the_settings_prints_is_no_warning(shop: Shop) -> None:
    (shop.root.parent / "loud.py").write_text(LOUD)
    (shop.root / ".phlo").mkdir()
    (shop.root / ".phlo" / "dagster.yaml").write_text("run_launcher: {module: loud, class: Launcher}\n")
    shop.deliver(DAY, rows(1))
    loud = {"PYTHONPATH": str(shop.root.parent)}
    assert "warning" not in shop.run("materialize", "readings", "--partition", DAY, **ON, **loud).stderr
    shop.run("rejected", "replay", "readings", **ON, **loud)
    (shop.root / ".phlo" / "dagster.yaml").unlink()
    with floor_of(shop) as floor:
        assert [run.status for run in floor.runs] == [DagsterRunStatus.SUCCESS] * 2


@pytest.mark.slow
def test_a_server_that_reads_the_journals_does_it_in_the_place_of_the_command(shop: Shop) -> None:
    write_waiting(shop.root)
    shop.deliver(DAY, rows(3))
    with served(shop) as server:
        shop.run("materialize", "readings", "--partition", DAY, **ON)
        assert [run["status"] for run in server.runs()] == ["SUCCESS"]  # at once
        with waiting(shop):
            server.wait(lambda: len(server.runs()) == 2)
            assert recorders(shop.root) == []


@pytest.mark.slow
def test_a_server_that_starts_while_a_command_is_recorded_shows_it_once_and_so_does_one_that_ends(shop: Shop) -> None:
    write_waiting(shop.root)
    with waiting(shop) as command, served(shop) as server:
        server.wait(lambda: [run["status"] for run in server.runs()] == ["STARTED"])
        (shop.root / "source" / "go").touch()
        assert command.wait(PATIENCE) == 0
        assert [run["status"] for run in server.runs()] == ["SUCCESS"]
        assert len(recorders(shop.root)) == 0
        said = server.log(server.runs()[0]["runId"])
        assert len([text for text in said if text.startswith(("Started", "Materialized", "Finished"))]) == 3
    with served(shop) as server, waiting(shop) as command:
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=PATIENCE)
        (shop.root / "source" / "go").touch()
        assert command.wait(PATIENCE) == 0
    with floor_of(shop) as floor:
        assert [run.status for run in floor.runs] == [DagsterRunStatus.SUCCESS] * 2
        assert len(floor.instance.fetch_materializations(AssetKey("waiting"), limit=9).records) == 2


@pytest.mark.slow
def test_a_command_is_in_the_instance_of_dagster_home_and_is_stopped_and_repeated_from_there(shop: Shop) -> None:
    write_waiting(shop.root)
    home = shop.root.parent / "home of dagster"
    with dagsters_own(shop, home) as server:
        server.wait(lambda: upkeep_ticked(home))
        here = {"DAGSTER_HOME": str(home)}
        with waiting(shop, **here) as command:
            server.wait(lambda: [run["status"] for run in server.runs()] == ["STARTED"])
            (going,) = [run["runId"] for run in server.runs()]
            server.ask(TERMINATE, run=going)
            assert command.wait(PATIENCE) == 143
            assert server.status(going) == "CANCELED"
        shop.deliver(DAY, rows(3))
        shop.run("materialize", "readings", "--partition", DAY, **ON, **here)
        (done,) = {run["runId"] for run in server.runs()} - {going}
        assert server.status(done) == "SUCCESS"
        assert server.partitions("readings") == {DAY}
        assert server.ended(server.reexecute(done)) == "SUCCESS"

        seen = {run["runId"] for run in server.runs()}
        with waiting(shop, PHLO_RECORD_COMMANDS="false") as command:  # its journal alone tells of it, to the sensor
            server.wait(lambda: [run["status"] for run in server.runs() if run["runId"] not in seen] == ["STARTED"])
            (unrecorded,) = {run["runId"] for run in server.runs()} - seen
            server.ask(TERMINATE, run=unrecorded)
            assert command.wait(PATIENCE) == 143
        assert server.ended(unrecorded) == "CANCELED"
    with floor_of(shop) as floor:  # the project's own has what was recorded as well
        assert {run.status for run in floor.runs} == {
            DagsterRunStatus.SUCCESS,
            DagsterRunStatus.CANCELED,
        }
        assert [state for _, state, _ in floor.refs] == ["failed", "failed"]


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["settings", "version", "home", "disk"])
def test_what_is_wrong_with_dagster_is_one_warning_and_the_command_ends_as_it_does(
    shop: Shop, broken: str, request: pytest.FixtureRequest
) -> None:
    shop.deliver(DAY, rows(3))
    environment = dict(ON)
    if broken == "settings":
        (shop.root / ".phlo").mkdir()
        (shop.root / ".phlo" / "dagster.yaml").write_text("storage: {nothing: like it}\n")
    elif broken == "version":
        (shop.root.parent / "other" / "dagster").mkdir(parents=True)
        (shop.root.parent / "other" / "dagster" / "__init__.py").write_text("__version__ = '0.1'\n")
        environment["PYTHONPATH"] = str(shop.root.parent / "other")
    elif broken == "home":
        environment["DAGSTER_HOME"] = str(shop.root.parent / "not there")
    else:
        full = request.getfixturevalue("small_disk")
        fill(full, 8)
        environment["DAGSTER_HOME"] = str(full)
    done = shop.run("materialize", "readings", "--partition", DAY, **environment)
    assert "Successfully materialized readings" in done.stdout
    (warning,) = [line for line in done.stderr.splitlines() if "warning" in line]
    assert re.match(r"warning: the run was not recorded in Dagster: \w+: .+; `phlo dev` reads it", warning)
    failed = shop.run("materialize", "readings", "--partition", "2024-13-01", code=2, **environment)
    assert "warning" not in failed.stderr  # it did not begin
    if broken in ("home", "disk"):  # the project's own is another one
        with floor_of(shop) as floor:
            assert [run.status for run in floor.runs] == [DagsterRunStatus.SUCCESS]


@pytest.mark.slow
def test_a_recorder_that_does_not_end_is_waited_for_no_longer_than_it_may_take(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "PATIENCE", 0.0)
    monkeypatch.setenv("PHLO_RECORD_COMMANDS", "true")
    said: list[str] = []
    with recorded(open_lake(floor.shop.root).project, said.append) as begun:
        begun.begin(floor.lake)
    assert said == []  # it failed before it began a run: there is nothing to wait for
    with recorded(open_lake(floor.shop.root).project, said.append) as begun:
        begun.begin(floor.lake)
        ran(floor)
    assert [text.partition(";")[0] for text in said] == [
        "warning: the run was not recorded in Dagster: it took longer than 0 s"
    ]
    wait_for(lambda: recorders(Path.cwd(), os.getpid()) == [])  # the first ends by itself


@pytest.mark.slow
def test_a_process_that_a_command_forks_and_leaves_behind_is_not_waited_for(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_RECORD_COMMANDS", "true")
    left = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True)
    said: list[str] = []
    try:
        with recorded(open_lake(floor.shop.root).project, said.append) as begun:
            begun.begin(floor.lake)
            ran(floor)
            left.start()
        assert left.is_alive()
    finally:
        left.kill()
    assert said == []


@pytest.mark.slow
def test_a_project_of_any_size_is_told_without_waiting_and_what_can_not_be_told_is_a_warning(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_RECORD_COMMANDS", "true")
    many = {f"t{n}": replace(floor.lake.workflows.ingestions["events"], table_name=f"t{n}") for n in range(2000)}
    lake = open_lake(floor.shop.root)
    vars(lake)["workflows"] = Workflows(ingestions=many)
    said: list[str] = []
    with recorded(lake.project, said.append) as begun:
        begun.begin(lake)
        assert begun.telling is not None and begun.telling.is_alive()  # it fills the pipe, and nobody waits
        ran(floor)
    assert said == []
    many["t1"] = replace(many["t1"], group=type("Text", (str,), {})("a class of its own"))
    with recorded(lake.project, said.append) as begun:
        begun.begin(lake)
    assert len(said) == 1 and "PicklingError" in said[0]
    del many["t1"]
    with recorded(lake.project, said.append) as begun:
        begun.begin(lake)  # and fails before it began a run, and before it has told all
    assert len(said) == 1
    assert recorders(Path.cwd(), os.getpid()) == []


def test_nothing_is_started_where_nothing_runs_or_recording_is_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", started.append)
    assert not is_recorded(open_lake(shop.root).project)
    assert shop.call("materialize", "events", "--partition", DAY).code == 0
    monkeypatch.setenv("PHLO_RECORD_COMMANDS", "true")
    assert is_recorded(open_lake(shop.root).project)
    assert shop.call("materialize", "events", "--partition", DAY, "--dry-run").code == 0
    assert shop.call("backfill", "events", "--start-date", DAY, "--end-date", DAY, "--dry-run").code == 0
    assert shop.call("query", "SELECT 1").code == 0
    assert shop.call("status").code == 0
    monkeypatch.setattr(recording, "find_spec", lambda _: None)
    assert not is_recorded(open_lake(shop.root).project)
    assert started == []


@contextmanager
def waiting(shop: Shop, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command whose source keeps it waiting."""
    for file in ("began", "go"):
        (shop.root / "source" / file).unlink(missing_ok=True)
    command = shop.start("materialize", "waiting", "--partition", DAY, **(ON | environment))
    try:
        wait_for((shop.root / "source" / "began").exists)
        yield command
    finally:
        command.kill()
        command.communicate()


def only(instance: DagsterInstance, *statuses: DagsterRunStatus) -> DagsterRun:
    """Wait for the one run to have one of these statuses."""
    wait_for(lambda: [run.status in statuses for run in instance.get_runs()] == [True])
    (run,) = instance.get_runs()
    return run


def ran(floor: Floor) -> None:
    """Do in this process what a command does: a run of it begins and ends."""
    with journal(
        floor.lake.project.state, new_run_id(), SilentReporter(), selection="events", partitions=[], tables=[]
    ):
        pass


def upkeep_ticked(home: Path) -> bool:
    """Whether a server has called the sensor: from then on the instance knows how it names the project's code."""
    with DagsterInstance.from_config(str(home)) as instance:
        return any(PLATFORM in str(state.origin) for state in instance.all_instigator_state())


def wait_for(seen):  # type: ignore[no-untyped-def]
    ends = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def recorders(folder: Path, parent: int = 0) -> list[int]:
    """The processes beside commands that run in a folder; of one process, where several work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = RECORDER.encode() in (process / "cmdline").read_bytes() and (process / "cwd").readlink() == folder
            above = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended just now
        if ours and parent in (0, above):
            found.append(int(process.name))
    return found
