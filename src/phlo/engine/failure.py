"""DuckDB's errors in Trino's words, about the SQL that the user wrote."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from phlo.engine.terms import in_trinos_words
from phlo.errors import QueryFailed
from phlo.iceberg.damaged import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STREAM = re.compile(r"^Invalid Input Error: reading the stream registered as '\w+' failed: IOError: ")
"""What a write puts before an error of the query whose rows it takes in."""


@contextmanager
def explained(sql: str) -> Iterator[None]:
    """Turn what the engine raises inside into ``QueryFailed`` about the user's SQL, or into the file that is broken."""
    try:
        yield
    except duckdb.Error as error:
        raise damaged(str(error)) or query_failed(error, sql) from error


@contextmanager
def reading_views(names: Sequence[str]) -> Iterator[None]:
    """Name the views that a query reads when it fails: the culprit may be in their SQL, which it does not show."""
    try:
        yield
    except QueryFailed as error:
        if names:
            error.next_step += f"; `phlo catalog describe {names[0]}` shows the SQL of a view that it reads"
        raise


def query_failed(error: Exception, sql: str) -> QueryFailed:
    r"""Turn an error of the engine into ``QueryFailed``, with the place in the user's SQL that it is about.

    Its values: ``detail`` in Trino's words, ``line`` and ``column`` (both 0 where they are unknown), ``text`` (that
    line) and ``where``, which says these for people. The engine points into the SQL it was given, which is the
    dialect's translation on a single line; what it points at is looked for in the user's.

    >>> error = ValueError('Binder Error: Referenced column "sgw" not found in FROM clause!\nCandidate bindings: "sgv"')
    >>> failed = query_failed(error, "SELECT *, \n sgw FROM raw.t")
    >>> str(failed), failed.next_step
    ('The query failed: column `sgw` cannot be resolved; did you mean `sgv`?', 'line 2: `sgw FROM raw.t`')
    """
    said, _, excerpt = _STREAM.sub("", str(error)).partition("\n\nLINE ")
    lines = sql.splitlines() or [""]
    words = [_pointed_at(excerpt), *re.findall(r"[\"'`](\w+)[\"'`]", said)]
    line, column = next((place for word in words if word and (place := _place(word, lines))), (0, 0))
    line = line or int(len(lines) == 1)
    text = lines[line - 1].strip() if line else ""
    where = f"line {line}: `{text}`" if line else f"in `{' '.join(sql.split())[:200]}`"
    return QueryFailed(detail=in_trinos_words(said), where=where, line=line, column=column, text=text)


def _pointed_at(excerpt: str) -> str:
    """The word above the engine's caret."""
    text, _, caret = f"LINE {excerpt}".partition("\n")
    position = caret.find("^")
    word = re.match(r"[\w.]+", text[position:].lstrip('"')) if position >= 0 else None
    return word.group() if word else ""


def _place(word: str, lines: list[str]) -> tuple[int, int] | None:
    """Line and column of the first occurrence of a word, both counted from 1."""
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    found = ((number, match) for number, line in enumerate(lines, 1) if (match := pattern.search(line)))
    return next(((number, match.start() + 1) for number, match in found), None)
