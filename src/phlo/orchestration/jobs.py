"""The job that runs of the command line are shown under: that of all assets, cut down to those of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster import DagsterRun
from dagster._core.execution.api import create_execution_plan
from dagster._core.instance.runs.run_domain import RunDomain
from dagster._core.snap import snapshot_from_execution_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dagster import AssetCheckKey, AssetKey, DagsterInstance, DagsterRunStatus
    from dagster._core.workspace.context import WorkspaceProcessContext

REPOSITORY, NAME = "__repository__", "__ASSET_JOB"


@dataclass(frozen=True)
class Job:
    """What a run of some assets needs, so that the UI can show its steps and run it again."""

    keys: frozenset[AssetKey]
    checks: frozenset[AssetCheckKey]
    definition: Any = None
    remote: Any = None

    def make(
        self, instance: DagsterInstance, run_id: str, tags: Mapping[str, str], status: DagsterRunStatus
    ) -> DagsterRun:
        """Make a run, not yet stored; without a definition (its tables are no assets any more) a bare one."""
        if self.definition is None:
            return DagsterRun(NAME, run_id, tags=tags, status=status)
        snapshot, parent = self.definition.get_job_snapshot(), self.definition.get_parent_job_snapshot()
        domain, steps = RunDomain(instance), create_execution_plan(self.definition)
        snapshot_id = domain.ensure_persisted_job_snapshot(snapshot, parent)
        plan = snapshot_from_execution_plan(steps, snapshot_id)
        return DagsterRun(
            NAME,
            run_id,
            tags=tags,
            status=status,
            asset_selection=self.keys,
            job_snapshot_id=snapshot_id,
            execution_plan_snapshot_id=domain.ensure_persisted_execution_plan_snapshot(
                plan, snapshot_id, steps.step_keys_to_execute
            ),
            remote_job_origin=self.remote.get_remote_origin(),
            job_code_origin=self.remote.get_python_origin(),
        )


def job_of(context: WorkspaceProcessContext, keys: Iterable[AssetKey]) -> Job:
    """Cut the job down to those of these assets that the project still has."""
    request = context.create_request_context()
    (location,) = request.code_locations or (None,)
    if location is None:  # the project can not be read now
        return Job(frozenset(), frozenset())
    repository = location._get_repo_def(REPOSITORY)  # type: ignore[attr-defined]
    graph = repository.asset_graph
    known = frozenset(keys) & graph.materializable_asset_keys
    if not known:
        return Job(known, frozenset(graph.asset_check_keys))
    definition = repository.get_job(NAME).get_subset(asset_selection=known)
    remote = location.get_repository(REPOSITORY).get_full_job(NAME)
    return Job(known, frozenset(graph.asset_check_keys), definition, remote)
