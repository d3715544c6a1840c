"""What runs amount to: how many succeeded, how long they took, how many rows went through them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.errors import InvalidPeriod

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from phlo.journal import RunRecord

PERIOD = re.compile(r"(\d+)\s*([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
COUNTED = ("success", "failed", "died")
"""Ends that count: what runs still, or was stopped by hand, says nothing of the pipeline."""


@dataclass(frozen=True)
class Figures:
    """What the runs of a period amount to."""

    runs: int
    succeeded: int
    rows: int
    """Rows that sources delivered, and rows that models made."""
    rejected: int
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    checks: int
    checks_passed: int
    assets: Mapping[str, int]
    """Rows by table, most first."""


@dataclass(frozen=True)
class AssetFigures:
    """What they amount to for one table."""

    table: str
    figures: Figures
    last_run: str
    """The id of the newest run that writes it."""
    last_status: str
    last_began: dt.datetime | None
    failing: tuple[str, ...]
    """What its checks said that failed the last time they ran."""


def of_runs(records: Iterable[RunRecord]) -> Figures:
    """Sum up finished runs."""
    counted = [record for record in records if record.status in COUNTED]
    return _figures(counted, [line for record in counted for line in record.lines])


def of_asset(table: str, records: Sequence[RunRecord]) -> AssetFigures:
    """Sum up the runs that write a table, and what they say of it."""
    mine = [record for record in records if table in record.tables or any(_about(line, table) for line in record.lines)]
    counted = [record for record in mine if record.status in COUNTED]
    lines = [line for record in counted for line in record.lines if _about(line, table)]
    last = mine[-1] if mine else None
    return AssetFigures(
        table,
        _figures(counted, lines),
        last.run_id if last else "",
        last.status if last else "",
        last.began if last else None,
        tuple(filter(None, newest_checks(mine).get(table, {}).values())),
    )


def newest_checks(records: Iterable[RunRecord], tests: Container[str] | None = None) -> dict[str, dict[str, str]]:
    """What each check of each table said the last time it ran, in one line: nothing, if it passed.

    A run has all checks of a table or none, and one that was published had those of all its tables: what it had not
    is no longer declared. Of dbt's data tests those in ``tests`` are, where that is known.
    """
    found: dict[str, dict[str, str]] = {}
    for record in sorted(records, key=lambda each: each.until):
        checked = {str(line.get("table", "")) for line in record.of("check")}
        for name in {*checked, *(record.tables if record.status == "success" else ())}:
            found[name] = {}
        for line in record.of("check", "test"):
            if tests is not None and line.get("kind") == "test" and str(line["name"]) not in tests:
                continue
            message = check_message(line)
            found.setdefault(str(line.get("table", "")), {})[str(line["name"])] = "" if _passed(line) else message
    return found


def check_message(line: Mapping[str, Any]) -> str:
    """Say in one line what a check found, or a test of dbt, whose messages do not name it."""
    message = str(line.get("message") or "").partition("\n")[0]
    return message if line["event"] == "check" and message else f"{line['name']}: {message or line.get('status')}"


def parse_period(text: str) -> dt.timedelta:
    """Read a period such as 30m, 24h, 7d or 4w; raise ``InvalidPeriod``.

    >>> parse_period("7d")
    datetime.timedelta(days=7)
    """
    found = PERIOD.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidPeriod(value=text)
    try:
        return dt.timedelta(**{UNITS[found[2]]: int(found[1])})
    except OverflowError as error:
        raise InvalidPeriod(value=text) from error


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that a share of all does not exceed; None of nothing.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5), percentile([3.0, 1.0], 0.95), percentile([], 0.5)
    (2.0, 3.0, None)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _figures(records: Sequence[RunRecord], lines: Sequence[Mapping[str, Any]]) -> Figures:
    seconds = [record.seconds for record in records if record.seconds is not None]
    assets = Counter[str]()
    for line in lines:
        assets[str(line.get("table", ""))] += _rows(line)
    checks = [line for line in lines if line["event"] in ("check", "test")]
    return Figures(
        runs=len(records),
        succeeded=sum(record.status == "success" for record in records),
        rows=sum(assets.values()),
        rejected=sum(line["rows_rejected"] for line in lines if line["event"] == "load"),
        mean_seconds=sum(seconds) / len(seconds) if seconds else None,
        p50_seconds=percentile(seconds, 0.5),
        p95_seconds=percentile(seconds, 0.95),
        checks=len(checks),
        checks_passed=sum(map(_passed, checks)),
        assets={table: rows for table, rows in assets.most_common() if rows},
    )


def _rows(line: Mapping[str, Any]) -> int:
    if line["event"] == "load":
        return int(line["rows_read"])
    return int(line.get("rows") or 0) if line["event"] == "model" else 0


def _about(line: Mapping[str, Any], table: str) -> bool:
    return line["event"] in ("load", "model", "check", "test") and line.get("table") == table


def _passed(line: Mapping[str, Any]) -> bool:
    return bool(line["passed"]) if line["event"] == "check" else line["status"] in ("pass", "success", "skipped")
