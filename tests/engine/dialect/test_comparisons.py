"""Values of types that Trino does not bring together are refused with their line, as far as the statement says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phlo.engine.dialect import to_duckdb
from phlo.errors import TypesDiffer, UnsupportedFunction

if TYPE_CHECKING:
    from tests.engine.dialect.conftest import Ask


@pytest.mark.parametrize(
    "condition",
    ["DATE '2024-01-01' = '2024-01-01'", "1 = '1'", "true = 1", "5 IN ('5')", "day BETWEEN '2024-01-01' AND day",
     "NOT 1", "sgv + 0 > lower('A')", "day - 1 = day", "INTERVAL '1' MONTH = INTERVAL '30' DAY", "'a' AND true"],
)  # fmt: skip
def test_types_that_do_not_meet_are_refused_with_their_line(condition: str) -> None:
    readings = "(VALUES (1, DATE '2024-01-01')) t(sgv, day)"
    with pytest.raises(TypesDiffer) as raised:
        to_duckdb(f"SELECT *\nFROM {readings}\nWHERE {condition}")
    assert 1 <= int(str(raised.value.values["line"])) <= 3
    assert raised.value.code == "types-differ"


@pytest.mark.parametrize(
    "sql",
    ["SELECT coalesce(1, 'a')", "SELECT CASE WHEN true THEN 1 ELSE 'a' END", "SELECT if(1, 2, 3)",
     "SELECT 1 UNION SELECT 'a'", "SELECT concat('a', 1)", "SELECT nullif(1, 'a')", "SELECT CASE 'a' WHEN 1 THEN 2 END",
     "SELECT date_diff('day', '2024-01-01', DATE '2024-01-02')", "SELECT date_add('day', '1', DATE '2024-01-01')"],
)  # fmt: skip
def test_alternatives_of_types_that_do_not_meet_are_refused(sql: str) -> None:
    with pytest.raises(TypesDiffer):
        to_duckdb(sql)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 = 1.0 AND 1 < 2e0", True),
        ("DATE '2024-01-01' < TIMESTAMP '2024-01-01 00:00:01'", True),
        ("element_at(ARRAY['5'], 1) = '5'", True),
        ("NULL = 'a'", None),
        ("ARRAY[1, NULL] = ARRAY[1, NULL]", None),
        ("ARRAY[1, NULL] = ARRAY[2, NULL]", False),
        ("(1, NULL) = (2, NULL)", False),
        ("CAST('a' AS char(3)) = CAST('a' AS char(5))", True),
        ("coalesce(NULL, 1, 2.5)", 1),
        ("CASE WHEN NULL THEN 1 END", None),
    ],
)
def test_types_that_meet_do(expression: str, value: object, ask: Ask) -> None:
    assert ask(f"SELECT {expression}") == [(value,)]


def test_columns_of_tables_are_left_to_the_engine() -> None:
    translated = to_duckdb("SELECT a FROM raw.t WHERE a = 'x' AND b > 1")
    assert translated == """SELECT "a" FROM "raw"."t" WHERE "a" = 'x' AND "b" > 1"""


@pytest.mark.parametrize("sql", ["SELECT x = nan() FROM raw.t", "SELECT IPADDRESS '::1' < IPADDRESS '::2'"])
def test_comparisons_that_mean_something_else_are_refused(sql: str) -> None:
    with pytest.raises(UnsupportedFunction):
        to_duckdb(sql)
