"""Which tables a statement reads."""

from __future__ import annotations

import pytest

from phlo.engine.dialect import parse, tables_in


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", []),
        ("SELECT * FROM raw.entries", ["raw.entries"]),
        ('SELECT * FROM "RAW"."Entries"', ["raw.entries"]),
        ("SELECT * FROM lake.raw.entries", ["raw.entries"]),
        ("SELECT * FROM iceberg.raw.entries e JOIN raw.entries f ON e.id = f.id", ["raw.entries"]),
        ("SELECT * FROM raw.a, raw.b LEFT JOIN raw.c USING (x)", ["raw.a", "raw.b", "raw.c"]),
        ("SELECT (SELECT max(x) FROM raw.a) FROM raw.b WHERE x IN (SELECT x FROM raw.c)", ["raw.a", "raw.b", "raw.c"]),
        ("SELECT * FROM raw.a UNION SELECT * FROM raw.b EXCEPT SELECT * FROM raw.c", ["raw.a", "raw.b", "raw.c"]),
        ("WITH a AS (SELECT * FROM raw.x), b AS (SELECT * FROM a) SELECT * FROM b JOIN a USING (k)", ["raw.x"]),
        ("WITH a AS (SELECT 1) SELECT * FROM A", []),
        ("WITH a AS (SELECT 1) SELECT * FROM raw.a", ["raw.a"]),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ["a"]),
        ("WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a) SELECT * FROM a", []),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) CROSS JOIN a", ["a"]),
        ("SELECT * FROM entries", ["entries"]),
        ("SELECT * FROM raw.t CROSS JOIN UNNEST(t.items) AS u(x)", ["raw.t"]),
        ("SELECT * FROM (VALUES 1) AS v(x) WHERE EXISTS (SELECT 1 FROM raw.t WHERE t.x = v.x)", ["raw.t"]),
        ("TABLE raw.t", ["raw.t"]),
    ],
)  # fmt: skip
def test_tables_are_found_wherever_they_stand(sql: str, tables: list[str]) -> None:
    assert sorted(tables_in(parse(sql))) == sorted(tables)


def test_a_name_is_hidden_only_where_its_with_reaches() -> None:
    sql = "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a"
    assert tables_in(parse(sql)) == ["b"]


def test_tables_of_duckdbs_dialect_are_found_too() -> None:
    assert tables_in(parse("FROM raw.t SELECT x", "duckdb")) == ["raw.t"]
