"""What the server does without being asked: maintenance each week, and all the time a look at what others did.

That is at the command line's runs, at runs whose process died, and at the rules of alerts.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster import (
    DefaultScheduleStatus,
    DefaultSensorStatus,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    in_process_executor,
    job,
    op,
    sensor,
)

from phlo.alerting import check
from phlo.orchestration.assets import bare
from phlo.orchestration.jobs import code_of_tick, served_code
from phlo.orchestration.journals import Reader
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.repeated import repeated
from phlo.upkeep import keep_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dagster import DagsterInstance, OpExecutionContext
    from dagster._core.workspace.context import WorkspaceProcessContext

    from phlo.profiles import Lake

WEEKLY = "0 4 * * 0"
SHOW_SECONDS, SENSOR_SECONDS, LOOK_SECONDS = 0.5, 5, 30
ALERT_PATIENCE = 10
"""Seconds that a destination of alerts may take; what it did not take in waits in the outbox."""


def weekly_maintenance(lake: Lake, timezone: str) -> ScheduleDefinition:
    """Schedule ``phlo maintain``: a job with an executor of its own, for it writes no ref."""

    @op
    @bare
    def maintain(context: OpExecutionContext) -> None:
        done, journals = keep_up(lake)
        context.log.info(f"{done}; {journals} journals of old runs were deleted.")

    @job(executor_def=in_process_executor, description="What `phlo maintain` does.")
    def maintenance() -> None:
        maintain()

    return ScheduleDefinition(
        name="maintenance_schedule",
        job=maintenance,
        cron_schedule=WEEKLY,
        execution_timezone=timezone,
        default_status=DefaultScheduleStatus.RUNNING,
    )


@contextmanager
def commands_shown(lake: Lake, context: WorkspaceProcessContext, say: Callable[[str], None]) -> Iterator[None]:
    """Show the runs of the command line while the server runs, the first time before it answers."""
    reader = Reader(lake)

    def journals() -> None:
        reader.read(context.instance, lambda: served_code(context), say)

    journals()
    with repeated(journals, SHOW_SECONDS, say, "the runs of the command line can not be shown"):
        yield


@contextmanager
def looked_after(lake: Lake, instance: DagsterInstance, say: Callable[[str], None]) -> Iterator[None]:
    """Evaluate the rules of alerts while the server runs, and settle runs of an earlier server that have died."""

    def upkeep() -> None:
        # A run without a process is one that the launcher is about to start: what had died before was settled first.
        reconcile(instance, instance.run_launcher.watched, only_known=True)  # type: ignore[attr-defined]
        check(lake, say, patience=ALERT_PATIENCE)

    with repeated(upkeep, LOOK_SECONDS, say, "runs and alerts can not be looked after"):
        yield


def upkeep_sensor(lake: Lake) -> SensorDefinition:
    """Do the same where Dagster's own server serves the project: it calls its sensors, and no threads of ours."""
    reader, due = Reader(lake), [0.0]

    @sensor(
        name="phlo_upkeep",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Shows the runs of the command line, settles runs whose process died, and looks at the alerts.",
    )
    def look(context: SensorEvaluationContext) -> SkipReason:
        count = reader.read(context.instance, lambda: code_of_tick(context), context.log.warning)
        if time.monotonic() >= due[0]:
            due[0] = time.monotonic() + LOOK_SECONDS
            reconcile(context.instance, only_known=True)
            check(lake, context.log.warning, patience=ALERT_PATIENCE)
        return SkipReason(f"{count} run{'' if count == 1 else 's'} of the command line had something new.")

    return look
