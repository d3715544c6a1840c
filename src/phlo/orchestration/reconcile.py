"""Runs whose process died: what the lake says of them is told to Dagster, which can't know it.

A run that was published is a success, though its process did not live to say so; one that was not is a failure, and
its ref is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus, RunsFilter

from phlo.orchestration.branch import held_file
from phlo.orchestration.place import this_project
from phlo.orchestration.publishing import tell
from phlo.orchestration.tags import BY_TAG, REF_TAG, has_process, is_alive, marks
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Collection

    from dagster import DagsterInstance, DagsterRun

WORKING = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def reconcile(instance: DagsterInstance, watched: Collection[str] = (), *, only_known: bool = False) -> list[str]:
    """Settle every run that seems to work and whose process is gone; return their ids.

    Left out are those that somebody watches already, and those of the command line: their journals say how they ended.
    With ``only_known`` also those that have no process yet: another launcher may be starting it.
    """
    working = instance.get_runs(RunsFilter(statuses=WORKING))
    ours = [run for run in working if marks(run).get(BY_TAG) != "cli" and (has_process(run) or not only_known)]
    dead = [run for run in ours if run.run_id not in watched and not is_alive(run)]
    for run in dead:
        settle(instance, run, "its process ended before the run did")
    return [run.run_id for run in dead]


def settle(instance: DagsterInstance, run: DagsterRun, why: str) -> None:
    """End a run whose process is gone, as the lake has it."""
    catalog = open_lake(this_project()).catalog
    catalog.reap()
    own = marks(run).get(REF_TAG, "").removeprefix("run-")  # of the run it went on with, where it did: that publishes
    published = catalog.publishes(1, run_id=own) if own else []
    if published:
        file = held_file(open_lake(this_project()), own)
        tell(instance, file, published[0])
        message = f"{why}, after it had published as publish {published[0].seq}"
        event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, job_name=run.job_name, message=message)
        instance.report_dagster_event(event, run.run_id)
    elif run.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, f"{why}; nothing was published, what there is is kept on run-{own}")
    else:
        kept = f"what there is is kept on run-{own}" if own else "it had not begun"
        instance.report_run_failed(run, f"{why}; nothing was published, {kept}")
