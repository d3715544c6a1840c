"""What a check found, as the record that the command line, the orchestrator and the logs show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.declarations import check_name
from phlo.errors import PhloError
from phlo.quality.protocol import SHOWN, Outcome
from phlo.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phlo.declarations import Check, Quality


@dataclass(frozen=True)
class CheckResult:
    """What one check of one table found."""

    table: str
    name: str
    quality: str
    """The decorated function that declares it."""
    passed: bool
    blocking: bool
    violations: int
    total: int
    message: str
    """One sentence that begins with the table and the check."""
    rows: tuple[dict[str, Any], ...] = ()
    """Up to five of the violating rows."""
    seconds: float = 0.0
    error: str = ""
    """The code of the error that kept it from running."""
    group: str = "default"


@dataclass(frozen=True)
class Job:
    """One check of one table, on its way to a result."""

    position: int
    quality: Quality
    check: Check

    @property
    def name(self) -> str:
        """What the check calls itself, or its class."""
        return check_name(self.check)


def result_of(job: Job, outcome: Outcome, rows: Iterable[Mapping[str, Any]], seconds: float) -> CheckResult:
    """Make the result of a check that ran."""
    quality = job.quality
    return CheckResult(
        table=quality.table,
        name=job.name,
        quality=quality.name,
        passed=outcome.passed,
        blocking=quality.blocking,
        violations=outcome.violations,
        total=outcome.total,
        message=f"{quality.table}: {job.name}: {outcome.message}",
        rows=tuple(dict(row) for row in rows),
        seconds=round(seconds, 6),
        group=quality.group,
    )


def could_not_run(job: Job, error: Exception, seconds: float = 0.0) -> CheckResult:
    """Make the result of a check that could not run: failed, with the error's code and sentence."""
    known = isinstance(error, PhloError)
    detail = redact(str(error) if known else f"{type(error).__name__}: {error}")
    quality = job.quality
    return CheckResult(
        table=quality.table,
        name=job.name,
        quality=quality.name,
        passed=False,
        blocking=quality.blocking,
        violations=0,
        total=0,
        message=f"{quality.table}: {job.name} could not run: {detail}",
        seconds=round(seconds, 6),
        error=error.code if isinstance(error, PhloError) else type(error).__name__,
        group=quality.group,
    )


def read_outcome(found: Mapping[str, Any]) -> Outcome:
    """Read what a check's ``execute`` returned; raise ``TypeError`` where it is not what a check returns.

    >>> read_outcome({"passed": True, "violations": 2, "total": 100}).violations
    2
    """
    if not isinstance(found, Mapping):
        raise TypeError(f"its execute() returned `{found!r}`, not a dict")
    missing = [key for key in ("passed", "violations", "total") if key not in found]
    if missing:
        raise TypeError(f"its execute() returns no {' and no '.join(f'`{key}`' for key in missing)}")
    violations, total = int(found["violations"]), int(found["total"])
    message = str(found.get("message") or f"{violations:,} of {total:,} rows violate it")
    rows = found.get("rows", ())
    rows = rows.head(SHOWN).to_dict("records") if hasattr(rows, "to_dict") else rows
    return Outcome(bool(found["passed"]), violations, total, message, tuple(dict(row) for row in list(rows)[:SHOWN]))
