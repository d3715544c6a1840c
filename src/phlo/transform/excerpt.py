"""Where in the user's own files an error of compiled SQL is: its line, the lines around it and a caret below the word.

Jinja keeps most lines as they are and changes the rest, so a line of compiled SQL is looked for in the model's file:
lines that are equal pair off first, and what is between them is matched by likeness.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from phlo.errors import QuerySyntax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phlo.errors import PhloError

AROUND = 2
"""Lines shown before and after the one that an error is about."""

LIKE = 0.5
"""From which likeness on a line may be the one that Jinja made another of."""

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")


@dataclass(frozen=True)
class Source:
    """A file of the dbt project, with its path as the user would write it."""

    path: str
    text: str


@dataclass(frozen=True)
class Place:
    """A line of a file, from 1; ``column`` 0: somewhere in it."""

    source: Source
    line: int
    column: int = 0

    def __str__(self) -> str:
        at = f":{self.column}" if self.column else ""
        return f"{self.source.path}:{self.line}{at}"

    def excerpt(self) -> str:
        """Show the lines around, numbered, with a caret below the column."""
        lines = self.source.text.splitlines()
        first, last = max(1, self.line - AROUND), min(len(lines), self.line + AROUND)
        width = len(str(last))
        shown = []
        for number in range(first, last + 1):
            mark = ">" if number == self.line else " "
            shown.append(f"{mark} {number:>{width}} | {lines[number - 1]}".rstrip())
            if number == self.line and self.column:
                shown.append(f"  {'':>{width}} | {_blank(lines[number - 1][: self.column - 1])}^")
        return "\n".join(shown)


def told(error: PhloError, compiled: str, sources: Sequence[Source]) -> str:
    """Say an error of compiled SQL in the terms of the user's files: sentence, place, lines, and a hint of its own."""
    place = find(error, compiled, sources)
    about_sql = "where" in error.values or isinstance(error, QuerySyntax)
    detail = str(error.values["detail"]) if about_sql else re.sub(r" \(line \d+\)", "", str(error))
    # The hint of a query that failed is the place, which is shown.
    hint = [f"hint: {error.next_step}"] if error.next_step and "where" not in error.values else []
    return "\n".join([detail, *([str(place), place.excerpt()] if place else []), *hint])


def find(error: PhloError, compiled: str, sources: Sequence[Source]) -> Place | None:
    """Find the place that an error of compiled SQL is about in the first file that has it."""
    line, column = _position(error, compiled)
    lines = compiled.splitlines()
    if not 1 <= line <= len(lines):
        return None
    for source in sources:
        number = _counterpart(lines, line - 1, source.text.splitlines())
        if number is not None:
            return Place(source, number + 1, _column(lines[line - 1], column, source.text.splitlines()[number]))
    return None


def _position(error: PhloError, compiled: str) -> tuple[int, int]:
    """Line and column of the compiled SQL; a table that is not there is looked for by its name."""
    values = error.values
    line, column = values.get("line"), values.get("column", 0)
    if isinstance(line, int) and isinstance(column, int):
        return line, column or _word_at(compiled, line, str(values.get("name", "")))
    parts = str(values.get("name") or values.get("column") or "").split(".")
    spelt = r"\W{1,3}".join(map(re.escape, parts))  # each part may be in quotes
    wanted = re.compile(rf"\b{spelt}\b", re.IGNORECASE) if parts[-1] else None
    for number, text in enumerate(compiled.splitlines(), 1):
        if wanted and (found := wanted.search(text)):
            return number, found.start() + 1
    return 0, 0


def _word_at(compiled: str, line: int, word: str) -> int:
    lines = compiled.splitlines()
    if not word or not 1 <= line <= len(lines):
        return 0
    found = re.search(rf"\b{re.escape(word)}\b", lines[line - 1], re.IGNORECASE)
    return found.start() + 1 if found else 0


def _counterpart(compiled: Sequence[str], index: int, raw: Sequence[str]) -> int | None:
    """The line of a file that a compiled line was made from; None where none is like it."""
    left, right = [line.strip() for line in compiled], [line.strip() for line in raw]
    low, high = 0, len(right)
    for start, other, size in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        if start <= index < start + size:
            return other + index - start
        if start + size <= index and size:
            low = other + size
        elif start > index:
            high = min(high, other)
    likeness = {number: _likeness(left[index], right[number]) for number in range(low, high)}
    best = max(likeness, key=lambda number: likeness[number], default=None)
    return best if best is not None and likeness[best] >= LIKE else None


def _likeness(compiled: str, raw: str) -> float:
    """How much of the text of a line that Jinja leaves alone is in the compiled line."""
    plain = [part.strip() for part in _JINJA.split(raw) if part.strip()]
    if not plain:
        # All of it is Jinja: what it becomes can be anything.
        return LIKE if _JINJA.search(raw) else 0.0
    kept = sum(len(part) for part in plain if part.lower() in compiled.lower())
    return max(kept / sum(map(len, plain)), SequenceMatcher(None, compiled, raw).ratio()) if compiled else 0.0


def _column(compiled: str, column: int, raw: str) -> int:
    """The column of a file's line where the word at a column of the compiled line is; 0 where it is not."""
    if not column:
        return 0
    if compiled == raw:
        return column
    word = re.match(r'"?\w+"?|\S', compiled[column - 1 :])
    if word is None:
        return 0
    bare = word.group().strip('"')
    pattern = rf"\b{re.escape(bare)}\b" if bare[:1].isidentifier() else re.escape(bare)
    before = len(re.findall(pattern, compiled[: column - 1]))
    found = [match.start() + 1 for match in re.finditer(pattern, raw)]
    return found[min(before, len(found) - 1)] if found else 0


def _blank(text: str) -> str:
    """As much room as a text takes, so that what follows stands below."""
    return "".join(character if character == "\t" else " " for character in text)
