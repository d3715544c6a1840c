"""The project's SQL (Trino's) as DuckDB SQL with the same results.

``reader`` reads it, ``rules`` and the modules that register there translate it node by node, ``writer`` writes it,
and ``macros`` hold what is decided by types, which DuckDB knows only when it binds. What can not be mapped is refused
by name.
"""

from __future__ import annotations

from functools import lru_cache

from phlo.engine.dialect import casts, comparisons, datetimes, functions, operators, queries, sqljson, strings
from phlo.engine.dialect.functions import known_functions
from phlo.engine.dialect.kinds import Kind, Tables, knowing
from phlo.engine.dialect.macros import macro_sql
from phlo.engine.dialect.reader import deeply, parse, read_once
from phlo.engine.dialect.rules import translate
from phlo.engine.dialect.tables import tables_in, tables_named, without_catalog
from phlo.engine.dialect.writer import write, write_as_read

__all__ = [
    "MACROS",
    "Kind",
    "Tables",
    "known_functions",
    "parse",
    "read_once",
    "tables_in",
    "tables_named",
    "to_duckdb",
]

MACROS: str = macro_sql()
"""SQL that makes all macros on a DuckDB connection, each after those it calls."""

_REGISTERED = (casts, comparisons, datetimes, functions, operators, queries, sqljson, strings)


@lru_cache(maxsize=1024)
def to_duckdb(sql: str, dialect: str = "trino", tables: Tables = ()) -> str:
    """Turn one statement of the project's dialect into DuckDB SQL, shorter where the columns of ``tables`` are known.

    A statement in ``duckdb`` means what it says, but for the catalog's name before a table's; it is written anew from
    its tree, so that what runs was checked.

    >>> to_duckdb("SELECT avg(sgv) AS mean FROM raw.entries", tables=(("raw.entries", (("sgv", Kind("integer")),)),))
    'SELECT avg("sgv") AS "mean" FROM "raw"."entries"'
    """
    tree = read_once(sql, dialect)
    if dialect == "duckdb":
        return deeply(lambda: write_as_read(without_catalog(tree)), sql)
    with knowing(tables):
        return deeply(lambda: write(translate(tree)), sql)
