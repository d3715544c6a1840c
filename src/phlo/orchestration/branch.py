"""The ref of a Dagster run: opened for a new one, adopted by one that repeats the failed steps of another."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phlo.errors import ParentRefGone, UnknownRef
from phlo.journal import journal
from phlo.orchestration import held
from phlo.orchestration.plans import assets_of, plan_of, resumed, run_id_of, together
from phlo.orchestration.reports import LogReporter
from phlo.orchestration.tags import executed_by, marked
from phlo.pipeline import Run, open_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dagster import DagsterInstance, EventLogEntry
    from dagster._core.execution.context.system import PlanOrchestrationContext

    from phlo.declarations import Reporter
    from phlo.journal import Journal
    from phlo.orchestration.plans import Project
    from phlo.plan import Plan
    from phlo.profiles import Lake


@dataclass
class Branch:
    """Where a Dagster run writes, and what it is to do."""

    lake: Lake
    plan: Plan
    run_id: str
    """Whose ref it is: its own, or that of the run it goes on with."""
    journal_id: str
    dagster_run: str
    reporter: Reporter

    @property
    def adopts(self) -> bool:
        """Whether it goes on with another run's ref."""
        return self.run_id != self.journal_id

    @property
    def held(self) -> Path:
        """Where its materializations wait for the publish."""
        return held_file(self.lake, self.run_id)

    @contextmanager
    def opened(self) -> Iterator[Run]:
        """Open the ref, or the one it goes on with; what came of the run goes into its journal."""
        if self.adopts:
            run = Run(self.lake, self.plan, self.reporter, self.run_id)
            try:
                self.lake.catalog.reopen_ref(run.ref)
            except UnknownRef as error:
                raise ParentRefGone(run=run.ref) from error
        else:
            run = open_run(self.lake, self.plan, self.reporter, run_id=self.run_id)
        yield run

    @contextmanager
    def journaled(self) -> Iterator[Journal]:
        """Keep the journal while it goes; whatever it reports is in there too."""
        plan, started = self.plan, self.reporter
        with journal(
            self.lake.project.state, self.journal_id, started, selection=plan.selection, partitions=plan.partitions,
            tables=plan.writes, by="dagster", dagster_run=self.dagster_run, ref=f"run-{self.run_id}",
        ) as kept:  # fmt: skip
            self.reporter = kept
            yield kept

    @contextmanager
    def holding(self, instance: DagsterInstance) -> Iterator[list[EventLogEntry]]:
        """Hold the run's materializations, after those of the run it goes on with; they stay beside the ref."""
        with held.held(instance, self.dagster_run) as kept:
            kept += held.restore(self.held) if self.adopts else []
            try:
                yield kept
            finally:
                held.save(self.held, kept)


def branch_of(project: Project, context: PlanOrchestrationContext) -> Branch:
    """Find the ref and the plan of a run, and put its name and its process on the run."""
    instance, run = context.instance, context.dagster_run
    everything = context.job.get_definition().asset_layer.selected_asset_keys
    plan = context.execution_plan
    partial = set(plan.step_keys_to_execute) != {step.key for step in plan.steps}
    lineage = [run, *resumed(instance, run, partial=partial)]
    plans = [plan_of(project, assets_of(each, everything), each) for each in lineage]
    journal_id, first = run_id_of(instance, run), lineage[-1]
    run_id = journal_id if first is run else run_id_of(instance, first)
    here = executed_by(run.run_id, os.getpid())
    instance.add_run_tags(run.run_id, marked(run.run_id, journal_id, f"run-{run_id}", "dagster", **here))
    return Branch(project.lake, together(plans[::-1]), run_id, journal_id, run.run_id, LogReporter(context.log))


def held_file(lake: Lake, run_id: str) -> Path:
    """Where the materializations of a ref wait."""
    return lake.project.state / "dagster" / "held" / f"run-{run_id}.json"
