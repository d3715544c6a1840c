"""What came of a dbt run, and which of its ends are failures: dbt's results in, records or an error out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phlo.declarations import relative
from phlo.errors import DataTestsFailed, HooksFailed, ModelsFailed, ModelsSkipped
from phlo.transform.models import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phlo.project import Project
    from phlo.protocols import Pin

FAILING_ROWS = 5
"""How many failing rows of a data test are kept with its result."""

_BROKEN = ("error", "runtime error", "partial success")


@dataclass(frozen=True)
class NodeResult:
    """What came of one model, data test or hook."""

    name: str
    kind: str
    """model, seed, snapshot, test, unit_test or operation (a hook of dbt_project.yml)."""
    status: str
    """success, pass, warn, fail, error, runtime error, partial success or skipped."""
    seconds: float
    table: str = ""
    """The table or view that a model makes."""
    rows: int | None = None
    """The rows a model's query returned, or the rows that fail a test; None for a view."""
    message: str = ""
    """What dbt said; of an error of SQL also its place and the lines around it."""
    hint: str = ""
    path: str = ""
    """Its file, from the project's root."""
    failing: list[dict[str, Any]] = field(default_factory=list)
    """The first rows that fail a test."""
    unique_id: str = ""
    """dbt's name of it."""


@dataclass(frozen=True)
class TransformResult:
    """What came of a dbt run."""

    models: list[NodeResult] = field(default_factory=list)
    tests: list[NodeResult] = field(default_factory=list)
    hooks: list[NodeResult] = field(default_factory=list)
    """The hooks of dbt_project.yml that failed."""

    @property
    def failed_models(self) -> list[NodeResult]:
        """Models that failed; those skipped because of them are not counted."""
        return [model for model in self.models if model.status in _BROKEN]

    @property
    def skipped_models(self) -> list[NodeResult]:
        """Models that dbt left out."""
        return [model for model in self.models if model.status == "skipped"]

    @property
    def failed_tests(self) -> list[NodeResult]:
        """Data tests that failed with the severity of an error."""
        return [test for test in self.tests if test.status in ("fail", *_BROKEN)]

    def __add__(self, more: TransformResult) -> TransformResult:
        """Join what came of two runs on one ref."""
        return TransformResult(self.models + more.models, self.tests + more.tests, self.hooks + more.hooks)


def collect(lake: Any, ref: str, results: Iterable[Any]) -> TransformResult:
    """Read dbt's results; the rows that fail a data test are fetched from the ref."""
    found = TransformResult()
    for result in results:
        kind = str(result.node.resource_type)
        if kind in KINDS:
            found.models.append(_model_result(lake.project, result))
        elif kind in ("test", "unit_test"):
            found.tests.append(_test_result(lake, ref, result))
        elif kind == "operation" and str(result.status) in _BROKEN:
            found.hooks.append(_read(lake.project, result))
    return found


def raise_failures(result: TransformResult, ref: str, project: Project) -> None:
    """Raise ``ModelsFailed``, ``HooksFailed`` or ``DataTestsFailed`` where a run did not do all it was to do."""
    failed = result.failed_models
    if failed:
        compiled = relative(str(project.state / "dbt" / "target" / "compiled"), project.root)
        raise ModelsFailed(
            what=f"`{failed[0].table}`" if len(failed) == 1 else f"{len(failed)} of {len(result.models)} models",
            ref=ref,
            failures=_listed(failed),
            fix=failed[0].hint or f"mend the model and run again; its compiled SQL is in {compiled}",
            compiled=compiled,
            result=result,
        )
    if result.hooks:
        raise HooksFailed(count=len(result.hooks), ref=ref, failures=_listed(result.hooks), result=result)
    if result.failed_tests:
        tests = result.failed_tests
        raise DataTestsFailed(count=len(tests), ref=ref, failures=_listed(tests), result=result)
    if result.skipped_models:
        names = ", ".join(f"`{each.table}`" for each in result.skipped_models)
        raise ModelsSkipped(count=len(result.skipped_models), ref=ref, names=names, result=result)


def _listed(failed: Sequence[NodeResult]) -> str:
    """Tell failures one after another; an excerpt stands on lines of its own."""
    told = []
    for each in failed:
        first, _, rest = each.message.partition("\n")
        name = f"`{each.table or each.name}` ({each.path}): " if len(failed) > 1 or not rest else ""
        told.append(f"{name}{first}" + (f"\n{rest}" if rest else ""))
    return ("\n" if any("\n" in each for each in told) else "; ").join(told)


def failing_rows(lake: Any, pin: Pin, sql: str) -> list[dict[str, Any]]:
    """Fetch the first rows that a data test's query finds."""
    limited = f"SELECT * FROM (\n{sql}\n) AS failing LIMIT {FAILING_ROWS}"
    rows: list[dict[str, Any]] = lake.engine.query(limited, pin).to_pylist()
    return rows


def _model_result(project: Project, result: Any) -> NodeResult:
    node = result.node
    rows = result.adapter_response.get("rows_affected")
    return _read(project, result, table=f"{node.schema}.{node.alias}", rows=rows)


def _test_result(lake: Any, ref: str, result: Any) -> NodeResult:
    sql = getattr(result.node, "compiled_code", "") if str(result.node.resource_type) == "test" else ""
    looked_at = sql and str(result.status) in ("fail", "warn")
    failing = failing_rows(lake, lake.catalog.pin(ref), sql) if looked_at else []
    return _read(lake.project, result, rows=result.failures, failing=failing)


def _read(project: Project, result: Any, **more: Any) -> NodeResult:
    node, (message, hint) = result.node, _message(result)
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type),
        status=str(result.status),
        seconds=round(result.execution_time, 3),
        message=message,
        hint=hint,
        path=_path(project, node),
        unique_id=node.unique_id,
        **more,
    )


def _message(result: Any) -> tuple[str, str]:
    """What dbt says, without its first line, which names the file, and the hint that the error had."""
    said = str(result.message or "")
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    if len(lines) > 1 and (" Error in " in lines[0] or lines[0].endswith("failed, error:")):
        kept = [line.removeprefix("  ") for line in lines[1:]]
        lines = [line for line in kept if not line.startswith("compiled code at ")]
    hints = [line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")]
    return "\n".join(line for line in lines if not line.startswith("hint: ")), " ".join(hints)


def _path(project: Project, node: Any) -> str:
    return relative(str(project.dbt / node.original_file_path), project.root)
