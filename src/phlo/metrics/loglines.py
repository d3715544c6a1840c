"""A journal's lines as people read logs: a time, a level, the run, and one sentence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from phlo.journal import RunRecord

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class LogLine:
    """One line of a log."""

    at: dt.datetime
    level: str
    run_id: str
    message: str
    table: str = ""
    """What it is about, where it is about one table."""


def log_lines(records: Iterable[RunRecord]) -> list[LogLine]:
    """Read runs as log lines, in order of time."""
    return sorted((line for record in records for line in _lines(record)), key=lambda line: line.at)


def keep(
    lines: Iterable[LogLine], *, table: str = "", level: str = "DEBUG", since: dt.datetime | None = None
) -> list[LogLine]:
    """Keep the lines of a level or worse, not older than a time, and about a table or naming it."""
    short = table.rpartition(".")[2]
    worst = LEVELS[LEVELS.index(level) :]
    return [
        line
        for line in lines
        if line.level in worst
        and (since is None or line.at >= since)
        and (not table or table in (line.table, line.table.rpartition(".")[2]) or _names(line, short))
    ]


def _names(line: LogLine, short: str) -> bool:
    return not line.table and short in line.message


def _lines(record: RunRecord) -> Iterator[LogLine]:
    for line in record.lines:
        level, message = _told(line)
        at = dt.datetime.fromisoformat(line["at"])
        yield LogLine(at, level, record.run_id, message, str(line.get("table") or line.get("asset") or ""))
    if record.status == "died":
        last = dt.datetime.fromisoformat(record.lines[-1]["at"])
        yield LogLine(last, "ERROR", record.run_id, f"{record.selection}: its process ended before the run did")


def _told(line: Mapping[str, Any]) -> tuple[str, str]:
    event = line["event"]
    if event == "log":
        return str(line["level"]), str(line["message"])
    return {
        "began": _began,
        "load": _load,
        "model": _node,
        "test": _node,
        "check": _check,
        "published": _published,
        "ended": _ended,
    }.get(event, _other)(line)


def _began(line: Mapping[str, Any]) -> tuple[str, str]:
    days = line["partitions"]
    span = "" if not days else f" for {days[0]}" if len(days) == 1 else f" for {days[0]} to {days[-1]}"
    return "INFO", f"began {line['selection']}{span} ({line['by']})"


def _load(line: Mapping[str, Any]) -> tuple[str, str]:
    what = f"{line['table']} {line['partition'] or ''}".strip()
    counts = f"{line['rows_read']:,} rows read, {line['rows_written']:,} new, {line['rows_updated']:,} updated"
    rejected = line["rows_rejected"]
    return "WARNING" if rejected else "INFO", f"{what}: {counts}, {rejected:,} rejected"


def _node(line: Mapping[str, Any]) -> tuple[str, str]:
    name, status = line.get("table") or line["name"], line["status"]
    if status in ("success", "pass"):
        rows = f", {line['rows']:,} rows" if line.get("rows") is not None and line["event"] == "model" else ""
        return "INFO", f"{name}: {status}, {line['seconds']:.1f} s{rows}"
    level = "WARNING" if status in ("warn", "skipped") else "ERROR"
    return level, f"{name}: {status}: {str(line.get('message') or '').partition(chr(10))[0]}"


def _check(line: Mapping[str, Any]) -> tuple[str, str]:
    level = "INFO" if line["passed"] else "ERROR" if line["blocking"] else "WARNING"
    return level, str(line["message"])


def _published(line: Mapping[str, Any]) -> tuple[str, str]:
    return "INFO", f"published {', '.join(line['changes']) or 'nothing'} as publish {line['seq']}"


def _ended(line: Mapping[str, Any]) -> tuple[str, str]:
    error = line.get("error")
    if not error:
        return "INFO", f"ended: {line['status']}"
    return "WARNING" if line["status"] == "interrupted" else "ERROR", f"{line['status']}: {error['message']}"


def _other(line: Mapping[str, Any]) -> tuple[str, str]:
    return "INFO", str(line["event"])
