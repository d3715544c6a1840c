"""What the server does without being asked: maintenance each week, and a look at the alerts all the time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster import DefaultScheduleStatus, ScheduleDefinition, in_process_executor, job, op

from phlo.alerting import check
from phlo.orchestration.assets import bare
from phlo.orchestration.reconcile import reconcile
from phlo.upkeep import keep_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dagster import DagsterInstance, OpExecutionContext

    from phlo.profiles import Lake

WEEKLY = "0 4 * * 0"
LOOK_SECONDS = 30
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
def looked_after(lake: Lake, instance: DagsterInstance, say: Callable[[str], None]) -> Iterator[None]:
    """Evaluate the rules of alerts while the server runs, and settle runs of an earlier server that have died."""
    stop = threading.Event()

    def keep_checking() -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                reconcile(instance, instance.run_launcher.watched)  # type: ignore[attr-defined]
                check(lake, say, patience=ALERT_PATIENCE)
            except Exception as error:  # noqa: BLE001  the rules may be wrong, the disk full: said, and tried again
                say(f"warning: runs and alerts can not be looked after: {error}")

    thread = threading.Thread(target=keep_checking, name="phlo-upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=ALERT_PATIENCE)
