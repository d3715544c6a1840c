"""Arrow tables beside those of the catalog: a statement reads them under names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from phlo.engine.dialect import Kind
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from phlo.engine.dialect import Tables


def give(con: DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> Tables:
    """Make tables of text and whole numbers known to a connection as ``namespace.name``; return their kinds."""
    for name, rows in tables.items():
        namespace, _, short = name.partition(".")
        con.register(f"given_{namespace}_{short}", rows)
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(namespace)}")
        selected = f"SELECT * FROM {quoted(f'given_{namespace}_{short}')}"
        con.execute(f"CREATE OR REPLACE VIEW {quoted(namespace)}.{quoted(short)} AS {selected}")
    return tuple((name, tuple((each.name, _kind(each.type)) for each in rows.schema)) for name, rows in tables.items())


def _kind(type_: pa.DataType) -> Kind:
    return Kind("integer" if pa.types.is_integer(type_) else "varchar")
