"""The process of one run of the server: ``python -m phlo.orchestration.worker RUN_ID``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._utils.interrupts import capture_interrupts

from phlo.errors import PhloError
from phlo.orchestration.definitions import definitions
from phlo.orchestration.instance import open_instance
from phlo.orchestration.place import this_project
from phlo.orchestration.tags import executed_by
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun, JobExecutionResult

    from phlo.profiles import Lake


def main(run_id: str) -> int:
    """Execute one run that is in the instance; tell the instance when it can't be."""
    project = this_project()
    with capture_interrupts(), open_instance(project) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None, "whoever launches a run has made it"
        instance.add_run_tags(run_id, executed_by(run_id, os.getpid()))
        try:
            result = perform(open_lake(project), run, instance)
        except PhloError as error:
            instance.report_run_failed(run, f"error[{error.code}]: {error}")
            return 1
    return 0 if result.success else 1


def perform(lake: Lake, run: DagsterRun, instance: DagsterInstance) -> JobExecutionResult:
    """Execute a run in this process, with the definitions as the files have them now."""
    job = definitions(lake).get_repository_def().get_job(run.job_name)
    return execute_run(InMemoryJob(job), run, instance)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
