"""The job that runs of the command line are shown under: that of all assets, cut down to those of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import DagsterRun
from dagster._core.execution.api import create_execution_plan
from dagster._core.instance.runs.run_domain import RunDomain
from dagster._core.remote_origin import RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.snap import snapshot_from_execution_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dagster import (
        AssetCheckKey,
        AssetKey,
        DagsterInstance,
        DagsterRunStatus,
        RepositoryDefinition,
        SensorEvaluationContext,
    )
    from dagster._core.origin import JobPythonOrigin
    from dagster._core.workspace.context import WorkspaceProcessContext

REPOSITORY, NAME = "__repository__", "__ASSET_JOB"


@dataclass(frozen=True)
class Code:
    """The project's definitions as they are now, and where Dagster finds them; nothing where they can't be read."""

    repository: RepositoryDefinition | None = None
    remote: RemoteJobOrigin | None = None
    python: JobPythonOrigin | None = None

    @property
    def checks(self) -> frozenset[AssetCheckKey]:
        """The checks that the UI knows."""
        return frozenset(self.repository.asset_graph.asset_check_keys if self.repository else ())

    def make(
        self,
        instance: DagsterInstance,
        run_id: str,
        keys: Iterable[AssetKey],
        tags: Mapping[str, str],
        status: DagsterRunStatus,
    ) -> DagsterRun:
        """Make a run of these assets, not yet stored, so that the UI can show its steps and run it again.

        It is a bare one when none of its tables is an asset any more.
        """
        known = frozenset(keys) & (self.repository.asset_graph.materializable_asset_keys if self.repository else set())
        if self.repository is None or not known:
            return DagsterRun(NAME, run_id, tags=tags, status=status)
        definition = self.repository.get_job(NAME).get_subset(asset_selection=known)
        domain, steps = RunDomain(instance), create_execution_plan(definition)
        snapshot, parent = definition.get_job_snapshot(), definition.get_parent_job_snapshot()
        snapshot_id = domain.ensure_persisted_job_snapshot(snapshot, parent)
        plan = snapshot_from_execution_plan(steps, snapshot_id)
        return DagsterRun(
            NAME,
            run_id,
            tags=tags,
            status=status,
            asset_selection=known,
            job_snapshot_id=snapshot_id,
            execution_plan_snapshot_id=domain.ensure_persisted_execution_plan_snapshot(
                plan, snapshot_id, steps.step_keys_to_execute
            ),
            remote_job_origin=self.remote,
            job_code_origin=self.python,
        )


def served_code(context: WorkspaceProcessContext) -> Code:
    """The code that this process serves."""
    (location,) = context.create_request_context().code_locations or (None,)
    if location is None:
        return Code()
    remote = location.get_repository(REPOSITORY).get_full_job(NAME)
    repository = location._get_repo_def(REPOSITORY)  # type: ignore[attr-defined]
    return Code(repository, remote.get_remote_origin(), remote.get_python_origin())


def code_of_tick(context: SensorEvaluationContext) -> Code:
    """The code that a sensor is of."""
    origin = context.code_location_origin
    remote = RemoteJobOrigin(RemoteRepositoryOrigin(origin, REPOSITORY), NAME) if origin else None
    return Code(context.repository_def, remote)
