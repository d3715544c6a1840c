"""Runs of the command line in Dagster: what the UI shows of them, while they go and after."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from dagster import AssetCheckSeverity, AssetKey, DagsterEventType, DagsterRunStatus
from floor import DAY, rows, write_checks

from phlo.journal import FOLDER, journal
from phlo.orchestration.jobs import served_code
from phlo.orchestration.journals import Reader
from phlo.orchestration.tags import LINES_TAG
from phlo.orchestration.workspace import workspace
from phlo.pipeline import execute
from phlo.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster._core.workspace.context import WorkspaceProcessContext
    from floor import Floor

RUN = "20240120-143022-3fa9"
PROJECT = """
name: shop
version: "1.0"
profile: phlo
models: {shop: {silver: {+schema: silver}}}
"""
SOURCES = """
sources:
  - name: raw
    tables:
      - name: readings
        columns: [{name: value, data_tests: [{unique: {config: {severity: warn}}}]}]
"""
MODEL = """{{ config(materialized="table") }}
select id, value * 2 as doubled from {{ source("raw", "readings") }} order by id
"""


@dataclass
class Shown:
    """A server's look at the journals."""

    floor: Floor
    context: WorkspaceProcessContext
    reader: Reader
    warnings: list[str] = field(default_factory=list)

    def read(self) -> int:
        return self.reader.read(self.floor.instance, lambda: served_code(self.context), self.warnings.append)

    def restart(self) -> None:
        """Start the server anew: it knows nothing."""
        self.reader = Reader(self.floor.lake)


@pytest.fixture
def reader(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))
    with workspace(floor.instance) as context:
        yield Shown(floor, context, Reader(floor.lake))


def test_a_run_of_the_command_line_is_shown_with_its_partitions_numbers_checks_and_log(
    floor: Floor, reader: Shown
) -> None:
    floor.shop.deliver(DAY, rows(3))
    done = floor.shop.call("materialize", "--partition", DAY)
    assert done.code == 0, done.err
    assert reader.read() == 1
    (run,) = floor.instance.get_runs()
    assert run.status is DagsterRunStatus.SUCCESS
    assert run.asset_selection == {AssetKey("readings"), AssetKey("events")}
    assert floor.materialized("readings") == floor.materialized("events") == {DAY}
    found = floor.instance.get_latest_materialization_event(AssetKey("readings"))
    assert found is not None and found.asset_materialization is not None
    shown = {name: value.value for name, value in found.asset_materialization.metadata.items()}
    assert (shown["rows read"], shown["rows written"], shown["publish"]) == (3, 3, 1)
    checks = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    assert [event.dagster_event.asset_check_evaluation_data.passed for event in checks if event.dagster_event] == [True]
    (record,) = floor.instance.get_run_records()
    assert record.start_time is not None and record.end_time is not None
    assert record.start_time <= record.end_time < record.update_timestamp.timestamp()
    assert reader.read() == 0
    assert len(floor.instance.get_runs()) == 1


def test_a_command_that_failed_is_shown_as_such_and_nothing_counts(floor: Floor, reader: Shown) -> None:
    floor.shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(floor.shop.root)
    assert floor.shop.call("materialize", "readings", "--partition", DAY).code == 1
    reader.context.refresh_workspace()
    reader.read()
    (run,) = floor.instance.get_runs()
    assert run.status is DagsterRunStatus.FAILURE
    ((ref, _, _),) = floor.refs
    assert f"kept on {ref}" in floor.failure(run)
    assert floor.materialized("readings") == set()
    checks = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    assert {e.dagster_event.asset_check_evaluation_data.passed for e in checks if e.dagster_event} == {True, False}


def test_a_failed_command_stays_failed_when_its_ref_is_published_by_hand_before_anybody_looks(
    floor: Floor, reader: Shown
) -> None:
    floor.shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(floor.shop.root)
    assert floor.shop.call("materialize", "readings", "--partition", DAY).code == 1
    ((ref, _, _),) = floor.refs
    assert floor.shop.call("ref", "publish", ref, "--force", "--yes").code == 0
    reader.context.refresh_workspace()
    reader.read()
    assert [run.status for run in floor.instance.get_runs()] == [DagsterRunStatus.FAILURE]
    assert floor.materialized("readings") == set()


@pytest.mark.slow
def test_a_command_is_shown_while_it_goes_and_its_lines_once(floor: Floor, reader: Shown) -> None:
    with command(floor) as kept:
        kept.step("one")
        reader.read()
        (run,) = floor.instance.get_runs()
        assert run.status is DagsterRunStatus.STARTED
        reader.read()
        kept.step("two")
        reader.restart()
        reader.read()
        assert said(floor, run.run_id) == ["one", "two"]
    reader.read()
    assert said(floor, run.run_id) == ["one", "two"]


def test_a_command_that_was_killed_is_shown_as_failed(floor: Floor, reader: Shown) -> None:
    with command(floor) as kept:
        reader.read()
        began = json.loads(kept.file.read_text().splitlines()[0])
        kept.live = False
    kept.file.write_text(json.dumps({**began, "pid": 2**22 + 1}) + "\n")
    reader.read()
    (run,) = floor.instance.get_runs()
    assert run.status is DagsterRunStatus.FAILURE
    assert "Its process ended before the run did" in floor.failure(run)


def test_a_command_that_was_killed_long_ago_began_and_ended_then(floor: Floor, reader: Shown) -> None:
    with command(floor) as kept:
        began = json.loads(kept.file.read_text().splitlines()[0])
        kept.live = False
    times = ["2024-01-20T14:30:22+00:00", "2024-01-20T14:31:00+00:00"]
    lines = [{**began, "pid": 2**22 + 1}, {"event": "log", "level": "INFO", "message": "on its way"}]
    kept.file.write_text("".join(json.dumps({**line, "at": at}) + "\n" for line, at in zip(lines, times, strict=True)))
    reader.read()
    (record,) = floor.instance.get_run_records()
    assert record.dagster_run.status is DagsterRunStatus.FAILURE
    moments = [dt.datetime.fromisoformat(at) for at in times]
    assert [record.start_time, record.end_time] == [moment.timestamp() for moment in moments]
    assert record.create_timestamp == moments[0]


@pytest.mark.slow
@pytest.mark.parametrize("publishes", [False, True])
def test_a_command_that_is_called_off_is_told_once_and_what_it_published_all_the_same_counts(
    floor: Floor, reader: Shown, publishes: bool
) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))  # the command is this process
    try:
        with suppress(KeyboardInterrupt), command(floor) as kept:
            reader.read()
            (run,) = floor.instance.get_runs()
            floor.instance.report_run_canceled(run)
            for text in ("one", "two"):
                kept.step(text)
                reader.restart()
                reader.read()
            assert told == [signal.SIGTERM]
            if not publishes:
                raise KeyboardInterrupt
            plan = make_plan(floor.lake, ["readings"], [dt.date.fromisoformat(DAY)])
            execute(floor.lake, plan, kept, run_id=RUN)
    finally:
        signal.signal(signal.SIGTERM, before)
    reader.read()
    assert {"one", "two"} <= set(said(floor, run.run_id))
    (run,) = floor.instance.get_runs()
    canceled = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_CANCELED)
    assert len(canceled) == 1
    if publishes:
        assert run.status is DagsterRunStatus.SUCCESS
        assert floor.materialized("readings") == {DAY}
    else:
        assert run.status is DagsterRunStatus.CANCELED
        assert floor.materialized("readings") == set()
    assert reader.read() == 0


@pytest.mark.slow
def test_runs_of_dagster_are_not_shown_twice(floor: Floor, reader: Shown) -> None:
    floor.shop.deliver(DAY, rows(1))
    floor.run("readings")
    assert reader.read() == 0
    assert len(floor.instance.get_runs()) == 1


def test_what_a_server_that_was_killed_had_stored_does_not_come_twice(floor: Floor, reader: Shown) -> None:
    with command(floor) as kept:
        for text in ("one", "two", "two"):
            kept.step(text)
        reader.read()
        (run,) = floor.instance.get_runs()
        floor.instance.add_run_tags(run.run_id, {LINES_TAG: "0+"})  # it did not get as far as counting
        kept.step("two")
        reader.read()
        assert said(floor, run.run_id) == ["one", "two", "two", "two"]


def test_a_journal_of_another_version_and_a_table_that_is_gone_keep_nothing_else_from_being_shown(
    floor: Floor, reader: Shown
) -> None:
    floor.shop.deliver(DAY, rows(3))
    assert floor.shop.call("materialize", "readings", "--partition", DAY).code == 0
    (file,) = (floor.lake.project.state / "runs").glob("*.jsonl")
    began = json.loads(file.read_text().splitlines()[0])
    foreign = [
        {**began, "run_id": "20200101-000000-0000"},
        {"at": began["at"], "event": "check", "table": "raw.readings"},
    ]
    file.with_name("20200101-000000-0000.jsonl").write_text("\n".join(map(json.dumps, foreign)))
    file.with_name("20200102-000000-0000.jsonl").mkdir()  # nothing that can be opened
    shutil.rmtree(floor.lake.project.state / "warehouse")
    assert reader.read() == 1
    assert [text.split(":")[1] for text in reader.warnings] == [
        " the journal `20200101-000000-0000.jsonl` can not be read",
        " the journal `20200102-000000-0000.jsonl` can not be read",
    ]
    assert floor.materialized("readings") == {DAY}
    assert reader.read() == 0


@pytest.mark.slow
def test_what_dbt_made_and_tested_is_shown(floor: Floor, reader: Shown) -> None:
    models = floor.shop.root / "transforms" / "dbt"
    (models / "models" / "silver").mkdir(parents=True)
    (models / "dbt_project.yml").write_text(PROJECT)
    (models / "models" / "sources.yml").write_text(SOURCES)
    (models / "models" / "silver" / "doubled.sql").write_text(MODEL)
    floor.shop.deliver(DAY, [{"id": 1, "value": 4}, {"id": 2, "value": 4}])
    done = floor.shop.call("materialize", "--partition", DAY)
    assert done.code == 0, done.err
    reader.context.refresh_workspace()
    reader.read()
    (run,) = floor.instance.get_runs()
    found = floor.instance.get_latest_materialization_event(AssetKey(["silver", "doubled"]))
    assert found is not None and found.asset_materialization is not None
    shown = {name: value.value for name, value in found.asset_materialization.metadata.items()}
    assert (shown["rows"], shown["dagster/row_count"], shown["publish"]) == (2, 2, 1)
    assert "| 1 | 8 |" in shown["preview"]
    told = floor.instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    tests = {e.dagster_event.asset_check_evaluation_data.check_name: e for e in told if e.dagster_event}
    passed = tests["source_unique_raw_readings_value"].dagster_event.asset_check_evaluation_data
    assert (passed.passed, passed.severity) == (False, AssetCheckSeverity.WARN)


@pytest.mark.slow
def test_a_journal_that_leaves_the_folder_with_the_time_it_had_is_found_too(floor: Floor, reader: Shown) -> None:
    with command(floor):
        folder = floor.lake.project.state / FOLDER
        tick = time.time_ns() + 3_600_000_000_000  # so that the folder has changed just now, however slow this machine
        os.utime(folder, ns=(tick, tick))
        assert reader.read() == 1
        with command(floor, "20240120-143022-77aa"):
            os.utime(folder, ns=(tick, tick))
            assert reader.read() == 1
    assert len(floor.instance.get_runs()) == 2


@contextmanager
def command(floor: Floor, run_id: str = RUN) -> Iterator[journal]:  # type: ignore[valid-type]
    with journal(
        floor.lake.project.state, run_id, floor_reporter(), selection="readings", partitions=[],
        tables=["raw.readings", "rejected.readings"],
    ) as kept:  # fmt: skip
        yield kept


def floor_reporter() -> object:
    from phlo.declarations import SilentReporter

    return SilentReporter()


def said(floor: Floor, run_id: str) -> list[str]:
    return [event.user_message for event in floor.instance.all_logs(run_id) if event.dagster_event is None]
