"""A statement over columns of known types is shorter, and gives the same."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.engine.dialect import MACROS, Kind, parse, to_duckdb
from phlo.engine.dialect.kinds import kind_of, knowing
from phlo.errors import PhloError

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = {
    "i": ("integer", "CAST(7 AS INTEGER)"),
    "d": ("double", "CAST(2.5 AS DOUBLE)"),
    "f": ("real", "CAST(1.1 AS FLOAT)"),
    "n": ("decimal", "CAST(12.34 AS DECIMAL(10, 2))"),
    "s": ("varchar", "'2024-03-01'"),
    "b": ("boolean", "true"),
    "da": ("date", "DATE '2024-01-20'"),
    "ts": ("timestamp", "TIMESTAMP '2024-01-20 10:11:12.123456'"),
    "tz": ("timestamptz", "TIMESTAMPTZ '2024-01-20 10:11:12.123+00'"),
    "a": ("array", "[1, 2, 3]"),
}
VIEW = "SELECT i / 2 AS half, d, t.* FROM raw.t AS t"
TABLES = (("raw.t", tuple((name, Kind(kind)) for name, (kind, _) in COLUMNS.items())), ("silver.v", VIEW))


def typed(sql: str) -> str:
    return to_duckdb(sql, tables=TABLES)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT avg(i) FROM raw.t",
        "SELECT avg(x.d) FROM RAW.T AS X",
        "SELECT avg(v.half) FROM silver.v AS v",
        "SELECT avg(f0) FROM (SELECT i + 1 AS f0 FROM raw.t)",
        "WITH a AS (SELECT t.* FROM raw.t AS t) SELECT avg(i) FROM a",
        "SELECT avg(i) OVER (ORDER BY s) FROM raw.t",
    ],
)
def test_a_mean_of_integers_or_doubles_is_one_aggregate(sql: str) -> None:
    assert "phlo_avg" not in typed(sql)
    assert "phlo_avg" in to_duckdb(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT avg(f) FROM raw.t",  # of reals Trino's mean is a real
        "SELECT avg(n) FROM raw.t",
        "SELECT avg(i) FROM raw.other",
        "SELECT avg(i) FROM raw.t AS t(i, j)",
        "SELECT avg(i) FROM raw.t JOIN silver.v ON true",
        "WITH t AS (SELECT n AS i FROM raw.t) SELECT avg(i) FROM t",
        "SELECT avg(half) FROM raw.t",
    ],
)
def test_what_is_not_sure_to_be_one_is_left_to_duckdb(sql: str) -> None:
    assert "phlo_avg" in typed(sql)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT CAST(i AS double) AS i FROM raw.t ORDER BY i", "double"),
        ("SELECT CAST(i AS double) AS i FROM raw.t ORDER BY t.i", "integer"),
        ("SELECT CAST(i AS double) AS j FROM raw.t ORDER BY i", "integer"),
        ("SELECT i FROM raw.t ORDER BY i", "integer"),
    ],
)
def test_in_order_by_a_name_that_select_gives_comes_before_the_table_s(sql: str, kind: str) -> None:
    with knowing(TABLES):
        assert kind_of(parse(sql).args["order"].expressions[0].this).name == kind


def test_a_statement_is_translated_anew_once_a_column_has_another_type() -> None:
    sql = "SELECT avg(x) AS mean FROM raw.u"
    whole, exact = (to_duckdb(sql, tables=(("raw.u", (("x", Kind(kind)),)),)) for kind in ("integer", "decimal"))
    assert "phlo_avg" not in whole
    assert "phlo_avg" in exact


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(MACROS)
        values = ", ".join(f"{value} AS {name}" for name, (_, value) in COLUMNS.items())
        con.execute(f"CREATE SCHEMA raw; CREATE TABLE raw.t AS SELECT {values}")
        con.execute("INSERT INTO raw.t (i, s) VALUES (NULL, 'x')")
        yield con


PAIRS = [f"{one} {sign} {other}" for one, other in product(COLUMNS, COLUMNS) for sign in ("+", "/", "<")]
CALLS = [
    f"{call.format(name)}"
    for name in COLUMNS
    for call in ("avg({0})", "sum({0})", "avg({0} * 2)", "CAST({0} AS varchar)", "CAST({0} AS date)", "round({0})",
                 "to_iso8601({0})", "coalesce({0}, {0})", "date_trunc('day', {0})", "date_diff('day', {0}, {0})",
                 "array_agg({0})", "CAST({0} AS json)")
]  # fmt: skip


def test_it_never_gives_another_value_or_type_than_without_them(con: duckdb.DuckDBPyConnection) -> None:
    compared = 0
    for expression in [*PAIRS, *CALLS]:
        sql = f"SELECT {expression} AS v FROM raw.t"
        with_columns, without = result(con, sql, typed=True), result(con, sql, typed=False)
        if with_columns and without:
            compared += 1
            assert with_columns == without, expression
    assert compared > 90


def result(con: duckdb.DuckDBPyConnection, sql: str, *, typed: bool) -> str | None:
    """The type and the values; None where it is refused, which may come sooner where types are known."""
    try:
        rows = con.sql(to_duckdb(sql, tables=TABLES if typed else ()))
        return f"{rows.types} {rows.fetchall()}"
    except (PhloError, duckdb.Error):
        return None
