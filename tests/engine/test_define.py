"""Only the macros that a statement needs, and all that these need."""

from __future__ import annotations

import re

import duckdb
import pytest

from phlo.engine.define import define, macros_for
from phlo.engine.dialect import MACROS, to_duckdb

QUERIES = [
    "SELECT 7 / 2, 7.0 / 2",
    "SELECT date_add('month', 1, DATE '2024-01-31'), date_trunc('week', DATE '2024-01-31')",
    "SELECT split_part('a-b', '-', 2), regexp_replace('abc', '(b)', '<$1>')",
    "SELECT json_extract_scalar('{\"a\": 1}', '$.a'), TRY(1 / 0)",
    "SELECT format_datetime(TIMESTAMP '2024-01-20 00:00:00', 'yyyy-MM-dd')",
    "SELECT CAST('12' AS integer), round(2.5), from_unixtime(0)",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_runs_the_same_with_its_macros_as_with_all(sql: str) -> None:
    statement = to_duckdb(sql)
    with duckdb.connect() as some, duckdb.connect() as everything:
        everything.execute(MACROS)
        for con in (some, everything):
            con.execute("SET TimeZone = 'UTC'")
            assert define(con, statement) == statement
        assert some.execute(statement).fetchall() == everything.execute(statement).fetchall()


def test_a_query_without_any_needs_none() -> None:
    assert macros_for("SELECT sgv FROM raw.entries") == ""


def test_macros_bring_those_that_they_call_and_no_others() -> None:
    statements = macros_for(to_duckdb(QUERIES[0]))
    named = set(re.findall(r"\w+", statements)) & defined(MACROS)
    assert named == defined(statements)
    assert 0 < len(named) < len(defined(MACROS)) / 2


def defined(statements: str) -> set[str]:
    return set(re.findall(r"CREATE OR REPLACE MACRO (\w+)", statements))


def test_every_macro_is_known() -> None:
    assert macros_for(MACROS).count("CREATE OR REPLACE MACRO") == MACROS.count("CREATE OR REPLACE MACRO")
