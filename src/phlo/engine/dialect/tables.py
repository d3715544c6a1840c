"""Which tables of the catalog a statement reads."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import exp

from phlo.engine.dialect.reader import read_once

if TYPE_CHECKING:
    from phlo.engine.dialect.nodes import Node

CATALOGS = frozenset({"lake", "iceberg"})
"""What the catalog may be called before a namespace."""


@lru_cache(maxsize=1024)
def tables_named(sql: str, dialect: str = "trino") -> tuple[str, ...]:
    """List the tables that the text of a statement reads; a view's is asked for by each query on it.

    >>> tables_named("SELECT sgv FROM raw.entries")
    ('raw.entries',)
    """
    return tuple(tables_in(read_once(sql, dialect)))


def tables_in(tree: Node) -> list[str]:
    """List the tables that a statement reads, as ``namespace.name`` in lower case, each once, in order.

    Names that a WITH in scope defines are not tables. A name without a namespace that is none of those is returned as
    it is: no table has it.

    >>> tables_in(read_once('WITH a AS (SELECT 1) SELECT * FROM a JOIN lake.Raw."Entries" e ON true'))
    ['raw.entries']
    """
    found = (_name(table) for table in tree.find_all(exp.Table, bfs=False) if not _is_local(table))
    return list(dict.fromkeys(name for name in found if name))


def without_catalog(tree: Node) -> Node:
    """Take the catalog's name out of ``lake.namespace.name``: there is but one, and DuckDB would look for its own.

    >>> without_catalog(read_once("SELECT lake.raw.t.x FROM lake.raw.t", "duckdb")).sql("duckdb")
    'SELECT raw.t.x FROM raw.t'
    """
    if not any(_is_ours(table) for table in tree.find_all(exp.Table)):
        return tree
    copy: Node = tree.copy()
    for part in [found for found in copy.find_all(exp.Table, exp.Column) if _is_ours(found)]:
        part.set("catalog", None)
    return copy


def _is_ours(named: Node) -> bool:
    return bool(named.args.get("catalog")) and named.text("catalog").lower() in CATALOGS


def _name(table: exp.Table) -> str:
    return ".".join(part for part in (table.db, table.name) if part).lower()


def _is_local(table: exp.Table) -> bool:
    """Whether a WITH defines the name: one of an enclosing query, before the table's own place or recursive."""
    if table.db or not isinstance(table.this, exp.Identifier):
        return not isinstance(table.this, exp.Identifier)
    within: Node | None = None
    scope: Node | None = table.parent
    while scope is not None:
        with_ = scope.args.get("with_")
        if with_ is not None and _defines(with_, table.name.lower(), within):
            return True
        within = scope if isinstance(scope, exp.CTE) else within if isinstance(scope, exp.With) else None
        scope = scope.parent
    return False


def _defines(with_: exp.With, name: str, within: Node | None) -> bool:
    """Whether a WITH defines a name for its query, or for the definition ``within`` it."""
    for cte in with_.expressions:
        if cte is within and not with_.args.get("recursive"):
            return False
        if cte.alias.lower() == name:
            return True
        if cte is within:
            return False
    return False
