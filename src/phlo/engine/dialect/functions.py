"""Rules of function calls: which of Trino's functions DuckDB has, by which name or macro.

A name that is in none of the tables is refused with the nearest names: nothing is passed on in the hope that DuckDB
means the same.
"""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from phlo.engine.dialect.aggregates import AGGREGATES, WINDOWS, applied
from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.datetimes import DATETIMES
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.lambdas import LAMBDAS
from phlo.engine.dialect.macros import signatures
from phlo.engine.dialect.nodes import Node, fragment, native, refuse
from phlo.engine.dialect.rules import Rule, Translate, rule
from phlo.engine.dialect.strings import STRINGS
from phlo.errors import nearest

SAME_NAME = frozenset({
    "abs", "acos", "asin", "atan", "atan2", "cbrt", "coalesce", "concat_ws", "cos", "cosh", "degrees", "exp",
    "ln", "log10", "log2", "lower", "lpad", "map_entries", "map_keys", "map_values", "nullif", "pi",
    "radians", "rpad", "sin", "sinh", "sqrt", "starts_with", "tan", "tanh", "translate",
})  # fmt: skip
RENAMED = {
    "ceil": "trino_ceiling",
    "chr": "chr",
    "pow": "power",
    "power": "power",
    "rand": "random",
    "random": "random",
    "typeof": "typeof",
    "unnest": "unnest",
    "uuid": "uuid",
}
ALIASES = {
    "ceil": "ceiling",
    "substring": "substr",
    "day_of_month": "day",
    "dow": "day_of_week",
    "doy": "day_of_year",
    "week_of_year": "week",
    "yow": "year_of_week",
    "pow": "power",
    "rand": "random",
}
_ARITY = {
    "atan2": (2, 2), "chr": (1, 1), "coalesce": (2, 999), "concat_ws": (2, 999), "lpad": (3, 3),
    "nullif": (2, 2), "pi": (0, 0), "power": (2, 2), "random": (0, 0), "rpad": (3, 3), "starts_with": (2, 2),
    "translate": (3, 3), "uuid": (0, 0),
}  # fmt: skip
_NOT_WRITTEN = frozenset({
    "before_decimal", "concat_ws_list", "divide", "minus", "minus_interval", "plus_interval", "strftime", "subscript",
    "to_bigint", "to_boolean", "to_date", "to_double", "to_integer", "to_json", "to_real", "to_smallint", "to_time",
    "to_timestamp", "to_timestamptz", "to_tinyint", "to_varchar", "to_varchar_of",
})  # fmt: skip
"""Macros of operators and casts, whose names are no functions of Trino's."""


@lru_cache(maxsize=1)
def known_functions() -> frozenset[str]:
    """List the names of Trino's functions that are available."""
    macros = {name.removeprefix("trino_") for name in signatures() if name.startswith("trino_")}
    named = SAME_NAME | set(RENAMED) | set(ALIASES) | set(SPECIAL) | set(AGGREGATES) | WINDOWS
    return frozenset(named | (macros - _NOT_WRITTEN))


@rule(exp.Anonymous)
def _call(node: Node, t: Translate) -> Node:
    written = str(node.name)
    name = ALIASES.get(written.lower(), written.lower())
    if name not in known_functions():
        refuse(node, written, nearest=nearest(written, (known for known in known_functions() if len(known) > 2)))
    if name in AGGREGATES or name in WINDOWS:
        return applied(node, t)
    if name in SPECIAL:
        return SPECIAL[name](node, t)
    operands = [t(operand) for operand in node.expressions]
    macro = signatures().get(f"trino_{name}")
    if macro:
        _check_arity(node, written, len(operands), macro)
        return call_macro(f"trino_{name}", operands)
    low, high = _ARITY.get(name, (1, 1))
    _check_arity(node, written, len(operands), range(low, high + 1))
    return native(RENAMED.get(name, name), *operands)


def _check_arity(node: Node, name: str, count: int, allowed: object) -> None:
    if count not in allowed:  # type: ignore[operator]
        refuse(node, name, f"it is not available with {count} arguments")


def _concat(node: Node, t: Translate) -> Node:
    operands = [t(operand) for operand in node.expressions]
    if len(operands) < 2:
        refuse(node, "concat", "concat takes at least two arguments")
    return fragment("(" + " || ".join(f"{{{i}}}" for i in range(len(operands))) + ")", *operands)


def _extreme(name: str) -> Rule:
    def extreme(node: Node, t: Translate) -> Node:
        operands = [t(operand) for operand in node.expressions]
        inside = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        return fragment(f"phlo_{name}([{inside}])", *operands)

    return extreme


def _try(node: Node, t: Translate) -> Node:
    return native("TRY", *(t(operand) for operand in node.expressions))


def _row(node: Node, t: Translate) -> Node:
    return native("row", *(t(operand) for operand in node.expressions))


def _cardinality(node: Node, t: Translate) -> Node:
    return fragment("CAST(cardinality({0}) AS BIGINT)", *(t(operand) for operand in node.expressions))


def _map(node: Node, t: Translate) -> Node:
    if not node.expressions:
        return fragment("MAP {{}}")
    return native("map", *(t(operand) for operand in node.expressions))


def _grouping(node: Node, t: Translate) -> Node:
    return fragment("CAST({0} AS INTEGER)", native("grouping", *(t(operand) for operand in node.expressions)))


def _element_at(node: Node, t: Translate) -> Node:
    container, index = node.expressions
    position = index if isinstance(index, exp.Literal) and not index.is_string else None
    if position is not None and kind_of(container).name != "map" and position.name == "0":
        refuse(node, "element_at(…, 0)", "positions in arrays count from 1")
    return native("trino_element_at", t(container), t(index))


def _typeof(node: Node, _t: Translate) -> Node:
    return refuse(node, "typeof", "types have other names on the embedded engine")


SPECIAL: dict[str, Rule] = {
    **STRINGS,
    **DATETIMES,
    **LAMBDAS,
    "cardinality": _cardinality,
    "concat": _concat,
    "element_at": _element_at,
    "grouping": _grouping,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "map": _map,
    "row": _row,
    "try": _try,
    "typeof": _typeof,
}
