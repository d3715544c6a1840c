"""The dialect's macros, as many as a statement needs: all of them take DuckDB 0.1 CPU s to parse."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from phlo.engine.dialect import MACROS
from phlo.engine.functions import register

_STATEMENT = re.compile(r"^CREATE OR REPLACE MACRO (\w+).*?;$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")


def define(con: Any, sql: str) -> str:
    """Make the macros and the Python functions that a translated statement names known to a connection.

    Returns the statement.
    """
    con.execute(macros_for(sql))
    register(con, sql)
    return sql


def macros_for(sql: str) -> str:
    """Return the statements that define the macros a statement names, and those that these name.

    >>> macros_for("SELECT sgv FROM raw.entries")
    ''
    """
    known = _macros()
    needed: set[str] = set()
    found = _names(sql)
    while found:
        needed |= found
        found = {name for macro in found for name in known[macro][1]} - needed
    return "\n".join(statement for name, (statement, _) in known.items() if name in needed)


@lru_cache(maxsize=1)
def _macros() -> dict[str, tuple[str, frozenset[str]]]:
    """Map each macro to its statement, and to the macros that it names; in an order in which they can be made."""
    statements = {found[1].lower(): found[0] for found in _STATEMENT.finditer(MACROS)}
    return {name: (text, frozenset(_words(text) & statements.keys())) for name, text in statements.items()}


def _names(sql: str) -> set[str]:
    return _words(sql) & _macros().keys()


def _words(sql: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(sql)}
