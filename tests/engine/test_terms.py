"""DuckDB's sentences in Trino's words."""

from __future__ import annotations

import duckdb
import pytest

from phlo.engine.dialect import MACROS, to_duckdb
from phlo.engine.terms import in_trinos_words, trino_type

SAID = {
    "SELECT CAST('abc' AS integer)": "not a whole number: abc",
    "SELECT CAST(x AS tinyint) FROM (VALUES 300) t(x)": "out of range for tinyint: 300",
    "SELECT 2147483647 + x FROM (VALUES 1) t(x)": "integer addition overflow: 2147483647 + 1",
    "SELECT CAST(x AS decimal(4, 1)) FROM (VALUES 12345.5) t(x)":
        "cannot cast '12345.5' to decimal(4,1): it is out of range",
    "SELECT 1 / x FROM (VALUES 0) t(x)": "division by zero",
    "SELECT y FROM (VALUES 1) t(x)": "column `y` cannot be resolved",
    "SELECT sgw FROM (VALUES 1) t(sgv)": "column `sgw` cannot be resolved; did you mean `sgv`?",
    "SELECT t.y FROM (VALUES 1) t(x)": "column `t.y` cannot be resolved",
    "SELECT x, count(*) FROM (VALUES 1) t(x)": "`x` must be an aggregate expression or appear in GROUP BY clause",
    "SELECT * FROM nowhere": "table `nowhere` does not exist",
    "SELECT x FROM (VALUES 1) a(x), (VALUES 1) b(x)": "column `x` is ambiguous: write `a.x` or `b.x`",
    "SELECT sqrt(x) FROM (VALUES date '2024-01-01') t(x)": "unexpected parameters (date) for function sqrt",
    "SELECT x + y FROM (SELECT element_at(ARRAY[date '2024-01-01'], 1), element_at(ARRAY[true], 1)) t(x, y)":
        "cannot apply operator: date + boolean",
    "SELECT (SELECT x FROM (VALUES 1, 2) t(x))": "a subquery that stands for a value returned more than one row",
    "SELECT date_parse(x, '%Y') FROM (VALUES 'q') t(x)": "cannot parse 'q' by its pattern",
    "SELECT json_parse(x) FROM (VALUES 'q') t(x)": "cannot convert value to JSON: \"q\"",
}  # fmt: skip


@pytest.mark.parametrize("sql", SAID)
def test_an_error_is_told_as_trino_would(sql: str) -> None:
    with duckdb.connect() as con, pytest.raises(duckdb.Error) as raised:
        con.execute(MACROS)
        con.execute(to_duckdb(sql))
    assert in_trinos_words(str(raised.value).partition("\n\nLINE ")[0]) == SAID[sql]


@pytest.mark.parametrize("said", [
    "Invalid Input Error: something new. Use TRY(...) to return NULL, or SET x=1",
    "Binder Error: something new. You might need to add explicit type casts.\n\tCandidate functions:\n\tf(BIGINT)",
])  # fmt: skip
def test_advice_that_holds_only_for_duckdb_is_left_out(said: str) -> None:
    assert in_trinos_words(said) == "something new."


def test_types_have_trinos_names() -> None:
    assert trino_type("BIGINT[][], VARCHAR, TIMESTAMP WITH TIME ZONE") == (
        "array(array(bigint)), varchar, timestamp with time zone"
    )
