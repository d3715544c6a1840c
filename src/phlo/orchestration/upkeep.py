"""What the server does without being asked: maintenance each week, and all the time a look at what others did.

A sensor looks at the rules of alerts and at runs whose process died; it also reads the runs of the command line, unless
``phlo dev`` does so itself, in a thread: a sensor comes every five seconds at best, and a command waits for its reader.
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
from phlo.errors import PhloError
from phlo.orchestration.assets import bare
from phlo.orchestration.jobs import UPKEEP, code_of_tick, served_code
from phlo.orchestration.journals import Reader
from phlo.orchestration.launcher import watched
from phlo.orchestration.place import voice
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.repeated import repeated
from phlo.orchestration.seen import reading
from phlo.upkeep import keep_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dagster import OpExecutionContext
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
    with reading(lake.project) as note:

        def journals() -> None:
            reader.read(context.instance, lambda: served_code(context), say)
            note(reader.looked)

        journals()
        with repeated(journals, SHOW_SECONDS, say, "the runs of the command line can not be shown"):
            yield


def upkeep_sensor(lake: Lake) -> SensorDefinition:
    """Look at what others did, again and again."""
    say, due = voice(), [0.0]
    reader = None if say else Reader(lake)

    @sensor(
        name=UPKEEP,
        minimum_interval_seconds=SENSOR_SECONDS if reader else LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="Looks at the rules of alerts and at runs whose process died, and shows the command line's runs.",
    )
    def look(context: SensorEvaluationContext) -> SkipReason:
        found = []
        if reader:
            count = reader.read(context.instance, lambda: code_of_tick(context), context.log.warning)
            found.append(f"{count} run{'' if count == 1 else 's'} of the command line had something new.")
        if time.monotonic() >= due[0]:
            due[0] = time.monotonic() + (LOOK_SECONDS if reader else 0)
            # A run without a process is one that a launcher is about to start.
            dead = reconcile(context.instance, watched(), only_known=True)
            found += [f"Settled {len(dead)} whose process had died."] if dead else []
            found.append(_checked(lake, say or context.log.warning))
        return SkipReason(" ".join(found))

    return look


def _checked(lake: Lake, say: Callable[[str], None]) -> str:
    """Look at the rules of alerts; a file of them that is wrong is said, and no reason for a page of traceback."""
    try:
        holding = len(check(lake, say, patience=ALERT_PATIENCE).firing)
    except (PhloError, OSError) as error:
        say(f"warning: alerts were not checked: {error}")
        return f"Alerts were not checked: {error}"
    return f"{holding} alert{' holds' if holding == 1 else 's hold'}."
