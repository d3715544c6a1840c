"""Runs of the command line in Dagster: what the UI shows of them, while they go and after."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, DagsterEventType, DagsterRunStatus
from floor import DAY, rows, write_checks

from phlo.journal import journal
from phlo.orchestration.journals import Reader
from phlo.orchestration.server import workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floor import Floor


@pytest.fixture
def reader(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))
    with workspace(floor.instance) as context:
        yield Reader(floor.lake, floor.instance, context)


def test_a_run_of_the_command_line_is_shown_with_its_partitions_numbers_checks_and_log(
    floor: Floor, reader: Reader
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


def test_a_command_that_failed_is_shown_as_such_and_nothing_counts(floor: Floor, reader: Reader) -> None:
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


@pytest.mark.slow
def test_a_command_is_shown_while_it_goes_and_its_lines_once(floor: Floor, reader: Reader) -> None:
    with command(floor) as kept:
        kept.step("one")
        reader.read()
        (run,) = floor.instance.get_runs()
        assert run.status is DagsterRunStatus.STARTED
        reader.read()
        kept.step("two")
        Reader(floor.lake, floor.instance, reader.context).read()  # a server that was started anew
        assert said(floor, run.run_id) == ["one", "two"]
    reader.read()
    assert said(floor, run.run_id) == ["one", "two"]


def test_a_command_that_was_killed_is_shown_as_failed(floor: Floor, reader: Reader) -> None:
    with command(floor) as kept:
        reader.read()
        began = json.loads(kept.file.read_text().splitlines()[0])
        kept.live = False
    kept.file.write_text(json.dumps({**began, "pid": 2**22 + 1}) + "\n")
    reader.read()
    (run,) = floor.instance.get_runs()
    assert run.status is DagsterRunStatus.FAILURE
    assert "Its process ended before the run did" in floor.failure(run)


@pytest.mark.slow
def test_runs_of_dagster_are_not_shown_twice(floor: Floor, reader: Reader) -> None:
    floor.shop.deliver(DAY, rows(1))
    floor.run("readings")
    assert reader.read() == 0
    assert len(floor.instance.get_runs()) == 1


@pytest.mark.slow
def test_a_backfill_of_a_year_is_shown_by_its_partitions(floor: Floor, reader: Reader) -> None:
    arguments = ("backfill", "events", "--start-date", "2023-01-01", "--end-date", "2023-02-15")
    assert floor.shop.call(*arguments).code == 0
    assert reader.read() == 2
    assert len(floor.materialized("events")) == 46


@contextmanager
def command(floor: Floor) -> Iterator[journal]:  # type: ignore[valid-type]
    with journal(
        floor.lake.project.state, "20240120-143022-3fa9", floor_reporter(), selection="readings", partitions=[],
        tables=["raw.readings", "rejected.readings"],
    ) as kept:  # fmt: skip
        yield kept


def floor_reporter() -> object:
    from phlo.declarations import SilentReporter

    return SilentReporter()


def said(floor: Floor, run_id: str) -> list[str]:
    return [event.user_message for event in floor.instance.all_logs(run_id) if event.dagster_event is None]
