"""A DuckDB connection that speaks the dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest

from phlo.engine.dialect import MACROS, to_duckdb

Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(MACROS)
        yield con


@pytest.fixture
def ask(con: duckdb.DuckDBPyConnection) -> Ask:
    """Run a statement of the dialect and return its rows."""
    return lambda sql: con.execute(to_duckdb(sql)).fetchall()
