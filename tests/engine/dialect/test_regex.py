"""Java's regular expressions in RE2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phlo.engine.dialect.regex import groups, re2_pattern, re2_replacement
from phlo.errors import UnsupportedFunction

if TYPE_CHECKING:
    from tests.engine.dialect.conftest import Ask


@pytest.mark.parametrize(
    "pattern", ["abc", r"\d{4}-\d{2}", "(?i)a|b", "[a-z&]", r"\bx\b", "a+?b*?", r"\Qa.b\E", r"\p{L}"]
)
def test_what_means_the_same_passes(pattern: str) -> None:
    assert re2_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)b",
        "(?<!a)b",
        r"(a)\1",
        "a++",
        "[a-z&&[^b]]",
        r"\R",
        r"\h",
        r"\uD800",
        "(?>a)",
        r"[\D]",
        "[a",
        "(?x)a b",
        r"\p{Alpha}",
    ],
)
def test_what_re2_has_not_is_not_guessed(pattern: str) -> None:
    assert re2_pattern(pattern) is None


def test_the_end_also_lies_before_a_last_line_break(ask: Ask) -> None:
    rows = ask(
        "SELECT regexp_like(x, 'c$'), regexp_like(x, '^c') FROM (VALUES 'abc', 'abc' || chr(10), 'abcd') AS t(x)"
    )
    assert rows == [(True, False), (True, False), (False, False)]


def test_a_vertical_tab_is_white_space_in_java(ask: Ask) -> None:
    assert ask(
        r"SELECT regexp_like(chr(11), '^\s$'), regexp_like(chr(11), '^[\s]$'), regexp_like(chr(11), '^\S$')"
    ) == [(True, True, False)]


@pytest.mark.parametrize(
    ("java", "re2"),
    [("$1-$2", r"\1-\2"), (r"\$1", "$1"), ("a\\\\b", r"a\\b"), ("plain", "plain"), ("${name}", None), ("cost $", None)],
)
def test_replacements_name_groups_by_number(java: str, re2: str | None) -> None:
    assert re2_replacement(java) == re2


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(a)(?:b)(c)", (2, True)),
        ("(a)?", (1, False)),
        ("(a){0,1}", (1, False)),
        (r"\(a\)[(]", (0, True)),
        ("x|(y)", (1, False)),
    ],
)
def test_groups_that_may_not_match_are_known(pattern: str, found: tuple[int, bool]) -> None:
    assert groups(pattern) == found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT regexp_like(x, y) FROM raw.t",
        "SELECT regexp_like(x, '(?=a)') FROM raw.t",
        "SELECT regexp_extract(x, '(a)|(b)', 2) FROM raw.t",
        "SELECT regexp_extract(x, '(a)', 2) FROM raw.t",
        "SELECT regexp_replace(x, '(a)?b', y -> upper(y[1])) FROM raw.t",
        "SELECT regexp_replace(x, 'a*', y -> 'b') FROM raw.t",
        "SELECT regexp_split(x, 'a*') FROM raw.t",
    ],
)
def test_a_pattern_without_an_equal_is_refused_by_name(sql: str, ask: Ask) -> None:
    with pytest.raises(UnsupportedFunction, match=r"regexp_|->"):
        ask(sql)
