"""Run dbt's models on a ref, and the data tests on them: a test that fails stops what is built on its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.declarations import SilentReporter, relative
from phlo.errors import DbtStopped
from phlo.transform.due import due_tests
from phlo.transform.models import KINDS, graph
from phlo.transform.plain import run_plain
from phlo.transform.results import TransformResult, collect, raise_failures
from phlo.transform.session import Session, using

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phlo.declarations import Reporter
    from phlo.transform.models import Model


def run_models(
    lake: Any, ref: str, select: Sequence[str] = (), reporter: Reporter | None = None, *, full_refresh: bool = False
) -> TransformResult:
    """Build these models (all, without a name) on a ref, with the tests on them and on the sources they read.

    Tests that compare them with what is not there yet, or is not built again though it has to be, are left out.
    Raises ``DbtProjectBroken``, ``DbtStopped``, ``ModelsFailed``, ``HooksFailed``, ``DataTestsFailed`` and
    ``ModelsSkipped``; all but the first two carry the result as ``result``.
    """
    reporter, models = reporter or SilentReporter(), graph(lake.project)
    chosen = [model for model in models if not select or model.name in select or model.table in select]
    if not chosen:
        return TransformResult()
    args: list[str] = []
    if len(chosen) < len(models):
        args += _selection(chosen)
        _, early = due_tests(lake, ref, {model.table for model in chosen})
        args += ["--exclude", *(test.name for test in early)] if early else []
    args += ["--full-refresh"] if full_refresh else []
    return _invoke(lake, ref, "build", *args, reporter=reporter, progress=_Progress(reporter, len(chosen)))


def test_changes(lake: Any, ref: str, done: TransformResult | None = None) -> TransformResult | None:
    """Run the data tests on what a ref changed that were not part of ``done``, and return both.

    These are the tests of loaded tables, and of views that read what changed; a test that needs a model that is to
    be built again waits for that. Raises ``DataTestsFailed``.
    """
    built = {each.table for each in done.models} if done else set()
    known = {each.unique_id for each in done.tests} if done else set()
    ready, _ = due_tests(lake, ref, built)
    ready = [test for test in ready if test.unique_id not in known]
    if not ready:
        return done
    found = TransformResult(tests=run_plain((test for test in ready if test.sql), lake, lake.catalog.pin(ref)))
    raise_failures(found, ref, lake.project)
    others = [test.name for test in ready if not test.sql]
    if others:
        found += _invoke(lake, ref, "test", "--select", *others)
    return (done or TransformResult()) + found


def _invoke(
    lake: Any,
    ref: str,
    command: str,
    *args: str,
    reporter: Reporter | None = None,
    progress: _Progress | None = None,
) -> TransformResult:
    from phlo.transform.dbt import invoke
    from phlo.transform.lineage import keep_lineage

    project = lake.project
    folder = relative(str(project.dbt), project.root)
    session = Session(lake.catalog, lake.engine, ref, project.settings.dialect, folder)
    with using(session):
        outcome = invoke(project, command, *args, callbacks=(progress,) if progress else ())
    trouble = keep_lineage(session, project.state)
    if trouble and reporter:
        reporter.warn(trouble)
    result = collect(lake, ref, outcome.result.results)
    raise_failures(result, ref, project)
    if not outcome.success:
        raise DbtStopped(command=command, detail="it did not succeed, and does not say why")
    return result


def _selection(models: Sequence[Model]) -> list[str]:
    names = dict.fromkeys(name for model in models for name in (model.name, *model.sources))
    return ["--select", *names]


class _Progress:
    """Tells a reporter of each model that is done; dbt calls it with every event."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self.reporter, self.total = reporter, total
        self.done = self.rows = 0

    def __call__(self, event: Any) -> None:
        """Look for the end of a model among dbt's events."""
        if event.info.name != "NodeFinished":
            return
        info, result = event.data.node_info, event.data.run_result
        if info.resource_type not in KINDS or info.materialized == "ephemeral":
            return
        node = info.node_relation
        self.done += 1
        self.rows += int(dict(result.adapter_response).get("rows_affected", 0))
        told = result.message if result.status == "success" else result.status
        self.reporter.step(f"{node.schema}.{node.alias}: {told}, {result.execution_time:.1f} s")
        self.reporter.progress("transforming", self.done, self.total, self.rows)
