"""Queries: names, joins, UNNEST, order, and the clauses that are no part of Trino's SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phlo.engine.dialect import to_duckdb
from phlo.errors import QuerySyntax, UnsupportedFunction

if TYPE_CHECKING:
    import duckdb
    from tests.engine.dialect.conftest import Ask


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1, 'a' AS b, count(*)", ["_col0", "b", "_col2"]),
        ("SELECT x, t.x, X AS y, x + 1 FROM (VALUES 1) AS t(x)", ["x", "x", "y", "_col3"]),
        ("VALUES (1, 2)", ["_col0", "_col1"]),
        ("SELECT * FROM (VALUES (1, 2))", ["_col0", "_col1"]),
        ("WITH a AS (SELECT 1) SELECT * FROM a", ["_col0"]),
        ("SELECT * FROM UNNEST(ARRAY[1], ARRAY[2]) WITH ORDINALITY", ["_col0", "_col1", "_col2"]),
        ('SELECT "dateString" FROM (VALUES 1) AS t("dateString")', ["dateString"]),
        ("SELECT r.a FROM (SELECT cast(row(1) AS row(a integer)) AS r)", ["a"]),
    ],
)
def test_columns_have_trinos_names(sql: str, names: list[str], con: duckdb.DuckDBPyConnection) -> None:
    assert [column[0] for column in con.execute(to_duckdb(sql)).description] == names


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * EXCLUDE (a) FROM raw.t",
        "SELECT * REPLACE (1 AS a) FROM raw.t",
        "SELECT DISTINCT ON (a) a FROM raw.t",
        "SELECT * FROM raw.a NATURAL JOIN raw.b",
        "SELECT * FROM raw.a SEMI JOIN raw.b ON true",
        "SELECT * FROM raw.a ASOF JOIN raw.b ON a.x >= b.x",
        "SELECT * FROM raw.a UNION ALL CORRESPONDING SELECT * FROM raw.b",
        "SELECT a FROM raw.t GROUP BY ALL",
        "SELECT a FROM raw.t ORDER BY a OFFSET 1 FETCH NEXT 2 ROWS WITH TIES",
        "SELECT a FROM raw.t ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES",
        "SELECT a FROM raw.t TABLESAMPLE BERNOULLI (x)",
        "SELECT * FROM raw.t FOR VERSION AS OF 123",
        "SELECT * FROM raw.t FOR TIMESTAMP AS OF now()",
        "SELECT * FROM other.raw.t",
        "SELECT * FROM TABLE(exclude_columns(a))",
        "SELECT * FROM raw.t MATCH_RECOGNIZE (PARTITION BY a ORDER BY b PATTERN (x+) DEFINE x AS a > 1)",
        "SELECT (r).* FROM raw.t",
        "SELECT x[1:2] FROM raw.t",
        "SELECT x ILIKE 'a' FROM raw.t",
        "SELECT x ~ 'a' FROM raw.t",
        "SELECT x -> 'a' FROM raw.t",
        "VALUES 2, 1 ORDER BY 1 LIMIT 1",
        "SELECT * FROM raw.t PIVOT (sum(x) FOR y IN ('a'))",
        "SELECT x COLLATE nocase FROM raw.t",
        "SELECT x FROM raw.t QUALIFY row_number() OVER () = 1",
        "SELECT @x FROM raw.t",
        "SELECT cast(1 AS char(3)) FROM raw.t",
        "SELECT ipaddress '10.0.0' FROM raw.t",
    ],
)
def test_clauses_of_other_dialects_are_refused(sql: str) -> None:
    with pytest.raises((UnsupportedFunction, QuerySyntax)):
        to_duckdb(sql)


def test_an_order_by_expression_means_the_output(ask: Ask) -> None:
    assert ask("SELECT -x AS x FROM (VALUES 1, 3, 2) t(x) ORDER BY x + 0") == [(-3,), (-2,), (-1,)]
    assert ask("SELECT -x AS y FROM (VALUES 1, 3, 2) t(x) ORDER BY x") == [(-1,), (-2,), (-3,)]
    assert ask("SELECT y, sum(x) AS x FROM (VALUES (1, 'a'), (5, 'b')) t(x, y) GROUP BY y ORDER BY -sum(x)") == [
        ("b", 5),
        ("a", 1),
    ]


def test_nulls_come_last_in_both_directions(ask: Ask) -> None:
    assert ask("SELECT x FROM (VALUES 1, NULL, 2) t(x) ORDER BY x DESC") == [(2,), (1,), (None,)]
    assert ask("SELECT array_agg(x ORDER BY x DESC) FROM (VALUES 1, NULL, 2) t(x)") == [([2, 1, None],)]


def test_unnest_pads_with_null_and_counts(ask: Ask) -> None:
    sql = """SELECT id, x, y, n FROM (VALUES (1, ARRAY[1, 2], ARRAY['a'])) t(id, a, b)
             CROSS JOIN UNNEST(a, b) WITH ORDINALITY AS u(x, y, n) ORDER BY n"""
    assert ask(sql) == [(1, 1, "a", 1), (1, 2, None, 2)]


def test_unnest_of_rows_and_maps_makes_columns(ask: Ask) -> None:
    assert ask("SELECT * FROM UNNEST(ARRAY[ROW(1, 'a'), ROW(2, 'b')]) AS t(x, y)") == [(1, "a"), (2, "b")]
    assert ask("SELECT * FROM UNNEST(map(ARRAY['a', 'b'], ARRAY[1, 2])) AS t(k, v) ORDER BY k") == [("a", 1), ("b", 2)]


def test_a_left_join_keeps_rows_with_empty_and_null_arrays(ask: Ask) -> None:
    sql = """SELECT id, x FROM (VALUES (1, ARRAY[7]), (2, ARRAY[]), (3, NULL)) t(id, a)
             LEFT JOIN UNNEST(a) AS u(x) ON true ORDER BY id"""
    assert ask(sql) == [(1, 7), (2, None), (3, None)]


def test_reserved_words_of_either_dialect_are_names(ask: Ask) -> None:
    assert ask('SELECT date, "select", offset FROM (VALUES (1, 2, 3)) AS t(date, "select", offset)') == [(1, 2, 3)]


def test_a_catalog_prefix_is_dropped() -> None:
    assert to_duckdb("SELECT lake.raw.t.x FROM lake.raw.t") == 'SELECT "raw"."t"."x" FROM "raw"."t"'


def test_comments_do_not_reach_the_engine() -> None:
    assert to_duckdb("SELECT 1 AS x -- note\n/* more */") == 'SELECT 1 AS "x"'
