from __future__ import annotations

from typing import Any

import pytest
from pandera.pandas import Check

from phlo.schemas.rules import failure, rules_of


@pytest.mark.parametrize(
    ("check", "rule", "complaint"),
    [
        (Check.eq(5), "= 5", "is not 5"),
        (Check.ne(5), "≠ 5", "may not be 5"),
        (Check.gt(5), "> 5", "is not more than 5"),
        (Check.ge(5), "≥ 5", "is not at least 5"),
        (Check.lt(5), "< 5", "is not less than 5"),
        (Check.le(5), "≤ 5", "is not at most 5"),
        (Check.in_range(1, 9), "1-9", "is not in 1-9"),
        (Check.isin(["b", "a"]), "IN(b, a)", "is not one of b, a"),
        (Check.notin(["x"]), "NOT IN(x)", "may not be one of x"),
        (Check.str_matches("^a"), "matches ^a", "does not match `^a`"),
        (Check.str_contains("b"), "contains b", "does not contain `b`"),
        (Check.str_startswith("c"), "starts with c", "does not start with `c`"),
        (Check.str_endswith("d"), "ends with d", "does not end with `d`"),
        (Check.str_length(1, 5), "length 1-5", "is not 1 to 5 characters long"),
        (Check.str_length(min_value=2), "length ≥ 2", "is not at least 2 characters long"),
        (Check.str_length(exact_value=4), "length 4", "is not 4 characters long"),
        (Check.str_length(max_value=3), "length ≤ 3", "is not at most 3 characters long"),
    ],
)
def test_a_check_is_said_as_a_rule_and_as_a_complaint(check: Any, rule: str, complaint: str) -> None:
    assert rules_of([check]) == (rule,)
    assert failure(check) == complaint


def test_a_lower_and_an_upper_bound_are_one_range() -> None:
    assert rules_of([Check.ge(20), Check.isin([30]), Check.le(600)]) == ("20-600", "IN(30)")


def test_a_long_list_is_shortened() -> None:
    assert rules_of([Check.isin(range(20))]) == ("IN(0, 1, 2, 3, 4, 5, 6, 7, …)",)


def test_a_check_of_ones_own_is_said_by_its_error_or_its_name() -> None:
    assert failure(Check(lambda n: n > 0, name="positive")) == "fails positive"
    assert failure(Check(lambda n: n > 0, error="must be positive")) == "fails must be positive"
    assert failure(Check.ge(1, error="needs a sensor")) == "fails needs a sensor"
    assert rules_of([Check(lambda n: n > 0, name="positive")]) == ("positive",)
    assert rules_of([Check(lambda n: n > 0)]) != ("",)


@pytest.mark.parametrize("name", ["isin", "ge", "greater_than_or_equal_to"])
def test_a_check_of_ones_own_may_have_the_name_of_a_built_in_one(name: str) -> None:
    check = Check(lambda values: values > values.min(), name=name)
    assert rules_of([check, Check.le(600)]) == (name, "≤ 600")
    assert failure(check) == f"fails {name}"
