"""The tags of a Dagster run that Phlo reads or sets.

A re-execution and an automatic retry inherit the tags of their parent, so each says which run it is of.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from phlo.processes import process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterInstance, DagsterRun

RUN_TAG = "phlo/run"
"""The id of the pipeline's run, and so the name of its ref, on the Dagster run."""

REF_TAG = "phlo/ref"
"""The ref that the Dagster run wrote: its own, or that of the run it went on with."""

BY_TAG = "phlo/by"
"""What executes it: dagster, or cli."""

LINES_TAG = ".dagster/phlo_journal"
"""How many lines of the journal of a run of the command line are in the instance; the UI hides such tags."""

PID_TAG, PROCESS_TAG = ".dagster/phlo_pid", ".dagster/phlo_process"
"""The process that executes a run, so that one that died is known from one that works."""

STOP_TAG = ".dagster/phlo_stopped"
"""The run whose process was told to stop: it is told once, for a second signal would cut its tidying up short."""

OF_TAG = ".dagster/phlo_of"
PARTITION_TAG = "dagster/partition"
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
MAX_RETRIES_TAG = "dagster/max_retries"
RESUMED_TAGS = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")


def marked(dagster_run: str, run_id: str, ref: str, by: str, **more: str) -> dict[str, str]:
    """Mark a Dagster run with the pipeline's run that it is."""
    return {OF_TAG: dagster_run, RUN_TAG: run_id, REF_TAG: ref, BY_TAG: by, **more}


def marks(run: DagsterRun) -> Mapping[str, str]:
    """The tags of a run as far as they are its own; none before it was marked."""
    return run.tags if run.tags.get(OF_TAG) == run.run_id else {}


def executed_by(dagster_run: str, pid: int, name: str | None = None) -> dict[str, str]:
    """Say which process executes a run."""
    return {PID_TAG: str(pid), PROCESS_TAG: f"{dagster_run} {process(pid) if name is None else name}"}


def has_process(run: DagsterRun) -> bool:
    """Whether the run was given a process, dead or alive."""
    return run.tags.get(PROCESS_TAG, "").startswith(f"{run.run_id} ")


def is_alive(run: DagsterRun) -> bool:
    """Whether the process of a run is there, and still the one that the run was started in."""
    pid = run.tags.get(PID_TAG, "")
    return pid.isdigit() and executed_by(run.run_id, int(pid))[PROCESS_TAG] == run.tags.get(PROCESS_TAG)


def stop(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Ask the process of a run to end; false when it is gone, or another user's, which the run's log says."""
    if not is_alive(run):
        return False
    try:
        os.kill(int(run.tags[PID_TAG]), signal.SIGTERM)
    except ProcessLookupError:
        return False
    except PermissionError:
        instance.report_engine_event(f"Process {run.tags[PID_TAG]} is another user's, and was not stopped.", run)
        return False
    return True
