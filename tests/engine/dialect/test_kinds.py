"""What is told of types from the statement alone."""

from __future__ import annotations

import pytest

from phlo.engine.dialect import parse
from phlo.engine.dialect.kinds import kind_of


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("1", "integer"), ("1.5", "decimal"), ("1e0", "double"), ("'a'", "varchar"), ("x", ""), ("true", "boolean"),
        ("1 + 2", "integer"), ("1 + 2.5", "decimal"), ("1 * 2e0", "double"), ("1 + x", ""), ("(1)", "integer"),
        ("-1", "integer"), ("count(*)", "integer"), ("sum(1)", "integer"), ("sum(x)", ""), ("avg(1)", "double"),
        ("avg(x)", ""), ("avg(1.5)", ""), ("sqrt(x)", "double"), ("coalesce(x, 1)", ""),
        ("coalesce(1, 2.5)", "decimal"),
        ("coalesce(1, 2e0)", "double"), ("nullif(1, x)", "integer"), ("max(1)", "integer"), ("max(1, 2)", "array"),
        ("if(x, 1, 2)", "integer"), ("case when x then 1 else 2.5 end", "decimal"),
        ("case when x then 1 end", "integer"),
        ("case when x then y else 1 end", ""), ("cast(x as double)", "double"), ("date '2024-01-01'", "date"),
        ("date '2024-01-01' + interval '1' day", "date"), ("interval '1' day", "interval"),
        ("interval '1' day * 2", "interval"), ("count(*) filter (where x)", "integer"),
        ("sum(1) over (order by x)", "integer"), ("array[1]", "array"), ("now()", "timestamptz"),
        ("date_trunc('day', date '2024-01-01')", "date"), ("lag(1, 1, 2.5) over (order by x)", "decimal"),
    ],
)  # fmt: skip
def test_the_kind_of_an_expression(expression: str, name: str) -> None:
    assert kind_of(parse(f"SELECT {expression} FROM raw.t").selects[0]).name == name


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a", "integer"),
        ("WITH a AS (SELECT 1 AS x) SELECT a.x FROM a JOIN raw.b ON true", "integer"),
        ("WITH a(x, y) AS (SELECT 'v' AS y, 1 AS x) SELECT x FROM a", "varchar"),
        ("SELECT x FROM (SELECT 1 AS y, 'v' AS x) AS t(x, y)", "integer"),
        ("SELECT x FROM (SELECT * FROM (SELECT 2.5 AS x) AS i) AS t", "decimal"),
        ("SELECT x FROM (VALUES (1, 'a'), (2, 'b')) AS t(y, x)", "varchar"),
        ("SELECT x FROM (VALUES 1, 2.5) AS t(x)", "decimal"),
        ("SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2 AS x) AS t", "integer"),
        ("SELECT x FROM (SELECT 1 AS x UNION ALL SELECT 2.5 AS x) AS t", ""),
        ("SELECT x FROM raw.t", ""),
        ("WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT x FROM a", ""),
        ("SELECT x FROM (SELECT 1 AS x) a CROSS JOIN (SELECT 'v' AS x) b", ""),
    ],
)
def test_a_column_is_followed_to_what_it_stands_for(sql: str, name: str) -> None:
    assert kind_of(parse(sql).selects[0]).name == name


@pytest.mark.parametrize(
    ("expression", "digits"),
    [("cast(x as timestamp)", 3), ("cast(x as timestamp(0))", 0), ("ts", 6), ("localtimestamp(6)", 6), ("now()", 3)],
)
def test_the_digits_of_a_time(expression: str, digits: int) -> None:
    assert kind_of(parse(f"SELECT {expression} FROM raw.t").selects[0]).digits == digits
