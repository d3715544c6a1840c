"""Says in words what Pandera's checks ask of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SHOWN = 8
"""How many of a list's values are named."""


def rules_of(checks: Iterable[Any]) -> tuple[str, ...]:
    """Say what a column's checks ask, a lower and an upper bound as one range.

    >>> from pandera.pandas import Check
    >>> rules_of([Check.ge(20), Check.le(600), Check.isin(["a", "b"])])
    ('20-600', 'IN(a, b)')
    """
    known = list(checks)
    bounds = {check.name: check.statistics for check in known}
    low, high = bounds.get("greater_than_or_equal_to"), bounds.get("less_than_or_equal_to")
    if low is None or high is None:
        return tuple(_rule(check) for check in known)
    merged = f"{low['min_value']}-{high['max_value']}"
    others = [c for c in known if c.name not in ("greater_than_or_equal_to", "less_than_or_equal_to")]
    return (merged, *(_rule(check) for check in others))


def failure(check: Any) -> str:
    """Say what a value is not that fails a check, as the tail of a sentence.

    >>> from pandera.pandas import Check
    >>> failure(Check.isin(["Flat", "NONE"])), failure(Check.le(1000))
    ('is not one of Flat, NONE', 'is not at most 1000')
    """
    values = check.statistics or {}
    words = {
        "equal_to": "is not {value}",
        "not_equal_to": "may not be {value}",
        "greater_than": "is not more than {min_value}",
        "greater_than_or_equal_to": "is not at least {min_value}",
        "less_than": "is not less than {max_value}",
        "less_than_or_equal_to": "is not at most {max_value}",
        "in_range": "is not in {min_value}-{max_value}",
        "isin": "is not one of {allowed}",
        "notin": "may not be one of {forbidden}",
        "str_matches": "does not match `{pattern}`",
        "str_contains": "does not contain `{pattern}`",
        "str_startswith": "does not start with `{string}`",
        "str_endswith": "does not end with `{string}`",
    }.get(check.name)
    own_words = check.error and not check.error.startswith(f"{check.name}(")
    if words is None or own_words:
        return f"fails {check.error or check.name or 'a check'}"
    try:
        return words.format_map(_listed(values))
    except KeyError:
        return f"fails {check.name}"


def _rule(check: Any) -> str:
    values = check.statistics or {}
    forms = {
        "equal_to": "= {value}",
        "not_equal_to": "≠ {value}",
        "greater_than": "> {min_value}",
        "greater_than_or_equal_to": "≥ {min_value}",
        "less_than": "< {max_value}",
        "less_than_or_equal_to": "≤ {max_value}",
        "in_range": "{min_value}-{max_value}",
        "isin": "IN({allowed})",
        "notin": "NOT IN({forbidden})",
        "str_matches": "matches {pattern}",
        "str_contains": "contains {pattern}",
        "str_startswith": "starts with {string}",
        "str_endswith": "ends with {string}",
        "str_length": "length {min_value}-{max_value}",
    }
    try:
        return forms[check.name].format_map(_listed(values))
    except KeyError:
        return str(check.error or check.name or "check")


def _listed(values: Mapping[str, Any]) -> dict[str, str]:
    """Write a check's values: lists by their first few, patterns as they were given."""
    listed = {}
    for name, value in values.items():
        value = getattr(value, "pattern", value)
        several = isinstance(value, (list, tuple, set, frozenset))
        listed[name] = (
            _some(sorted(value, key=str) if isinstance(value, (set, frozenset)) else value) if several else str(value)
        )
    aliases = {"allowed_values": "allowed", "forbidden_values": "forbidden"}
    return listed | {aliases[name]: text for name, text in listed.items() if name in aliases}


def _some(values: Sequence[Any]) -> str:
    shown = [str(value) for value in values[:SHOWN]]
    return ", ".join([*shown, "…"] if len(values) > SHOWN else shown)
