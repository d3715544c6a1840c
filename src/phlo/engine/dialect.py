"""The project's SQL (Trino's) as DuckDB SQL with the same results."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from phlo.errors import QuerySyntax

MACROS = "SELECT 1;"


def parse(sql: str, dialect: str = "trino") -> exp.Expression:
    """Parse one statement; raise ``QuerySyntax`` with line, column and the line itself where that fails."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise _syntax_error(
            sql, first.get("line") or 1, first.get("col") or 1, str(first.get("description"))
        ) from error
    except TokenError as error:
        raise _syntax_error(sql, 1, 1, str(error)) from error
    if len(trees) != 1:
        raise _syntax_error(sql, 1, 1, f"expected one statement, found {len(trees)}")
    return trees[0]


@lru_cache(maxsize=1024)
def to_duckdb(sql: str, dialect: str = "trino") -> str:
    """Turn one statement of the project's dialect into DuckDB SQL; ``duckdb`` passes through.

    >>> to_duckdb("SELECT approx_distinct(x) FROM t")
    'SELECT APPROX_COUNT_DISTINCT(x) FROM t'
    """
    if dialect == "duckdb":
        return sql
    return parse(sql, dialect).sql(dialect="duckdb")


def tables_in(tree: exp.Expression) -> list[str]:
    """List the catalog tables that a statement reads, as ``namespace.name``, each once, in order."""
    from sqlglot.optimizer.scope import traverse_scope

    found: dict[str, None] = {}
    for scope in traverse_scope(tree):
        for table in scope.tables:
            if table.name and not (
                not table.db and table.name in scope.sources and not isinstance(scope.sources[table.name], exp.Table)
            ):
                found[f"{table.db}.{table.name}" if table.db else table.name] = None
    return list(found)


def _syntax_error(sql: str, line: int, column: int, detail: str) -> QuerySyntax:
    lines = sql.splitlines() or [""]
    return QuerySyntax(line=line, column=column, detail=detail, text=lines[min(line, len(lines)) - 1].strip())
