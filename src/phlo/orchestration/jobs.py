"""The job that runs of the command line are shown under: that of all assets, cut down to those of the run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import DagsterRun
from dagster._core.code_pointer import FileCodePointer
from dagster._core.execution.api import create_execution_plan
from dagster._core.instance.runs.run_domain import RunDomain
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.snap import snapshot_from_execution_plan

from phlo.orchestration.workspace import CODE, origin_of

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
    from dagster._core.remote_origin import CodeLocationOrigin
    from dagster._core.workspace.context import WorkspaceProcessContext

    from phlo.project import Project

UPKEEP = "phlo_upkeep"
"""The sensor that every server of a project has."""

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
    return Code(context.repository_def, _job_of(origin) if origin else None)


def code_beside(repository: RepositoryDefinition, project: Project, instance: DagsterInstance | None = None) -> Code:
    """The code of a command, as the project's server names it, or the server that an instance has last had."""
    pointer = FileCodePointer(str(CODE), "defs", str(project.root))
    python = JobPythonOrigin(NAME, RepositoryPythonOrigin(sys.executable, pointer, entry_point=["dagster"]))
    origin: CodeLocationOrigin = origin_of(project)
    if instance is not None:
        origin = _served_in(instance, project) or origin
    return Code(repository, _job_of(origin), python)


def _served_in(instance: DagsterInstance, project: Project) -> CodeLocationOrigin | None:
    """How an instance that is somebody's own names the project's code: it keeps where the sensor of it comes from."""
    states = [state for state in instance.all_instigator_state() if state.instigator_name == UPKEEP]
    origins = [state.origin.repository_origin.code_location_origin for state in states]
    ours = [each for each in origins if _folder_of(each) in (None, str(project.root))]
    return ours[-1] if ours else None


def _folder_of(origin: CodeLocationOrigin) -> str | None:
    """The folder that it was loaded in; a server that Dagster merely knows the address of does not say."""
    known = isinstance(origin, (InProcessCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin))
    return origin.loadable_target_origin.working_directory if known else None


def _job_of(origin: CodeLocationOrigin) -> RemoteJobOrigin:
    return RemoteJobOrigin(RemoteRepositoryOrigin(origin, REPOSITORY), NAME)
