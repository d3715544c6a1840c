"""Functions in Python: only what a statement names is registered, NULL stays NULL, and errors say what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.engine.define import define
from phlo.engine.dialect import to_duckdb
from phlo.engine.functions import FUNCTIONS, needed, register
from phlo.engine.terms import in_trinos_words

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        yield con


def registered(con: duckdb.DuckDBPyConnection) -> set[str]:
    rows = con.execute("SELECT function_name FROM duckdb_functions() WHERE function_name LIKE 'phlo_py_%'").fetchall()
    return {name for (name,) in rows}


def test_a_statement_brings_just_the_functions_that_it_names(con: duckdb.DuckDBPyConnection) -> None:
    define(con, to_duckdb("SELECT soundex('a'), lower('A')"))
    assert registered(con) == {"phlo_py_soundex"}


def test_a_statement_without_any_brings_none(con: duckdb.DuckDBPyConnection) -> None:
    define(con, to_duckdb("SELECT lower('A')"))
    assert registered(con) == set()


def test_a_function_may_be_asked_for_again(con: duckdb.DuckDBPyConnection) -> None:
    for _ in range(2):
        assert con.execute(define(con, to_duckdb("SELECT crc32(X'616263')"))).fetchall() == [(891568578,)]


def test_a_function_that_is_not_there_is_not_registered(con: duckdb.DuckDBPyConnection) -> None:
    register(con, "SELECT phlo_py_nothing(1)")
    assert list(needed("phlo_py_nothing(phlo_py_hmac)")) == ["hmac"]
    assert registered(con) == set()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_null_gives_null(name: str, con: duckdb.DuckDBPyConnection) -> None:
    nulls = ", ".join(f"CAST(NULL AS {kind})" for kind in FUNCTIONS[name].arguments)
    statement = f"SELECT phlo_py_{name}({nulls})"
    register(con, statement)
    if not FUNCTIONS[name].takes_null:
        assert con.execute(statement).fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT inverse_normal_cdf(0, 1, x) FROM (VALUES 2) t(x)", "p must be 0 > p > 1"),
        ("SELECT hamming_distance(x, 'ab') FROM (VALUES 'a') t(x)",
         "The input strings to hamming_distance function must have the same length"),
        ("SELECT json_query(x, 'strict $.b' ERROR ON ERROR) FROM (VALUES '{}') t(x)",
         "missing member 'b' in JSON object"),
    ],
)  # fmt: skip
def test_an_error_says_what_is_wrong(sql: str, words: str, con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error) as raised:
        con.execute(define(con, to_duckdb(sql)))
    assert in_trinos_words(str(raised.value).partition("\n\nLINE ")[0]) == words


def test_try_takes_an_error_for_null(con: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT try(inverse_normal_cdf(0, 1, x)) FROM (VALUES 2) t(x)"
    assert con.execute(define(con, to_duckdb(sql))).fetchall() == [(None,)]
