"""Numbers: division and remainders by type, exact decimals, casts that round, and deep nesting."""

from __future__ import annotations

import random
import time
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.engine.dialect import to_duckdb

if TYPE_CHECKING:
    from tests.engine.dialect.conftest import Ask


def test_division_follows_the_types_of_columns(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE OR REPLACE TABLE numbers AS "
        "SELECT 7 AS i, 2::BIGINT AS l, 7.0::DOUBLE AS d, 7.00::DECIMAL(10,2) AS n, 7::FLOAT AS f"
    )
    columns = "i / 2, i / l, i / d, i / n, n / l, l / n, f / i, f / d, -i / l, i % l, n % l"
    cursor = con.execute(to_duckdb(f"SELECT {columns} FROM numbers"))
    assert [str(column[1]) for column in cursor.description] == [
        "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(14,2)", "DECIMAL(10,2)", "DECIMAL(23,2)", "FLOAT", "DOUBLE", "BIGINT",
        "BIGINT", "DECIMAL(10,2)",
    ]  # fmt: skip
    assert cursor.fetchone() == (
        3,
        3,
        1.0,
        Decimal("1.00"),
        Decimal("3.50"),
        Decimal("0.29"),
        1.0,
        1.0,
        -3,
        1,
        Decimal("1.00"),
    )


@pytest.mark.parametrize("expression", ["1 / 0", "1.0 / 0", "1 % 0", "x / 0", "x / y", "1.5 / y", "sum(x) / sum(y)"])
def test_dividing_by_zero_is_an_error_and_null_inside_try(expression: str, ask: Ask) -> None:
    source = "FROM (VALUES (1, 0)) AS t(x, y)"
    with pytest.raises(duckdb.Error):
        ask(f"SELECT {expression} {source}")
    if "sum" not in expression:
        assert ask(f"SELECT try({expression}) {source}") == [(None,)]


def test_doubles_divide_by_zero_to_infinity(ask: Ask) -> None:
    assert str(ask("SELECT 1e0 / 0, -1e0 / 0, 0e0 / 0, 5e0 % 0")) == "[(inf, -inf, nan, nan)]"


def test_decimal_quotients_are_exact_and_round_half_up(con: duckdb.DuckDBPyConnection) -> None:
    """10,000 quotients of decimals of many widths against Python's exact arithmetic."""
    chance = random.Random(1)
    for _ in range(40):
        s1, s2 = chance.randint(0, 6), chance.randint(0, 6)
        p1, p2 = chance.randint(s1 + 1, 15), chance.randint(s2 + 1, 12)
        pairs = [(_decimal(chance, p1, s1), _decimal(chance, p2, s2) or Decimal(1)) for _ in range(250)]
        values = ", ".join(f"(CAST({a} AS DECIMAL({p1}, {s1})), CAST({b} AS DECIMAL({p2}, {s2})))" for a, b in pairs)
        con.execute(f"CREATE OR REPLACE TABLE quotients AS SELECT * FROM (VALUES {values}) t(a, b)")
        cursor = con.execute(to_duckdb("SELECT a / b, a, b FROM quotients"))
        scale = max(s1, s2)
        assert str(cursor.description[0][1]) == f"DECIMAL({min(38, p1 + s2 + max(0, s2 - s1))},{scale})"
        for quotient, a, b in cursor.fetchall():
            with localcontext() as exact:
                exact.prec = 80
                assert quotient == (a / b).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP), (a, b)


def _decimal(chance: random.Random, precision: int, scale: int) -> Decimal:
    return Decimal(chance.randint(-(10**precision) + 1, 10**precision - 1)).scaleb(-scale)


@pytest.mark.parametrize(
    ("a", "b", "quotient"),
    [
        ("0.5", "10.0", "0.1"),
        ("1.5", "10.0", "0.2"),
        ("-0.5", "10.0", "-0.1"),
        ("2.5", "10.0", "0.3"),
        ("1.25", "10.00", "0.13"),
    ],
)
def test_a_tie_rounds_away_from_zero(a: str, b: str, quotient: str, ask: Ask) -> None:
    assert ask(f"SELECT {a} / {b}") == [(Decimal(quotient),)]


def test_wide_sums_divide(ask: Ask) -> None:
    sql = "SELECT sum(a) / sum(b), sum(a) / count(*), avg(a) FROM (VALUES (1.25, 0.50), (3.75, 2.25)) AS t(a, b)"
    assert ask(sql) == [(Decimal("1.82"), Decimal("2.50"), Decimal("2.50"))]


def test_deep_nesting_stays_quick(ask: Ask) -> None:
    expression = "x"
    for _ in range(8):
        expression = f"({expression} / 1.0)"
    start = time.process_time()
    assert ask(f"SELECT cast({expression} AS integer) FROM (VALUES 7) t(x)") == [(7,)]
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("cast(2.5e0 as integer)", 3), ("cast(-2.5e0 as bigint)", -3), ("cast(x as integer)", 3),
        ("cast(2.5 as integer)", 3), ("try_cast('1.5' as integer)", None), ("try_cast('1_0' as integer)", None),
        ("try_cast('0x1' as integer)", None),
        ("try_cast('inf' as double)", None), ("try_cast('yes' as boolean)", None), ("try_cast('' as double)", None),
        ("cast(x as varchar)", "2.5E0"), ("cast(1e7 as varchar)", "1.0E7"), ("cast(1.50 as varchar)", "1.50"),
        ("cast('abc' as varchar(2))", "ab"), ("try_cast(123 as varchar(2))", None), ("cast(true as integer)", 1),
    ],
)  # fmt: skip
def test_casts_read_and_round_as_trino_does(expression: str, value: object, ask: Ask) -> None:
    assert ask(f"SELECT {expression} FROM (VALUES 2.5e0) AS t(x)") == [(value,)]
