"""What a ref must pass before it may be published: the checks of what it changed, and of the views that read that.

A run of Phlo's and dbt typed by hand are its two callers, so that neither publishes what the other would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.errors import ChecksFailed, ChecksUnavailable
from phlo.quality.runner import run_checks

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from phlo.declarations import Quality
    from phlo.errors import WorkflowImportFailed
    from phlo.protocols import Pin
    from phlo.quality.results import CheckResult


def check_ref(
    lake: Any,
    ref: str,
    planned: Sequence[Quality] = (),
    partitions: Mapping[str, AbstractSet[dt.date]] | None = None,
    *,
    tables: bool = True,
) -> list[CheckResult]:
    """Run the planned checks, and those of what changed on a ref: tables (unless the plan has them) and views."""
    pin = lake.catalog.pin(ref)
    if not tables and not pin.views:  # a lake without a project has no workflows to import either
        return run_checks(planned, lake.engine, pin, partitions or {})
    changed = {change.name for change in lake.catalog.diff(ref)}
    wanted = affected(changed, pin, lake.project.settings.dialect)
    wanted &= {*pin.views, *(pin.tables if tables else ())}
    qualities = lake.workflows.qualities if wanted else ()
    others = [each for each in qualities if each.table in wanted and each not in planned]
    return run_checks([*planned, *others], lake.engine, pin, partitions or {})


def insist(results: Iterable[CheckResult], ref: str, warn: Callable[[str], None]) -> None:
    """Say which checks failed without blocking; raise ``ChecksFailed`` where one blocks."""
    failed = [result for result in results if not result.passed]
    for result in failed:
        if not result.blocking:
            warn(f"{result.message} (not blocking)")
    blocking = [result for result in failed if result.blocking]
    if blocking:
        raise ChecksFailed(count=len(blocking), checks=", ".join(r.name for r in blocking), ref=ref)


def check_by_hand(lake: Any, ref: str, say: Callable[[str], None]) -> None:
    """Check what dbt typed by hand has changed on a ref as a run of Phlo's would.

    Raises ``ChecksFailed``, and ``ChecksUnavailable`` where it can not be known what would have been checked.
    """
    insist_on_checks(lake.project.root, lake.workflows.failures)
    results = check_ref(lake, ref)
    for result in results:
        if result.blocking and not result.passed:
            say(f"✗ {result.message}")
    insist(results, ref, say)
    if results:
        say(f"{sum(result.passed for result in results)} of {len(results)} checks passed")


def affected(changed: Iterable[str], pin: Pin, dialect: str) -> set[str]:
    """Add to changed tables the views of a pin that read them, also through other views: their rows change too."""
    found = set(changed)
    if not pin.views:
        return found
    from phlo.engine.dialect import tables_named

    reads = {name: set(tables_named(view.sql, dialect)) for name, view in pin.views.items()}
    while grown := {name for name, above in reads.items() if above & found} - found:
        found |= grown
    return found


def insist_on_checks(root: Path, failures: Iterable[WorkflowImportFailed]) -> None:
    """Raise ``ChecksUnavailable`` where a workflow file that does not import may declare checks."""
    unknown = [str(failure.values["file"]) for failure in failures if _may_check(root / str(failure.values["file"]))]
    if unknown:
        raise ChecksUnavailable(files="`, `".join(unknown))


def _may_check(file: Path) -> bool:
    return "quality" in file.read_text(errors="replace")
