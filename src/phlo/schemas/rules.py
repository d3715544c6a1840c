"""Says in words what Pandera's checks ask of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 8
"""How many of a list's values are named."""

WORDS = {
    "equal_to": ("= {value}", "is not {value}"),
    "not_equal_to": ("≠ {value}", "may not be {value}"),
    "greater_than": ("> {min_value}", "is not more than {min_value}"),
    "greater_than_or_equal_to": ("≥ {min_value}", "is not at least {min_value}"),
    "less_than": ("< {max_value}", "is not less than {max_value}"),
    "less_than_or_equal_to": ("≤ {max_value}", "is not at most {max_value}"),
    "in_range": ("{min_value}-{max_value}", "is not in {min_value}-{max_value}"),
    "isin": ("IN({allowed_values})", "is not one of {allowed_values}"),
    "notin": ("NOT IN({forbidden_values})", "may not be one of {forbidden_values}"),
    "str_matches": ("matches {pattern}", "does not match `{pattern}`"),
    "str_contains": ("contains {pattern}", "does not contain `{pattern}`"),
    "str_startswith": ("starts with {string}", "does not start with `{string}`"),
    "str_endswith": ("ends with {string}", "does not end with `{string}`"),
    "str_length between": ("length {min_value}-{max_value}", "is not {min_value} to {max_value} characters long"),
    "str_length from": ("length ≥ {min_value}", "is not at least {min_value} characters long"),
    "str_length to": ("length ≤ {max_value}", "is not at most {max_value} characters long"),
    "str_length exact": ("length {exact_value}", "is not {exact_value} characters long"),
}
"""Pandera's built-in checks: as a rule, and as what is wrong with a value that fails."""

AT_LEAST, AT_MOST = "greater_than_or_equal_to", "less_than_or_equal_to"


def rules_of(checks: Iterable[Any]) -> tuple[str, ...]:
    """Say what a column's checks ask, a lower and an upper bound as one range.

    >>> from pandera.pandas import Check
    >>> rules_of([Check.ge(20), Check.le(600), Check.isin(["a", "b"])])
    ('20-600', 'IN(a, b)')
    """
    known = list(checks)
    bounds = {each.name: each.statistics for each in known if each.name in (AT_LEAST, AT_MOST) and is_built_in(each)}
    if len(bounds) == 1 or not bounds:
        return tuple(_say(check, 0) for check in known)
    merged = f"{bounds[AT_LEAST]['min_value']}-{bounds[AT_MOST]['max_value']}"
    return (merged, *(_say(check, 0) for check in known if check.name not in bounds))


def failure(check: Any) -> str:
    """Say what is wrong with a value that fails a check, as the tail of a sentence.

    >>> from pandera.pandas import Check
    >>> failure(Check.isin(["Flat", "NONE"])), failure(Check.le(1000))
    ('is not one of Flat, NONE', 'is not at most 1000')
    """
    return _say(check, 1)


def is_built_in(check: Any) -> bool:
    """Whether a check is one of ``WORDS``: each of them looks at one value at a time.

    A check of the user's may have such a name (``name="isin"``), but its function is none of Pandera's.
    """
    from pandera.api.function_dispatch import Dispatcher

    return _case(check) in WORDS and isinstance(check._check_fn, Dispatcher)


def _say(check: Any, which: int) -> str:
    # Pandera writes a built-in check's `error` itself, beginning with its name; any other is the author's.
    own_words = check.error if check.error and not check.error.startswith(f"{check.name}(") else None
    words = WORDS[_case(check)] if is_built_in(check) else None
    if words is None or (own_words and which):
        named = own_words or check.name or "a check"
        return f"fails {named}" if which else named
    return words[which].format_map({name: _listed(value) for name, value in check.statistics.items()})


def _case(check: Any) -> str:
    """The check's name; that of a length with the bounds it has."""
    if check.name != "str_length":
        return str(check.name)
    given = {name for name, value in check.statistics.items() if value is not None}
    if "exact_value" in given:
        return "str_length exact"
    both = given == {"min_value", "max_value"}
    return "str_length between" if both else "str_length from" if "min_value" in given else "str_length to"


def _listed(value: Any) -> str:
    """Write a check's value: a list by its first few values, a pattern as it was given."""
    value = getattr(value, "pattern", value)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value)
    values = [str(each) for each in value]
    return ", ".join([*values[:SHOWN], "…"] if len(values) > SHOWN else values)
