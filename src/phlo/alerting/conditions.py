"""What holds now: for each rule the problems that there are, each by what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.metrics import check_message
from phlo.redaction import redact

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from phlo.alerting.config import Rule
    from phlo.journal import RunRecord
    from phlo.protocols import Newest

CHECK_CODES = ("checks-failed", "data-tests-failed")
EXAMPLES = 3


@dataclass(frozen=True)
class Facts:
    """What conditions are read off."""

    runs: Sequence[RunRecord]
    """Oldest first."""
    newest: Mapping[str, Newest]
    """By table the newest publish that counts."""
    query: Callable[[str], list[dict[str, Any]]]
    now: dt.datetime


@dataclass(frozen=True)
class Problem:
    """One thing that a rule is about and that holds now."""

    rule: str
    subject: str
    """What it is about: a table, a check, a selection. With the rule it tells one alert from another."""
    severity: str
    message: str


def problems(rule: Rule, facts: Facts, *, checks_covered: bool = False) -> list[Problem]:
    """List what a rule finds; ``checks_covered`` says that another rule tells of runs whose checks failed."""
    if rule.on == "run_failed":
        found = _failed_runs(rule, facts, checks_covered)
    else:
        found = {"check_failed": _failed_checks, "freshness": _stale, "rejected": _rejected, "query": _rows}[rule.on](
            rule, facts
        )
    about = f" ({rule.description})" if rule.description else ""
    return [Problem(rule.name, subject, rule.severity, redact(message + about)) for subject, message in found.items()]


def _failed_runs(rule: Rule, facts: Facts, checks_covered: bool) -> dict[str, str]:
    """Selections whose newest finished run failed; what Ctrl-C stopped says nothing."""
    newest = {
        record.selection: record
        for record in facts.runs
        if record.status in ("success", "failed", "died") and _writes(rule, record)
    }
    found = {}
    for selection, record in newest.items():
        error = record.error or {"code": "died", "message": "its process ended before the run did"}
        covered = checks_covered and error["code"] in CHECK_CODES
        if record.status != "success" and not covered:
            found[selection] = f"{selection} failed (run {record.run_id}): {error['message'].splitlines()[0]}"
    return found


def _writes(rule: Rule, record: RunRecord) -> bool:
    table = rule.options.get("table")
    return table is None or table in record.tables


def _failed_checks(rule: Rule, facts: Facts) -> dict[str, str]:
    """Checks, and dbt's tests, that did not pass the last time they ran."""
    last: dict[str, Mapping[str, Any]] = {}
    for record in facts.runs:
        for line in record.of("check", "test"):
            last[_check_of(line)] = line
    blocking_only = rule.options.get("blocking_only", True)
    table = rule.options.get("table")
    return {
        subject: check_message(line)
        for subject, line in last.items()
        if not _passed(line) and (not blocking_only or _blocks(line)) and table in (None, line.get("table"))
    }


def _check_of(line: Mapping[str, Any]) -> str:
    return f"{line['table']}: {line['name']}" if line.get("table") else str(line["name"])


def _passed(line: Mapping[str, Any]) -> bool:
    return bool(line["passed"]) if line["event"] == "check" else line["status"] in ("pass", "success", "skipped")


def _blocks(line: Mapping[str, Any]) -> bool:
    return bool(line["blocking"]) if line["event"] == "check" else line["status"] != "warn"


def _stale(rule: Rule, facts: Facts) -> dict[str, str]:
    table, limit = str(rule.options["table"]), float(rule.options["older_than_hours"])
    newest = facts.newest.get(table)
    if newest is None:
        return {table: f"{table} was never published"}
    hours = (facts.now - newest.at).total_seconds() / 3600
    return {table: f"{table} was last published {hours:.0f} hours ago (limit: {limit:g})"} if hours > limit else {}


def _rejected(rule: Rule, facts: Facts) -> dict[str, str]:
    """Tables of whose newest published loads too large a share was rejected."""
    found: dict[str, str] = {}
    for table, newest in facts.newest.items():
        read, rejected = (sum(getattr(each, name) for each in newest.loads) for name in ("rows_read", "rows_rejected"))
        if rule.options.get("table") in (None, table) and read and rejected / read > float(rule.options["share"]):
            found[table] = f"{table}: {rejected} of {read} rows were rejected ({rejected / read:.0%})"
    return found


def _rows(rule: Rule, facts: Facts) -> dict[str, str]:
    rows = facts.query(str(rule.options["sql"]))
    if not rows:
        return {}
    return {rule.name: f"{rule.name}: {_told(rows[:EXAMPLES])}" + ("; …" if len(rows) > EXAMPLES else "")}


def _told(rows: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(", ".join(f"{name} = {value}" for name, value in row.items()) for row in rows)
