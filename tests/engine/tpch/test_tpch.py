"""TPC-H's 22 queries in Trino's SQL on the lake give what DuckDB gives when it reads them as its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from phlo.config import Settings
from phlo.engine.duckdb import DuckDBEngine
from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
QUERIES = [query.strip() for query in (HERE / "queries.sql").read_text().split(";;")]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tpch")]


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB by itself, with the tables in a schema of the lake's name."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA raw; USE raw")
        con.execute((HERE / "tables.sql").read_text())
        yield con


@pytest.fixture(scope="module")
def lake(plain: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """The same rows in Iceberg tables."""
    folder = tmp_path_factory.mktemp("tpch")
    catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", folder / "warehouse")
    catalog.create_ref("run-1")
    engine = DuckDBEngine(catalog, Settings(), folder / "temp")
    for name in TABLES:
        rows = plain.sql(f"SELECT * FROM raw.{name}").to_arrow_table()
        engine.write(f"raw.{name}", rows, "run-1", mode="append")
    yield engine
    catalog.close()


def test_the_tables_have_the_size_of_their_scale(plain: duckdb.DuckDBPyConnection) -> None:
    counts = [plain.sql(f"SELECT count(*) FROM raw.{name}").fetchall()[0][0] for name in TABLES]
    assert counts[:-1] == [5, 25, 1000, 15000, 20000, 80000, 150000]
    assert 590_000 < counts[-1] < 610_000
    assert len(QUERIES) == 22


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split("\n")[0])
def test_a_query_gives_what_duckdb_gives(query: str, lake: DuckDBEngine, plain: duckdb.DuckDBPyConnection) -> None:
    expected = plain.sql(query).fetchall()
    found = lake.query(query, lake.catalog.pin("run-1"))
    rows = list(zip(*(column.to_pylist() for column in found.columns), strict=True))
    assert len(rows) == len(expected) > 0
    assert all(_same(a, b) for row, other in zip(rows, expected, strict=True) for a, b in zip(row, other, strict=True))


def _same(a: Any, b: Any) -> bool:
    """Sums of doubles depend on the order in which threads add them."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9)
    return bool(a == b)
