"""DuckDB's errors in words about the SQL that the user wrote."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from phlo.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAM = re.compile(r"^Invalid Input Error: reading the stream registered as '\w+' failed: IOError: ")
"""What a write puts before an error of the query whose rows it takes in."""


@contextmanager
def explained(sql: str) -> Iterator[None]:
    """Turn what the engine raises inside into ``QueryFailed`` about the user's SQL."""
    try:
        yield
    except duckdb.Error as error:
        raise query_failed(error, sql) from error


def query_failed(error: Exception, sql: str) -> QueryFailed:
    r"""Turn an error of the engine into ``QueryFailed``, with the line of the user's SQL that it is about.

    The engine points into the SQL it was given, which is the dialect's translation on a single line; what it points
    at is looked for in the user's.

    >>> failed = query_failed(ValueError('Binder Error: no column "sgw"'), "SELECT *, \n sgw FROM raw.t")
    >>> str(failed), failed.next_step
    ('The query failed: Binder Error: no column "sgw"', 'line 2: `sgw FROM raw.t`')
    """
    detail, _, excerpt = _STREAM.sub("", str(error)).partition("\n\nLINE ")
    lines = sql.splitlines() or [""]
    words = [_pointed_at(excerpt), *re.findall(r"[\"'`](\w+)[\"'`]", detail)]
    number = next((number for word in words if word and (number := _line(word, lines))), len(lines) == 1)
    where = f"line {number:d}: `{lines[number - 1].strip()}`" if number else f"in `{' '.join(sql.split())[:200]}`"
    return QueryFailed(detail=" ".join(detail.split()), where=where)


def _pointed_at(excerpt: str) -> str:
    """The word above the engine's caret."""
    text, _, caret = f"LINE {excerpt}".partition("\n")
    position = caret.find("^")
    word = re.match(r"[\w.]+", text[position:].lstrip('"')) if position >= 0 else None
    return word.group() if word else ""


def _line(word: str, lines: list[str]) -> int:
    """The first line that holds a word, counted from 1; 0 where none does."""
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    return next((number for number, line in enumerate(lines, 1) if pattern.search(line)), 0)
