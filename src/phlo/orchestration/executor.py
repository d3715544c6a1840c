"""Run = ref: the one executor that every way of launching passes, around Dagster's own.

    lease → open or adopt the ref → the steps → what was not checked is checked → publish → materializations are told

Steps run in this process, one after another. A step that fails, a check that blocks, an interrupt or a refused
publish keeps the ref, and no partition counts as materialized.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dagster import DagsterEvent, DagsterRunStatus, ExecutorDefinition, MetadataValue, executor
from dagster._core.errors import DagsterExecutionInterruptedError, raise_execution_interrupts
from dagster._core.events import EngineEventData
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.base import Executor
from dagster._core.executor.in_process import InProcessExecutor
from dagster._utils.interrupts import check_captured_interrupt

from phlo.errors import StepsFailed
from phlo.orchestration import held
from phlo.orchestration.branch import branch_of
from phlo.orchestration.current import opened
from phlo.orchestration.publishing import tell
from phlo.pipeline import REFUSED, check, close, execute, kept_when_it_fails, leased, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import InitExecutorContext
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.step_dependency_config import StepDependencyConfig

    from phlo.journal import Journal
    from phlo.orchestration.branch import Branch
    from phlo.orchestration.plans import Project
    from phlo.pipeline import Run

CHECKS_STEP = "checks"


def run_is_ref(project: Project) -> ExecutorDefinition:
    """Make the executor of a project's jobs; it knows no multiprocess mode, in which events could not be held."""

    @executor(name="run_is_ref", config_schema=_config())
    def definition(context: InitExecutorContext) -> Executor:
        retries = RetryMode.from_config(context.executor_config["retries"])  # type: ignore[arg-type]
        return RunIsRef(project, InProcessExecutor(retries or RetryMode.ENABLED))

    return definition


class RunIsRef(Executor):
    """Executes the steps of a run on a ref of its own and publishes it once."""

    def __init__(self, project: Project, inner: InProcessExecutor) -> None:
        self.project, self.inner = project, inner

    @property
    def retries(self) -> RetryMode:
        """As the steps' own executor has it."""
        return self.inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As the steps' own executor has it."""
        return self.inner.step_dependency_config

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Open the ref, run the steps on it, and publish it if none failed."""
        branch = branch_of(self.project, plan_context)
        try:
            with branch.journaled() as journal:
                try:
                    yield from self._on_its_ref(branch, journal, plan_context, execution_plan)
                except REFUSED as refused:
                    yield _say(plan_context, f"{refused}; replaying it on today's main")
                    yield from self._again(branch, plan_context)
        except StepsFailed as failure:
            yield _say(plan_context, f"Not published: {failure}", ref=f"run-{branch.run_id}")

    def _on_its_ref(
        self, branch: Branch, journal: Journal, context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        with ExitStack() as stack:
            with raise_execution_interrupts():  # who waits for a lease may be terminated
                stack.enter_context(leased(branch.lake, branch.plan, branch.run_id, branch.reporter))
            run = stack.enter_context(branch.opened())
            journal.keep(run)
            yield _say(context, f"Opened {run.ref}{' again' if branch.adopts else ''}", ref=run.ref)
            with kept_when_it_fails(run), branch.holding(context.instance) as kept:
                failed, last = [], ""
                with opened(context.run_id, run):
                    for event in self.inner.execute(context, execution_plan):
                        failed += [event] if event.is_step_failure else []
                        last = event.step_key or last
                        yield event
                if failed:
                    raise StepsFailed(steps=_names(failed), reason=_reason(failed[0]), ref=run.ref)
                if last != CHECKS_STEP or branch.adopts:
                    check(run)  # whoever launches a run may leave its checks out; publish does not
                _stop_if_told(context)
                held.save(branch.held, kept)  # should this process die right after the publish
                publish(run)
            yield from self._told(branch, run, context)

    def _again(self, branch: Branch, context: PlanOrchestrationContext) -> Iterator[DagsterEvent]:
        """Run the whole plan again on a new ref, with what was extracted, as the command line does."""
        with ExitStack() as interrupts:
            interrupts.enter_context(raise_execution_interrupts())

            def before_publish() -> None:
                interrupts.close()  # a publish is not stopped half-way
                _stop_if_told(context)

            run = execute(
                branch.lake, branch.plan, branch.reporter, run_id=branch.run_id, before_publish=before_publish
            )
        yield from self._told(branch, run, context)

    def _told(self, branch: Branch, run: Run, context: PlanOrchestrationContext) -> Iterator[DagsterEvent]:
        assert run.published is not None, "it was published"
        count = tell(context.instance, branch.held, run.published)
        close(run)
        tables = [change.name for change in run.published.changes]
        what = f"{len(tables)} table{'' if len(tables) == 1 else 's'} of {run.ref}"
        message = f"Published {what} as publish {run.published.seq}"
        yield _say(context, message, publish=run.published.seq, tables=tables, materializations=count)


def _config() -> dict[str, Any]:
    return {"retries": get_retries_config()}  # type: ignore[no-untyped-call]


def _stop_if_told(context: PlanOrchestrationContext) -> None:
    """A run that was terminated between its steps, or behind its back, must not publish."""
    run = context.instance.get_run_by_id(context.run_id)
    if check_captured_interrupt() or run is None or run.status is not DagsterRunStatus.STARTED:
        raise DagsterExecutionInterruptedError()


def _say(context: PlanOrchestrationContext, message: str, **shown: object) -> DagsterEvent:
    metadata = {name: MetadataValue.json(value) if isinstance(value, list) else value for name, value in shown.items()}
    return DagsterEvent.engine_event(context, message, EngineEventData(metadata))  # type: ignore[arg-type]


def _names(failed: list[DagsterEvent]) -> str:
    return "`, `".join(str(event.step_key) for event in failed)


def _reason(event: DagsterEvent) -> str:
    """What the step raised, without what Dagster wraps it in."""
    wrapped = event.step_failure_data.error
    error = wrapped and (wrapped.cause or wrapped)
    return error.message.strip().split(": ", 1)[-1] if error else "it failed"
