"""Schedules: which days a tick loads, what it runs, how clocks that change are read, and that no tick is lost."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from dagster import AssetKey, DagsterRunStatus, build_schedule_context
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.execution.api import execute_run
from dagster._daemon.daemon import DagsterDaemon  # noqa: F401  # before the scheduler, which imports it in a circle
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator
from floor import floor_of, write_waiting
from server_process import served

from phlo.declarations import Ingestion, Source
from phlo.errors import InvalidSetting
from phlo.orchestration.definitions import definitions
from phlo.orchestration.schedules import schedule_of
from phlo.orchestration.tags import RANGE_TAGS
from phlo.orchestration.workspace import workspace
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from floor import Floor
    from tests.conftest import Shop

HOURLY = """
import phlo


@phlo.ingestion(unique_key="id", cron="0 * * * *", partition_start="2024-01-20")
def hourly(partition_date: str):
    return [{"id": partition_date}]


@phlo.ingestion(cron="30 2 * * *")
def whole():
    return [{"n": 1}]
"""


@pytest.fixture
def scheduled(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Floor:
    (floor.shop.root / "workflows" / "ingestion" / "shop.py").write_text(HOURLY)
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))
    return floor


def test_only_ingestions_with_a_cron_have_schedules_and_these_run_from_the_start(scheduled: Floor) -> None:
    repository = definitions(open_lake(scheduled.shop.root)).get_repository_def()
    found = {each.name: (each.cron_schedule, each.default_status.value) for each in repository.schedule_defs}
    assert found == {
        "hourly_schedule": ("0 * * * *", "RUNNING"),
        "whole_schedule": ("30 2 * * *", "RUNNING"),
        "maintenance_schedule": ("0 4 * * 0", "RUNNING"),
    }


@pytest.mark.slow
def test_maintenance_is_a_run_that_opens_no_ref(scheduled: Floor) -> None:
    assert scheduled.run("whole", day=None).success
    job = definitions(open_lake(scheduled.shop.root)).get_repository_def().get_job("maintenance")
    run = scheduled.instance.create_run_for_job(job)
    assert execute_run(InMemoryJob(job), run, scheduled.instance).success
    assert len(scheduled.lake.catalog.publishes()) == 1
    assert any("journals of old runs" in event.user_message for event in scheduled.instance.all_logs(run.run_id))


def test_ticks_that_come_while_a_run_is_going_are_queued_and_none_is_lost(scheduled: Floor) -> None:
    start = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    with workspace(scheduled.instance) as context:
        log, times = logging.getLogger("ticks"), {}
        for hour in (0, 1, 2, 2):
            moment = start + dt.timedelta(hours=hour, minutes=1)
            assert [error for error in launch_scheduled_runs(context, log, moment, times) if error] == []
    runs = [run for run in scheduled.instance.get_runs() if run.job_name == "hourly_job"]
    assert {run.status for run in runs} == {DagsterRunStatus.QUEUED}
    assert len(runs) == 2
    last = (start + dt.timedelta(hours=2)).date()
    days = [run.tags[tag] for tag in RANGE_TAGS for run in runs]
    assert last.isoformat() in days
    assert len({run.tags["dagster/run_key"] for run in runs}) == 2


@pytest.mark.slow
def test_a_tick_that_comes_while_its_last_run_is_going_is_queued_and_run_after_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(shop.root))
    write_waiting(shop.root)
    slow = shop.root / "workflows" / "ingestion" / "slow.py"
    now = dt.datetime.now(dt.UTC)
    half_an_hour = now + dt.timedelta(minutes=30)  # no tick of its own comes meanwhile
    whole = slow.read_text().replace("(unique_key", f'(cron="{half_an_hour.minute} * * * *", unique_key')
    slow.write_text(whole.replace("waiting(partition_date: str)", "waiting()"))  # as a whole: no day is to come
    with served(shop) as server, floor_of(shop) as floor, workspace(floor.instance) as context:
        log, times = logging.getLogger("ticks"), {}

        def tick(hours: int) -> None:
            moment = half_an_hour + dt.timedelta(hours=hours, minutes=1)
            assert [error for error in launch_scheduled_runs(context, log, moment, times) if error] == []

        # The server's own scheduler makes the state that ticks are counted from: from now on, and not from ours.
        server.wait(lambda: len(floor.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)) == 2)
        tick(0)
        server.wait((shop.root / "source" / "began").exists)
        tick(1)
        server.wait(lambda: sorted(run["status"] for run in server.runs()) == ["QUEUED", "STARTED"])
        (shop.root / "source" / "go").touch()
        server.wait(lambda: [run["status"] for run in server.runs()] == ["SUCCESS"] * 2)
        assert len(floor.lake.catalog.publishes()) == 2


@pytest.mark.slow
def test_a_scheduled_run_loads_the_day_before_and_the_day_in_one_publish(scheduled: Floor) -> None:
    tags = dict(zip(RANGE_TAGS, ("2024-01-20", "2024-01-21"), strict=True))
    job = definitions(open_lake(scheduled.shop.root)).get_repository_def().get_job("hourly_job")
    run = scheduled.instance.create_run_for_job(job, tags=tags)
    assert execute_run(InMemoryJob(job), run, scheduled.instance).success
    assert scheduled.materialized("hourly") == {"2024-01-20", "2024-01-21"}
    (publish,) = scheduled.lake.catalog.publishes()
    assert [load.partition for load in publish.loads] == ["2024-01-20", "2024-01-21"]


@pytest.mark.slow
def test_a_table_without_partitions_is_materialized_whole(scheduled: Floor) -> None:
    assert scheduled.run("whole", day=None).success
    found = scheduled.instance.get_latest_materialization_event(AssetKey("whole"))
    assert found is not None and found.asset_materialization is not None
    assert found.asset_materialization.partition is None
    assert found.asset_materialization.metadata["rows read"].value == 1


@pytest.mark.parametrize(
    ("month", "day", "moments"),
    [
        (3, 31, ["2024-03-30T01:30+00:00", "2024-03-31T01:00+00:00", "2024-04-01T00:30+00:00"]),  # 02:30 is skipped
        (10, 27, ["2024-10-26T00:30+00:00", "2024-10-27T01:30+00:00", "2024-10-28T01:30+00:00"]),  # and comes twice
    ],
)
def test_when_clocks_change_a_daily_tick_comes_once(month: int, day: int, moments: list[str]) -> None:
    start = dt.datetime(2024, month, day, tzinfo=ZoneInfo("Europe/Berlin")) - dt.timedelta(days=1)
    ticks = schedule_execution_time_iterator(start.timestamp(), "30 2 * * *", "Europe/Berlin")
    found = [next(ticks).astimezone(dt.UTC).isoformat(timespec="minutes") for _ in range(3)]
    assert found == moments


@pytest.mark.parametrize(
    ("cron", "at", "days"),
    [
        # Half past midnight in Berlin is the evening before in UTC; half past one is so in summer alone.
        ("30 0 * * *", "2024-03-31T00:30+01:00", ("2024-03-29", "2024-03-30")),
        ("30 0 * * *", "2024-04-01T00:30+02:00", ("2024-03-30", "2024-03-31")),
        ("30 1 * * *", "2024-03-31T01:30+01:00", ("2024-03-30", "2024-03-31")),
        ("30 1 * * *", "2024-04-01T01:30+02:00", ("2024-03-30", "2024-03-31")),
        ("30 2 * * *", "2024-03-31T03:00+02:00", ("2024-03-30", "2024-03-31")),
        ("30 2 * * *", "2024-10-27T02:30+01:00", ("2024-10-26", "2024-10-27")),
        ("30 1 * * *", "2024-10-27T01:30+02:00", ("2024-10-25", "2024-10-26")),
        ("30 1 * * *", "2024-10-28T01:30+01:00", ("2024-10-27", "2024-10-28")),
    ],
)
def test_when_clocks_change_a_tick_asks_for_the_utc_day_it_falls_on(
    scheduled: Floor, cron: str, at: str, days: tuple[str, str]
) -> None:
    ingestion = Ingestion("hourly", print, Source("x.py", 1, "hourly"), cron=cron)
    schedule = schedule_of(ingestion, "Europe/Berlin")
    moment = dt.datetime.fromisoformat(at)
    ticks = schedule_execution_time_iterator(moment.timestamp() - 60, cron, "Europe/Berlin")
    assert next(ticks).timestamp() == moment.timestamp()  # the tick is one that comes
    context = build_schedule_context(instance=scheduled.instance, scheduled_execution_time=moment)
    (request,) = schedule.evaluate_tick(context).run_requests or []
    assert tuple(request.tags[tag] for tag in RANGE_TAGS) == days


def test_a_time_zone_that_is_none_is_an_error_that_names_it(scheduled: Floor) -> None:
    file = scheduled.shop.root / "pyproject.toml"
    file.write_text(file.read_text() + 'schedule_timezone = "Europe/Berlni"\n')
    with pytest.raises(InvalidSetting, match="Europe/Berlni"):
        open_lake(scheduled.shop.root)
