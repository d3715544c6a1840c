"""Runs whose process died: what Dagster is told, by what the lake has of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterRunStatus
from floor import DAY, rows
from server_process import PATIENCE

from phlo.orchestration import executor
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.tags import PID_TAG, PROCESS_TAG, marked

if TYPE_CHECKING:
    from dagster import DagsterRun
    from floor import Floor

STUCK = """
import time
from pathlib import Path

import phlo

HERE = Path(__file__).resolve().parents[2] / "source"


@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    (HERE / "began").touch()
    time.sleep(600)
    return [{"id": 1}]
"""


@pytest.fixture(autouse=True)
def at_the_project(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))


def test_a_run_that_died_before_it_began_is_failed(floor: Floor) -> None:
    run = floor.create("readings")
    start(floor, run)
    assert reconcile(floor.instance) == [run.run_id]
    assert status(floor, run) is DagsterRunStatus.FAILURE
    assert reconcile(floor.instance) == []


def test_a_run_that_died_after_its_publish_is_a_success_with_its_partitions(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.shop.deliver(DAY, rows(3))

    def dies(*_: object) -> int:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(executor, "tell", dies)
        run = floor.create("readings")
        floor.execute(run)
    assert len(floor.lake.catalog.publishes()) == 1
    assert floor.materialized("readings") == set()
    revive(floor, run)
    assert reconcile(floor.instance) == [run.run_id]
    assert status(floor, run) is DagsterRunStatus.SUCCESS
    assert floor.materialized("readings") == {DAY}


@pytest.mark.slow
def test_a_resumed_run_that_died_after_its_publish_is_a_success_with_the_partitions_of_both(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    failed = floor.run()
    floor.shop.deliver(DAY, rows(3))

    def dies(*_: object) -> int:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(executor, "tell", dies)
        again = floor.resume(failed, ["readings", "checks"]).dagster_run
    assert len(floor.lake.catalog.publishes()) == 1
    revive(floor, again)
    assert reconcile(floor.instance) == [again.run_id]
    assert status(floor, again) is DagsterRunStatus.SUCCESS
    assert floor.materialized("readings") == floor.materialized("events") == {DAY}
    assert list((floor.lake.project.state / "dagster" / "held").glob("*.json")) == []


@pytest.mark.slow
def test_a_run_that_waits_for_a_lease_can_be_terminated(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    run = floor.create("readings")
    with floor.lake.catalog.lease(["raw.readings"], "another"):
        worker = subprocess.Popen(
            [sys.executable, "-m", "phlo.orchestration.worker", run.run_id], stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE
        while not any("waiting for" in event.user_message for event in floor.instance.all_logs(run.run_id)):
            assert time.monotonic() < until, "the run does not wait"
            time.sleep(0.1)
        worker.terminate()
        worker.wait(PATIENCE)
    assert status(floor, run) is DagsterRunStatus.FAILURE
    assert floor.lake.catalog.publishes() == []
    assert floor.refs == []


@pytest.mark.slow
def test_runs_that_work_or_are_watched_or_are_the_command_lines_are_left_alone(floor: Floor) -> None:
    run = floor.create("readings")
    start(floor, run)
    assert reconcile(floor.instance, {run.run_id}) == []
    floor.instance.add_run_tags(
        run.run_id, marked(run.run_id, "20240120-143022-3fa9", "run-20240120-143022-3fa9", "cli")
    )
    assert reconcile(floor.instance) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "ends"), [(signal.SIGTERM, DagsterRunStatus.FAILURE), (signal.SIGKILL, DagsterRunStatus.STARTED)]
)
def test_a_worker_that_is_stopped_publishes_nothing_and_keeps_its_ref(
    floor: Floor, sent: signal.Signals, ends: DagsterRunStatus
) -> None:
    (floor.shop.root / "workflows" / "ingestion" / "shop.py").write_text(STUCK)
    run = floor.create("readings")
    worker = subprocess.Popen(
        [sys.executable, "-m", "phlo.orchestration.worker", run.run_id], stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + PATIENCE
    while not (floor.shop.root / "source" / "began").exists():
        assert time.monotonic() < until, "the run did not begin"
        time.sleep(0.05)
    os.kill(worker.pid, sent)
    worker.wait(PATIENCE)
    assert status(floor, run) is ends
    assert reconcile(floor.instance) == ([run.run_id] if ends is DagsterRunStatus.STARTED else [])
    assert status(floor, run) is DagsterRunStatus.FAILURE
    assert floor.lake.catalog.publishes() == []
    assert floor.materialized("readings") == set()
    assert [(state, blocked) for _, state, blocked in floor.refs] == [("failed", True)]


def start(floor: Floor, run: DagsterRun) -> None:
    """Make it seem to run, in a process that is gone."""
    floor.instance.add_run_tags(run.run_id, {PID_TAG: str(2**22 + 1), PROCESS_TAG: "gone"})
    revive(floor, run)


def revive(floor: Floor, run: DagsterRun) -> None:
    """Set a run back to what its process left: started, and no end."""
    from dagster import DagsterEvent, DagsterEventType

    floor.instance.add_run_tags(run.run_id, {PROCESS_TAG: "gone"})
    event = DagsterEvent(DagsterEventType.RUN_START.value, run.job_name, message="started")
    floor.instance.report_dagster_event(event, run.run_id)


def status(floor: Floor, run: DagsterRun) -> DagsterRunStatus:
    found = floor.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status
