"""Run dbt's models on a ref, and the data tests on them: a test that fails stops what is built on its model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phlo.declarations import SilentReporter, relative
from phlo.errors import DataTestsFailed, ModelsFailed
from phlo.transform.models import KINDS, graph
from phlo.transform.session import Session, using

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phlo.declarations import Reporter
    from phlo.project import Project
    from phlo.transform.models import Model

FAILING_ROWS = 5
"""How many failing rows of a data test are kept with its result."""

_FAILED = ("error", "runtime error")


@dataclass(frozen=True)
class NodeResult:
    """What came of one model or data test."""

    name: str
    kind: str
    """model, seed, snapshot or test."""
    status: str
    """success, pass, warn, fail, error or skipped."""
    seconds: float
    table: str = ""
    """The table or view that a model makes."""
    rows: int | None = None
    """The rows a model's query returned, or the rows that fail a test; None for a view."""
    message: str = ""
    path: str = ""
    """Its file, from the project's root."""
    failing: list[dict[str, Any]] = field(default_factory=list)
    """The first rows that fail a test."""


@dataclass(frozen=True)
class TransformResult:
    """What came of a dbt run."""

    models: list[NodeResult] = field(default_factory=list)
    tests: list[NodeResult] = field(default_factory=list)

    @property
    def failed_models(self) -> list[NodeResult]:
        """Models that failed; those skipped because of them are not counted."""
        return [model for model in self.models if model.status in _FAILED]

    @property
    def failed_tests(self) -> list[NodeResult]:
        """Data tests that failed with the severity of an error."""
        return [test for test in self.tests if test.status in ("fail", *_FAILED)]


def run_models(
    lake: Any, ref: str, select: Sequence[str] = (), reporter: Reporter | None = None, *, full_refresh: bool = False
) -> TransformResult:
    """Build these models (all, without a name) on a ref, with the tests on them and on the sources they read.

    Raises ``DbtProjectBroken``, ``ModelsFailed`` and ``DataTestsFailed``; the errors carry the result as ``result``.
    """
    from phlo.transform.dbt import invoke

    reporter, project = reporter or SilentReporter(), lake.project
    models = graph(project)
    chosen = [model for model in models if not select or model.name in select or model.table in select]
    if not chosen:
        return TransformResult()
    args = _selection(chosen) if len(chosen) < len(models) else []
    args += ["--full-refresh"] if full_refresh else []
    with using(Session(lake.catalog, lake.engine, ref, project.settings.dialect)):
        outcome = invoke(project, "build", *args, callbacks=(_Progress(reporter, len(chosen)),))
    result = _collect(lake, ref, outcome.result.results)
    _raise_failures(result, ref, project)
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


def _collect(lake: Any, ref: str, results: Iterable[Any]) -> TransformResult:
    found = TransformResult()
    for result in results:
        kind = str(result.node.resource_type)
        if kind in KINDS:
            found.models.append(_model_result(lake.project, result))
        elif kind in ("test", "unit_test"):
            found.tests.append(_test_result(lake, ref, result))
    return found


def _model_result(project: Project, result: Any) -> NodeResult:
    node = result.node
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type),
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        table=f"{node.schema}.{node.alias}",
        rows=result.adapter_response.get("rows_affected"),
        message=_message(result),
        path=_path(project, node),
    )


def _test_result(lake: Any, ref: str, result: Any) -> NodeResult:
    node, status = result.node, str(result.status)
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type),
        status=status,
        seconds=round(result.execution_time, 3),
        rows=result.failures,
        message=_message(result),
        path=_path(lake.project, node),
        failing=_failing_rows(lake, ref, node) if status in ("fail", "warn") else [],
    )


def _failing_rows(lake: Any, ref: str, node: Any) -> list[dict[str, Any]]:
    sql = getattr(node, "compiled_code", "")
    if not sql or str(node.resource_type) != "test":
        return []
    limited = f"SELECT * FROM (\n{sql}\n) AS failing LIMIT {FAILING_ROWS}"
    rows: list[dict[str, Any]] = lake.engine.query(limited, lake.catalog.pin(ref)).to_pylist()
    return rows


def _message(result: Any) -> str:
    """What dbt says, without its first line, which names the file."""
    lines = [line.strip() for line in str(result.message or "").splitlines() if line.strip()]
    if len(lines) > 1 and " Error in " in lines[0]:
        lines = [line for line in lines[1:] if not line.startswith("compiled code at ")]
    return " ".join(lines)


def _path(project: Project, node: Any) -> str:
    return relative(str(project.dbt / node.original_file_path), project.root)


def _raise_failures(result: TransformResult, ref: str, project: Project) -> None:
    if result.failed_models:
        failures = "; ".join(f"`{each.table}` ({each.path}): {each.message}" for each in result.failed_models)
        raise ModelsFailed(
            count=len(result.failed_models),
            total=len(result.models),
            ref=ref,
            failures=failures,
            compiled=relative(str(project.state / "dbt" / "target" / "compiled"), project.root),
            result=result,
        )
    if result.failed_tests:
        failures = "; ".join(f"`{each.name}` ({each.path}): {each.message}" for each in result.failed_tests)
        raise DataTestsFailed(count=len(result.failed_tests), ref=ref, failures=failures, result=result)
