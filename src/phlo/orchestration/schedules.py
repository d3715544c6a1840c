"""Schedules from ``cron``: an ingestion and all that is made from it, for the day and the day before."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    define_asset_job,
)

from phlo.orchestration.keys import asset_key, word
from phlo.orchestration.tags import RANGE_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import JobDefinition
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

    from phlo.declarations import Ingestion

    Job = JobDefinition | UnresolvedAssetJobDefinition


def schedule_of(ingestion: Ingestion, timezone: str) -> ScheduleDefinition:
    """Schedule an ingestion, its models and their checks as one run, and so as one publish.

    A tick takes the UTC day it falls on and the one before, whose late readings have arrived since. Ticks follow the
    wall clock of ``timezone``: one that daylight saving skips comes right after the gap, one it repeats comes once.
    """
    name = word(ingestion.table_name)
    job = define_asset_job(
        f"{name}_job",
        selection=AssetSelection.assets(asset_key(ingestion.table)).downstream(),
        description=f"{ingestion.table} and what is made from it.",
    )

    def tick(context: ScheduleEvaluationContext) -> Iterator[RunRequest]:
        moment = context.scheduled_execution_time.astimezone(dt.UTC)
        tags = dict(zip(RANGE_TAGS, days_due(ingestion, moment), strict=True)) if ingestion.partitioned else {}
        yield RunRequest(run_key=moment.isoformat(), tags=tags)

    assert ingestion.cron is not None, "only ingestions with a cron have a schedule"
    return ScheduleDefinition(
        name=f"{name}_schedule",
        job=job,
        cron_schedule=ingestion.cron,
        execution_timezone=timezone,
        execution_fn=tick,
        default_status=DefaultScheduleStatus.RUNNING,
    )


def days_due(ingestion: Ingestion, moment: dt.datetime) -> tuple[str, str]:
    """The first and the last day that a tick loads: not before the ingestion's first.

    >>> from phlo.declarations import Ingestion, Source
    >>> readings = Ingestion("readings", print, Source("x.py", 1, "readings"), partition_start=dt.date(2024, 1, 20))
    >>> days_due(readings, dt.datetime(2024, 1, 21, 0, 30, tzinfo=dt.UTC))
    ('2024-01-20', '2024-01-21')
    >>> days_due(readings, dt.datetime(2024, 1, 20, 23, 30, tzinfo=dt.UTC))
    ('2024-01-20', '2024-01-20')
    """
    last = moment.date()
    first = max(last - dt.timedelta(days=1), ingestion.partition_start or dt.date.min)
    return first.isoformat(), max(first, last).isoformat()
