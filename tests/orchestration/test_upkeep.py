"""The sensor that looks after a project where a server of Dagster's serves it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus, build_sensor_context
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from floor import DAY, floor_of
from server_process import PATIENCE, served

from phlo.orchestration import place
from phlo.orchestration.definitions import definitions
from phlo.orchestration.tags import executed_by

if TYPE_CHECKING:
    from dagster import DagsterRun
    from floor import Floor
    from tests.conftest import Shop

ALERTS = """
destinations: [{name: here, type: console}]
rules: [{name: failed, on: run_failed}]
"""


def test_the_sensor_shows_commands_settles_dead_runs_tells_alerts_and_leaves_those_that_start_alone(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    assert floor.shop.call("materialize", "readings", "--partition", DAY).code == 1
    (floor.shop.root / ".phlo" / "alerting").mkdir()
    (floor.shop.root / ".phlo" / "alerting" / "config.yaml").write_text(ALERTS)
    dead, starting = floor.create("events"), floor.create("events")
    floor.instance.add_run_tags(dead.run_id, executed_by(dead.run_id, 2**22 + 1, "gone"))
    for run in (dead, starting):
        event = DagsterEvent(DagsterEventType.RUN_STARTING.value, run.job_name, message="starting")
        floor.instance.report_dagster_event(event, run.run_id)
    inherited = executed_by(dead.run_id, 2**22 + 1, "gone")
    floor.instance.add_run_tags(starting.run_id, inherited)  # a retry has its parent's tags until it has a process

    said = tick(floor)
    assert said == "1 run of the command line had something new. Settled 1 whose process had died. 1 alert holds."
    assert status(floor, dead) is DagsterRunStatus.FAILURE
    assert status(floor, starting) is DagsterRunStatus.STARTING
    (shown,) = [run for run in floor.instance.get_runs() if run.run_id not in (dead.run_id, starting.run_id)]
    assert shown.status is DagsterRunStatus.FAILURE
    assert " since 20" in floor.shop.call("alerts", "list").out  # the rule's state


def test_in_the_server_of_one_process_it_leaves_the_journals_to_the_server_and_speaks_on_its_terminal(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (floor.shop.root / "source" / f"{DAY}.json").write_text("{not json")
    assert floor.shop.call("materialize", "readings", "--partition", DAY).code == 1
    (floor.shop.root / ".phlo" / "alerting").mkdir()
    rules = floor.shop.root / ".phlo" / "alerting" / "config.yaml"
    rules.write_text(ALERTS)
    said: list[str] = []
    monkeypatch.setattr(place, "_say", said.append)
    assert tick(floor) == "1 alert holds."
    assert floor.instance.get_runs() == []
    assert [text.partition(" (run")[0] for text in said] == ["🔴 shop: failed: readings failed"]
    rules.write_text("rules: nothing of the kind")
    assert (tick(floor) or "").startswith("Alerts were not checked: ")
    assert said[1].startswith("warning: alerts were not checked: ")


@pytest.mark.slow
def test_phlo_dev_looks_at_the_alerts_by_the_sensor_whose_ticks_are_kept_for_a_day(shop: Shop) -> None:
    (shop.root / "source" / f"{DAY}.json").write_text("{not json")
    shop.run("materialize", "readings", "--partition", DAY, code=1)  # before there were rules
    (shop.root / ".phlo" / "alerting").mkdir()
    (shop.root / ".phlo" / "alerting" / "config.yaml").write_text(ALERTS)
    with served(shop) as server, floor_of(shop) as floor:
        server.wait(lambda: " since 20" in shop.call("alerts", "list").out)

        def ticks() -> list[InstigatorTick]:
            states = floor.instance.all_instigator_state()
            found = [state for state in states if state.instigator_name == "phlo_upkeep"]
            return [
                tick for each in found for tick in floor.instance.get_ticks(each.instigator_origin_id, each.selector_id)
            ]

        server.wait(lambda: any(tick.skip_reason for tick in ticks()))
        assert {tick.skip_reason for tick in ticks() if tick.skip_reason} == {"1 alert holds."}
        assert floor.instance.get_tick_retention_settings(InstigatorType.SENSOR)[TickStatus.SKIPPED] == 1
        server.process.send_signal(signal.SIGINT)
        _, err = server.process.communicate(timeout=PATIENCE)
    assert err.count("🔴 shop: failed: readings failed") == 1


def tick(floor: Floor) -> str | None:
    """Call the sensor as the daemon does."""
    repository = definitions(floor.lake).get_repository_def()
    context = build_sensor_context(floor.instance, repository_def=repository)
    return repository.get_sensor_def("phlo_upkeep").evaluate_tick(context).skip_message


def status(floor: Floor, run: DagsterRun) -> DagsterRunStatus:
    found = floor.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status
