"""How records become text: tables, JSON and CSV on stdout, messages and progress on stderr."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import json
import math
import re
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager, ExitStack

    from phlo.profiles import Lake
    from phlo.project import Project


Entered = TypeVar("Entered")

_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal would act on, nobody would see, or no encoding has (half a character)."""

_HALF = re.compile("[\ud800-\udfff]")

FEW = 10
"""Parts of a task below which plain lines of progress say nothing that its steps do not."""


def current_project() -> Project:
    """Find the project that the command line names, or the one of the working folder."""
    from phlo.project import find_project

    return find_project(click.get_current_context().find_root().obj["project"])


def current_lake(*, writing: bool = False) -> Lake:
    """Open that project's lake; for ``writing`` it must be one that may be written."""
    from phlo.profiles import open_lake

    lake = open_lake(current_project())
    if writing:
        lake.catalog.check_writable()
    return lake


def confirm(question: str) -> None:
    """Ask before something is changed; stop where the answer is not yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        say("\nhint: --yes does it without asking")
        raise
    if not agreed:
        raise click.Abort


def elapsed() -> float:
    """How long the command has been going in seconds, start-up and all: what a watch says."""
    began: float = click.get_current_context().find_root().obj["began"]
    return time.monotonic() - began


def until_the_end(context: AbstractContextManager[Entered]) -> Entered:
    """Enter a context that is left when the command has said everything, also the error that ended it."""
    ending: ExitStack = click.get_current_context().find_root().obj["ending"]
    return ending.enter_context(context)


def say(message: str) -> None:
    """Tell the user something, on stderr."""
    click.echo(message, err=True)


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], *, right: Iterable[int] = ()) -> str:
    """Lay out rows as a plain table; columns in ``right`` (and all numbers) stand to the right.

    >>> print(table([["a", 1], ["bb", 20]], ["name", "rows"]))
    name  rows
    ----  ----
    a        1
    bb      20
    """
    cells = [[cell(value) for value in row] for row in rows]
    aligned = set(right) | {i for i in range(len(headers)) if rows and all(_is_number(row[i]) for row in rows)}
    widths = [max([len(headers[i]), *(len(row[i]) for row in cells)]) for i in range(len(headers))]

    def line(parts: Sequence[str]) -> str:
        laid = (part.rjust(widths[i]) if i in aligned else part.ljust(widths[i]) for i, part in enumerate(parts))
        return "  ".join(laid).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def cell(value: object) -> str:
    """Write one value for a person."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else str(value)
    if isinstance(value, (dict, list)):
        value = json.dumps(value, default=plain, ensure_ascii=False)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(value))


def dump(records: object) -> str:
    """Write records as JSON: ISO 8601 dates, exact integers and decimals, NaN as null.

    >>> dump([{"day": dt.date(2024, 1, 20), "mean": decimal.Decimal("136.00")}])
    '[{"day": "2024-01-20", "mean": 136.00}]'
    """
    return _encode(records)


def plain(value: object) -> Any:
    """Turn one value into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def plural(count: int, noun: str) -> str:
    """Count things.

    >>> plural(1, "row"), plural(8640, "row"), plural(2, "entry"), plural(30, "day")
    ('1 row', '8,640 rows', '2 entries', '30 days')
    """
    if count == 1:
        return f"1 {noun}"
    several = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{count:,} {several}"


def ago(time: dt.datetime, now: dt.datetime) -> str:
    """Say how long ago a time was.

    >>> noon = dt.datetime(2024, 1, 20, 12)
    >>> ago(noon, noon.replace(minute=5)), ago(noon, noon.replace(hour=13)), ago(noon, noon.replace(day=23))
    ('5 min ago', '1 h ago', '3 days ago')
    """
    seconds = (now - time).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    return f"{seconds // 3600:.0f} h ago" if seconds < 2 * 86400 else f"{seconds // 86400:.0f} days ago"


class ConsoleReporter:
    """Progress on stderr: a moving line on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.shown = False
        self.started = dt.datetime.now(dt.UTC)

    def step(self, message: str) -> None:
        """Say that a step began or ended."""
        self._clear()
        say(message)

    def warn(self, message: str) -> None:
        """Say something that the user should see."""
        self._clear()
        say(f"warning: {message}")

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """Show how far a task is, with rows a second and the time left."""
        seconds = max((dt.datetime.now(dt.UTC) - self.started).total_seconds(), 1e-3)
        left = seconds / done * (total - done) if done else 0
        speed = f", {plural(rows, 'row')}, {rows / seconds:,.0f} rows/s" if rows else ""
        text = f"{task}: {done}/{total}{speed}, {left:.0f} s left"
        if self.live:
            click.echo(f"\r\x1b[2K{text}", err=True, nl=False)
            self.shown = True
            if done == total:
                self._clear()
        elif total >= FEW and (done == total or done % (total // FEW) == 0):
            say(text)

    def _clear(self) -> None:
        if self.shown:
            click.echo("\r\x1b[2K", err=True, nl=False)
            self.shown = False


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool)


def _encode(value: object) -> str:
    """Encode by hand where ``json`` would lose digits: decimals stay exact."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f") if value.is_finite() else "null"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    if value is None or isinstance(value, (str, bool, int, float)):
        return _in_utf8(value)
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_encode(item) for item in value) + "]"
    return _encode(plain(value))


def _object(value: Mapping[Any, object]) -> str:
    return "{" + ", ".join(f"{_in_utf8(str(key))}: {_encode(v)}" for key, v in value.items()) + "}"


def _in_utf8(value: str | float | None) -> str:
    """Encode one value; half a character, which UTF-8 does not have, as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _HALF.search(text) else text
