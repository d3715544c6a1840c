"""The frozen records that decorators write and the rest of Phlo reads.

A decorator appends its record to ``declared``; ``project.py`` imports the workflows and collects the records.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from phlo.errors import InvalidDate, InvalidDeclaration, nearest, nearest_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


MergeStrategy = Literal["merge", "append", "replace"]
Deduplication = Literal["last", "first", "hash"]
OnInvalid = Literal["reject", "fail"]

RAW, REJECTED = "raw", "rejected"

SYSTEM_COLUMNS = ("partition_date", "_phlo_load_id", "_phlo_loaded_at")
"""Columns that Phlo adds to every raw row: date, string, timestamp in UTC."""


@dataclass(frozen=True)
class Source:
    """Where a declaration stands."""

    file: str
    line: int
    function: str

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Source:
        """Read it off a decorated function."""
        code = inspect.unwrap(function).__code__
        return cls(code.co_filename, code.co_firstlineno, function.__name__)

    def __str__(self) -> str:
        return f"{from_here(self.file)}:{self.line} ({self.function})"


@dataclass(frozen=True)
class Ingestion:
    """One ingested table: ``raw.<table_name>``."""

    table_name: str
    function: Callable[..., Any]
    source: Source
    unique_key: tuple[str, ...] = ()
    validation_schema: type[Any] | None = None
    group: str = "default"
    cron: str | None = None
    freshness_hours: tuple[float, float] | None = None
    merge_strategy: MergeStrategy = "append"
    deduplication: Deduplication = "last"
    max_rejected: float = 0.5
    on_invalid: OnInvalid = "reject"
    partition_start: dt.date | None = None
    partitioned: bool = True
    """Whether the function takes ``partition_date``."""
    description: str = ""

    @property
    def table(self) -> str:
        """The table's full name."""
        return f"{RAW}.{self.table_name}"

    @property
    def rejected_table(self) -> str:
        """Where its rejected rows go."""
        return f"{REJECTED}.{self.table_name}"


@runtime_checkable
class Check(Protocol):
    """Judges rows: ``execute`` gets a pandas DataFrame and returns ``{"passed", "violations", "total"}``.

    It may add ``"message"`` (one sentence) and ``"rows"`` (some violating rows, as dicts). A ``name`` attribute, where
    there is one, names the check in results; else its class does.

    >>> class Weekdays:
    ...     def execute(self, df):
    ...         late = int((df["day"] > 5).sum())
    ...         return {"passed": late == 0, "violations": late, "total": len(df)}
    >>> isinstance(Weekdays(), Check)
    True
    """

    def execute(self, df: Any) -> Mapping[str, Any]:
        """Judge the rows of a pandas DataFrame."""


def check_name(check: Check) -> str:
    """What a check calls itself, or its class."""
    name = getattr(check, "name", None)
    return name if isinstance(name, str) and name else type(check).__name__


@dataclass(frozen=True)
class Quality:
    """Checks of one table."""

    name: str
    table: str
    checks: Sequence[Check]
    source: Source
    group: str = "default"
    blocking: bool = True
    scope: Literal["changed", "table"] | None = None
    """None: rows of the partitions this run wrote on ``raw``, the whole table elsewhere."""
    description: str = ""


declared: list[Ingestion | Quality] = []
"""What the decorators have declared since the last ``clear()``, in order."""


def reject_unknown_options(where: str, given: Iterable[str], known: Iterable[str], source: Source) -> None:
    """Raise ``InvalidDeclaration`` for the first option that is unknown, naming the nearest right one."""
    names = list(known)
    for name in given:
        if name not in names:
            raise InvalidDeclaration(
                where=f"{where} in {source}",
                detail=f"there is no argument `{name}`{nearest(name, names)}",
                fix=f"its arguments are {', '.join(names)}",
            )


def reject_other_choices(where: str, name: str, value: object, allowed: Sequence[str], source: Source) -> None:
    """Raise ``InvalidDeclaration`` for a value that is none of those allowed, naming these and the nearest; or None."""
    if value is None or value in allowed:
        return
    listed = ", ".join(f'"{choice}"' for choice in allowed)
    likely = next(iter(nearest_names(str(value), allowed)), allowed[0])
    raise InvalidDeclaration(
        where=f"{where} in {source}",
        detail=f"{name}=`{value}` is none of {listed}{nearest(str(value), allowed)}".rstrip("."),
        fix=f'for {name}, write "{likely}"',
    )


def reject_positional(where: str, given: Sequence[object], example: str, source: Source) -> None:
    """Raise ``InvalidDeclaration`` for a decorator without parentheses, and for an argument without its name."""
    if not given:
        return
    detail = "it stands without parentheses" if callable(given[0]) else f"the argument `{given[0]!r}` has no name"
    raise InvalidDeclaration(where=f"{where} in {source}", detail=detail, fix=f"write {where}({example})")


DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_partition(value: str) -> dt.date:
    """Read a UTC day written as YYYY-MM-DD; raise ``InvalidDate`` for anything else.

    >>> parse_partition("2024-01-20")
    datetime.date(2024, 1, 20)
    """
    if not DATE.fullmatch(value):
        raise InvalidDate(value=value)
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise InvalidDate(value=value) from error


def today() -> dt.date:
    """Today's partition, in UTC."""
    return dt.datetime.now(dt.UTC).date()


EXTRACTING = "extracting"
"""The task whose progress counts loads."""


class Reporter(Protocol):
    """Whom long work tells how it goes; the command line renders it, tests and libraries may ignore it."""

    def step(self, message: str) -> None:
        """A step began or ended."""

    def warn(self, message: str) -> None:
        """Something a user should see, though work goes on."""

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """``done`` of ``total`` parts of a task are finished; ``rows`` rows so far."""


@dataclass
class SilentReporter:
    """Keeps what it is told and shows nothing."""

    messages: list[str] = field(default_factory=list)

    def step(self, message: str) -> None:
        """Keep a step."""
        self.messages.append(message)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.messages.append(message)

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """Ignore progress."""


def from_here(file: str) -> str:
    """Name a file from the working folder; as it is where that folder is gone."""
    try:
        return relative(file, Path.cwd())
    except OSError:
        return file


def relative(file: str, root: Path) -> str:
    """Name a file the way a user of the project would."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
