"""Run = ref: what Dagster, main and the ref are after each way a run can end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, DagsterInvalidConfigError, DagsterRunStatus
from floor import DAY, meddle, rows, write_checks

from phlo.journal import runs
from phlo.orchestration.tags import RANGE_TAGS

if TYPE_CHECKING:
    from floor import Floor


def test_a_run_is_published_once_and_only_then_are_its_partitions_materialized(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    result = floor.run()
    assert result.success
    assert floor.values == [1, 1, 1]
    assert floor.materialized("readings") == floor.materialized("events") == {DAY}
    assert floor.refs == []
    said = floor.engine_events(result.dagster_run)
    assert any(line.startswith("Published 2 tables of run-") for line in said)
    (publish,) = floor.lake.catalog.publishes()
    found = floor.instance.get_latest_materialization_event(AssetKey("readings"))
    assert found is not None and found.asset_materialization is not None
    shown = {name: value.value for name, value in found.asset_materialization.metadata.items()}
    assert (shown["rows read"], shown["rows written"], shown["publish"]) == (3, 3, publish.seq)
    assert shown["load id"] == publish.loads[1].load_id
    assert "| 0 | 1 |" in shown["preview"]


@pytest.mark.slow
def test_the_journal_of_a_dagster_run_says_what_the_command_line_says(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    result = floor.run("readings")
    (run,) = runs(floor.lake.project.state)
    assert (run.by, run.status, run.selection, run.partitions) == ("dagster", "success", "readings", (DAY,))
    assert run.lines[0]["dagster_run"] == result.run_id
    assert [line["rows_written"] for line in run.of("load")] == [3]
    assert [line["passed"] for line in run.of("check")] == [True]


def test_a_step_that_fails_keeps_the_ref_and_no_partition_counts(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    result = floor.run()
    assert result.dagster_run.status is DagsterRunStatus.FAILURE
    assert floor.lake.catalog.publishes() == []
    assert floor.materialized("readings") == floor.materialized("events") == set()
    ((name, state, blocked),) = floor.refs
    assert (state, blocked) == ("failed", True)
    assert any(
        line.startswith("Not published: `readings` failed: ") for line in floor.engine_events(result.dagster_run)
    )
    assert name in json.dumps([record.reason + record.name for record in floor.lake.catalog.refs()])


@pytest.mark.slow
def test_a_source_that_does_not_answer_is_asked_again(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.orchestration.assets.RETRY_SECONDS", 0)
    (floor.shop.root / "workflows" / "ingestion" / "shop.py").write_text(FLAKY)
    result = floor.run()
    assert result.success
    assert [event.event_type_value for event in result.all_events].count("STEP_UP_FOR_RETRY") == 2
    assert floor.materialized("flaky") == {DAY}


def test_a_blocking_check_publishes_nothing_and_tells_every_result(floor: Floor) -> None:
    floor.shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(floor.shop.root)
    result = floor.run("readings")
    assert result.dagster_run.status is DagsterRunStatus.FAILURE
    assert floor.values == []
    assert floor.materialized("readings") == set()
    assert [(state, blocked) for _, state, blocked in floor.refs] == [("failed", True)]
    told = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert told == {"readings_have_an_id": True, "values_are_there": False}


@pytest.mark.slow
def test_a_check_that_does_not_block_is_told_and_the_run_is_published(floor: Floor) -> None:
    floor.shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(floor.shop.root, blocking=False)
    result = floor.run("readings")
    assert result.success
    assert floor.materialized("readings") == {DAY}
    told = {each.check_name: (each.passed, each.severity.value) for each in result.get_asset_check_evaluations()}
    assert told["values_are_there"] == (False, "WARN")


def test_a_run_that_was_launched_without_its_checks_is_checked_all_the_same(floor: Floor) -> None:
    floor.shop.deliver(DAY, [{"id": 5, "value": None}])
    write_checks(floor.shop.root)
    result = floor.run("readings", checks=set())
    assert result.dagster_run.status is DagsterRunStatus.FAILURE
    assert floor.values == []
    assert floor.materialized("readings") == set()


def test_a_refused_publish_is_replayed_without_asking_the_source_again(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    floor.run("events", day="2024-01-19")
    meddle(floor.shop.root, 1)
    run = floor.create()
    floor.shop.deliver(DAY, rows(3))
    result = floor.execute(run)
    assert result.success
    assert any("replaying it on today's main" in line for line in floor.engine_events(run))
    assert floor.values == [1, 1, 1]
    assert floor.materialized("readings") == {DAY}
    assert floor.refs == []


@pytest.mark.slow
def test_a_publish_that_is_refused_again_and_again_fails_the_run_and_says_why(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    floor.run("events", day="2024-01-19")
    meddle(floor.shop.root, 9)
    result = floor.run()
    assert result.dagster_run.status is DagsterRunStatus.FAILURE
    assert "changed on main since it began" in floor.failure(result.dagster_run)
    assert floor.values == []
    assert floor.materialized("readings") == set()
    assert [(state, blocked) for _, state, blocked in floor.refs] == [("failed", False)]


@pytest.mark.slow
def test_a_run_that_was_canceled_behind_its_back_does_not_publish(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    (floor.shop.root / "workflows" / "quality.py").write_text(CANCEL)
    result = floor.run("readings")
    assert result.dagster_run.status is DagsterRunStatus.CANCELED
    assert floor.values == []
    assert floor.materialized("readings") == set()
    assert [state for _, state, _ in floor.refs] == ["failed"]


@pytest.mark.slow
def test_a_run_that_was_canceled_while_it_is_replayed_does_not_publish(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    floor.run("events", day="2024-01-19")
    meddle(floor.shop.root, 1)
    (floor.shop.root / "workflows" / "quality.py").write_text(CANCEL.replace("AFTER = 0", "AFTER = 1"))
    result = floor.run()
    assert any("replaying it on today's main" in line for line in floor.engine_events(result.dagster_run))
    assert result.dagster_run.status is DagsterRunStatus.CANCELED
    assert floor.values == []
    assert floor.materialized("readings") == set()


def test_a_range_of_days_is_one_run_and_one_publish(floor: Floor) -> None:
    days = [f"2024-01-{day:02}" for day in range(1, 11)]
    for n, day in enumerate(days):
        floor.shop.deliver(day, [{"id": n, "value": n}])
    tags = dict(zip(RANGE_TAGS, (days[0], days[-1]), strict=True))
    assert floor.run(day=None, tags=tags).success
    assert len(floor.lake.catalog.publishes()) == 1
    assert floor.materialized("readings") == set(days)
    records = floor.instance.fetch_materializations(AssetKey("readings"), limit=20).records
    read = {
        r.partition_key: r.asset_materialization.metadata["rows read"].value for r in records if r.asset_materialization
    }
    assert read == dict.fromkeys(days, 1)


def test_re_execution_from_failure_goes_on_with_the_ref_and_tells_of_both_runs(floor: Floor) -> None:
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    failed = floor.run()
    floor.shop.deliver(DAY, rows(3))
    again = floor.resume(failed, ["readings", "checks"])
    assert again.success, [event.message for event in again.all_events]
    (publish,) = floor.lake.catalog.publishes()
    assert {load.table for load in publish.loads} == {"raw.readings", "raw.events"}
    assert floor.materialized("readings") == floor.materialized("events") == {DAY}
    assert floor.values == [1, 1, 1]
    assert floor.refs == []


@pytest.mark.slow
def test_a_ref_that_is_gone_can_not_be_resumed(floor: Floor) -> None:
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    failed = floor.run()
    ((name, _, _),) = floor.refs
    floor.lake.catalog.drop_ref(name)
    again = floor.resume(failed, ["readings", "checks"])
    assert again.dagster_run.status is DagsterRunStatus.FAILURE
    assert f"its ref `{name}` is not there any more" in floor.failure(again.dagster_run)
    assert floor.lake.catalog.publishes() == []


def test_all_steps_again_is_a_ref_of_its_own_though_it_inherits_the_tags(floor: Floor) -> None:
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    failed = floor.run()
    floor.shop.deliver(DAY, rows(3))
    parents = {"parent_run_id": failed.run_id, "root_run_id": failed.run_id}
    again = floor.run(tags=floor.tags(failed), **parents)
    assert again.success, floor.failure(again.dagster_run)
    assert [state for _, state, _ in floor.refs] == ["failed"]


@pytest.mark.slow
def test_steps_that_no_executor_of_ours_runs_are_refused(floor: Floor) -> None:
    floor.shop.deliver(DAY, rows(3))
    result = floor.job.execute_in_process(instance=floor.instance, partition_key=DAY, raise_on_error=False)
    assert not result.success
    failure = result.get_step_failure_events()[0].step_failure_data.error
    assert failure is not None and failure.cause is not None
    assert "has no ref: it was not started by the executor" in failure.cause.message
    assert floor.lake.catalog.publishes() == []


@pytest.mark.slow
def test_steps_in_processes_of_their_own_are_refused(floor: Floor) -> None:
    with pytest.raises(DagsterInvalidConfigError):
        floor.run(run_config={"execution": {"config": {"multiprocess": {}}}})


FLAKY = """
from pathlib import Path

import phlo
import requests

TRIES = Path(__file__).resolve().parents[2] / "source" / "tries"


@phlo.ingestion(unique_key="id")
def flaky(partition_date: str):
    tries = len(TRIES.read_text()) if TRIES.exists() else 0
    TRIES.write_text("x" * (tries + 1))
    if tries < 2:
        raise requests.ConnectionError("nobody there")
    return [{"id": 1}]
"""

CANCEL = """
from pathlib import Path

import phlo
from phlo.orchestration.instance import open_instance
from phlo.project import find_project

AFTER = 0


class Canceler:
    calls = 0

    def execute(self, df):
        Canceler.calls += 1
        if Canceler.calls > AFTER:
            with open_instance(find_project(Path(__file__).parents[1])) as instance:
                run, *_ = instance.get_runs()
                instance.report_run_canceled(run)
        return {"passed": True, "violations": 0, "total": len(df)}


@phlo.quality(table="raw.readings", checks=[Canceler()])
def canceled(): ...
"""
