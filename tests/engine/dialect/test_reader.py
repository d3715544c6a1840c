"""Reading: errors that point at the place, and numbers as Trino writes them."""

from __future__ import annotations

import time

import pytest
from sqlglot import exp

from phlo.engine.dialect import parse, to_duckdb
from phlo.errors import QuerySyntax


def test_a_syntax_error_names_the_line_and_shows_it() -> None:
    with pytest.raises(QuerySyntax) as caught:
        parse("SELECT a,\n       b c d\nFROM raw.t")
    assert caught.value.values["line"] == 2
    assert caught.value.values["text"] == "b c d"
    assert str(caught.value).startswith("Line 2, column ")
    assert caught.value.code == "query-syntax"


def test_a_statement_that_stops_too_early_says_so() -> None:
    with pytest.raises(QuerySyntax, match="got the end"):
        parse("SELECT a FROM")


@pytest.mark.parametrize("sql", ["SELECT 'abc", 'SELECT "abc', "SELECT 1 /* abc"])
def test_a_quotation_without_an_end_is_named(sql: str) -> None:
    with pytest.raises(QuerySyntax, match=r"does not end|Expect|Invalid|nothing"):
        parse(sql)


@pytest.mark.parametrize(
    ("sql", "found"), [("", "nothing"), ("-- only a comment", "nothing"), ("SELECT 1; SELECT 2", "2 of them")]
)
def test_exactly_one_statement_is_expected(sql: str, found: str) -> None:
    with pytest.raises(QuerySyntax, match=f"expected one statement, found {found}"):
        parse(sql)


def test_a_trailing_semicolon_is_no_second_statement() -> None:
    assert parse("SELECT 1;").key == "select"


def test_nesting_without_end_is_an_error_and_no_crash() -> None:
    with pytest.raises(QuerySyntax):
        parse("SELECT " + "(" * 5000)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1_000", "1000"),
        ("13_700_000", "13700000"),
        ("1_0.5", "10.5"),
        ("0xFF", "255"),
        ("0b101", "5"),
        ("0o17", "15"),
        ("1e1_0", "1e10"),
    ],
)
def test_numbers_are_read_as_trino_writes_them(written: str, value: str) -> None:
    literal = parse(f"SELECT {written}").selects[0]
    assert isinstance(literal, exp.Literal)
    assert literal.this == value


def test_a_number_that_runs_into_a_name_is_an_error() -> None:
    with pytest.raises(QuerySyntax, match="`12a` is neither a number nor a name"):
        parse("SELECT 12a FROM raw.t")


def test_every_call_stays_the_call_that_was_written() -> None:
    tree = parse("SELECT date_diff('day', a, b), approx_distinct(x), ELEMENT_AT(m, 'k') FROM raw.t")
    assert [call.name for call in tree.find_all(exp.Anonymous)] == ["date_diff", "approx_distinct", "ELEMENT_AT"]


def test_subscripts_stay_as_they_were_written() -> None:
    subscript = parse("SELECT a[1]").selects[0]
    assert subscript.expressions[0].this == "1"


def test_unicode_and_quotation_marks_survive() -> None:
    tree = parse('SELECT \'it\'\'s ü 🙂\' AS "Größe ""x"""')
    assert tree.selects[0].this.this == "it's ü 🙂"
    assert tree.selects[0].alias == 'Größe "x"'


@pytest.mark.parametrize("word", [" + ", " || ", " OR "])
def test_a_chain_of_a_thousand_terms_is_translated(word: str) -> None:
    start = time.process_time()
    shape = {" + ": "{}", " || ": "'{}'", " OR ": "x = {}"}[word]
    terms = word.join(shape.format(i) for i in range(1000))
    assert to_duckdb(f"SELECT {terms} AS y FROM raw.t").count("999") == 1
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("sql", "line", "column"),
    [
        ("SELECT a\nFROM t\nGROUP xx", 3, 7),
        ("SELECT * FROM t WHERE a = = 1", 1, 27),
        ("SELECT a,\n  b FROM", 2, 9),
        ("SELECT (a", 1, 10),
        ("SELECT a,\n  b, FROM raw.t", 2, 4),
        ("SELECT a, , b FROM raw.t", 1, 9),
        ("SELECT 12ab", 1, 8),
        ("SELECT 'x', -- it's\n 'abc\nFROM t", 2, 2),
        ("/* x\n select 1", 1, 1),
    ],
)
def test_a_syntax_error_is_shown_where_the_culprit_begins(sql: str, line: int, column: int) -> None:
    with pytest.raises(QuerySyntax) as caught:
        parse(sql)
    assert (caught.value.values["line"], caught.value.values["column"]) == (line, column)


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        ("SELECT 1e1-1/2", 'SELECT 1e1 - (1 // 2) AS "_col0"'),
        ("SELECT 0.1e0+0.2e0", 'SELECT 0.1e0 + 0.2e0 AS "_col0"'),
        ("SELECT 1e-1-1", 'SELECT 1e-1 - 1 AS "_col0"'),
        ("SELECT '1e1-1'", "SELECT '1e1-1' AS \"_col0\""),
        ("SELECT x1e0-1 FROM t", 'SELECT "x1e0" - 1 AS "_col0" FROM "t"'),
    ],
)
def test_a_number_with_an_exponent_ends_before_the_sign_that_follows(sql: str, translated: str) -> None:
    assert to_duckdb(sql) == translated
