"""Which statements may run as queries: one that reads the catalog's tables, and does nothing else.

The lists say what is allowed; all else is refused. DuckDB itself is locked as well (see ``engine.duckdb``): this is the
door, that is the wall.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot import exp

from phlo.engine.dialect import known_functions
from phlo.engine.dialect.json_grammar import SqlJson
from phlo.engine.dialect.reader import DIALECT
from phlo.errors import QueryNotAllowed, nearest

if TYPE_CHECKING:
    from phlo.engine.dialect.nodes import Node

TABLE_FUNCTIONS = frozenset({"generate_series", "range", "table", "sequence", "unnest"})
HIDDEN_SCHEMAS = frozenset({"information_schema", "main", "pg_catalog", "sys", "system", "temp"})

_STATEMENTS = (exp.Query, exp.Values, exp.Table)
_WRITES = (exp.DDL, exp.DML, exp.Command, exp.Into, exp.Lock, exp.Copy, exp.Set, exp.SetItem, exp.Pragma, exp.Attach,
           exp.Detach, exp.Use, exp.Merge, exp.Drop, exp.Alter, exp.Transaction, exp.Commit, exp.Rollback, exp.Kill,
           exp.LoadData, exp.TruncateTable, exp.Analyze, exp.Describe, exp.Summarize)  # fmt: skip
_UNBOUND = (exp.Parameter, exp.SessionParameter, exp.Placeholder)
_SESSION = (exp.CurrentCatalog, exp.CurrentRole, exp.CurrentSchema, exp.CurrentUser, exp.SessionUser)
_TABLE_NAME = re.compile(r"[^/\\*?:'\"$@#.{}\[\]()]+")
_INTERNAL = re.compile(r"(duckdb|pragma|sqlite|pg)_", re.IGNORECASE)


def check_read_only(tree: Node) -> None:
    """Raise ``QueryNotAllowed`` for anything but a query over the catalog's tables.

    >>> from phlo.engine.dialect import parse
    >>> check_read_only(parse("SELECT count(*) FROM raw.entries"))
    >>> check_read_only(parse("DELETE FROM raw.entries"))
    Traceback (most recent call last):
    phlo.errors.QueryNotAllowed: `DELETE` is not allowed in a query: queries only read
    """
    if not isinstance(tree, _STATEMENTS) or isinstance(tree, exp.DDL | exp.DML):
        raise QueryNotAllowed(what=_word(tree), why="queries only read")
    dialect = tree.meta.get(DIALECT, "trino")
    for node in tree.walk():
        _check(node, dialect)


def _check(node: Node, dialect: str) -> None:
    if isinstance(node, _WRITES) and not isinstance(node, exp.Query):
        raise QueryNotAllowed(what=_word(node), why="queries only read")
    if isinstance(node, _UNBOUND):
        raise QueryNotAllowed(what=node.sql(), why="there is nothing to take its place")
    if isinstance(node, _SESSION):
        raise QueryNotAllowed(what=node.sql(), why="it tells of the session, not of the data")
    if isinstance(node, exp.Table):
        _check_table(node)
    elif isinstance(node, exp.Func):
        _check_function(node, dialect)


def _check_table(table: exp.Table) -> None:
    if isinstance(table.this, SqlJson):
        return  # JSON_TABLE: rows of a value
    if isinstance(table.this, exp.Func):
        name = _name(table.this)
        if name not in TABLE_FUNCTIONS:
            raise QueryNotAllowed(what=name, why="a query reads the catalog's tables; it is no function on the list")
        return
    parts = [part.name for part in table.parts]
    if not isinstance(table.this, exp.Identifier) or not all(_TABLE_NAME.fullmatch(part) for part in parts):
        raise QueryNotAllowed(what=table.sql("trino"), why="a query reads the catalog's tables, not files")
    if any(part.lower() in HIDDEN_SCHEMAS for part in parts[:-1]) or _INTERNAL.match(parts[-1]):
        raise QueryNotAllowed(what=table.sql("trino"), why="it is the engine's own; SHOW TABLES lists the catalog's")


def _check_function(node: exp.Func, dialect: str) -> None:
    if not isinstance(node, exp.Anonymous):
        return  # CAST, EXTRACT and the like: the readers make no others
    name = _name(node)
    inside_table = isinstance(node.parent, exp.Table)
    if name in allowed_functions() or (inside_table and name in TABLE_FUNCTIONS) or name in known_functions():
        return
    if dialect == "trino" and name not in refused_functions():
        return  # the dialect knows each function by name, and has a word on what is missing
    why = f"it is not on the list of functions{nearest(name, allowed_functions()).removesuffix('.')}"
    raise QueryNotAllowed(what=name, why=why)


def _name(node: exp.Func) -> str:
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _word(node: Node) -> str:
    word = str(node.this) if isinstance(node, exp.Command) else node.key
    return word.upper()


@lru_cache(maxsize=1)
def allowed_functions() -> frozenset[str]:
    """List DuckDB's functions that compute from their arguments alone."""
    return frozenset((files("phlo.engine") / "duckdb_functions.txt").read_text(encoding="utf-8").split())


@lru_cache(maxsize=1)
def refused_functions() -> frozenset[str]:
    """List names that stand for the engine's files, settings or state, for a word plainer than "unknown"."""
    names = """arrow_scan checkpoint currval current_setting getenv getvariable glob nextval parquet_scan pg_sleep query
        query_table read_blob read_csv read_csv_auto read_json read_json_auto read_ndjson read_parquet read_text
        set_config setval sleep_ms sniff_csv version which_secret write_log"""
    return frozenset(names.split())
