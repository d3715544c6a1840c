"""The project's SQL over Arrow tables in memory: no lake, no files, the same dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from phlo.engine.define import define
from phlo.engine.dialect import parse, to_duckdb
from phlo.engine.duckdb import run
from phlo.engine.guard import check_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def query_arrow(sql: str, tables: Mapping[str, pa.Table], dialect: str = "trino") -> pa.Table:
    """Run one read-only statement over tables given by name; raises the same errors as the engine does.

    >>> import pyarrow as pa
    >>> query_arrow("SELECT count_if(sgv > 180) AS high FROM readings", {"readings": pa.table({"sgv": [110, 210]})})
    pyarrow.Table
    high: int64
    ----
    high: [[1]]
    """
    check_read_only(parse(sql, dialect))
    statement = to_duckdb(sql, dialect)
    with duckdb.connect(config={"python_enable_replacements": "false", "autoload_known_extensions": "false"}) as con:
        for name, table in tables.items():
            con.register(name, table)
        con.execute("SET TimeZone = 'UTC'")
        define(con, statement)
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        return run(con, statement, sql)
