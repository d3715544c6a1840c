"""Rules of function calls: which of Trino's functions DuckDB has, by which name or macro.

A name that is in none of the tables is refused with the nearest names: nothing is passed on in the hope that DuckDB
means the same.
"""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.aggregates import AGGREGATES, WINDOWS, applied
from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.datetimes import DATETIMES
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.lambdas import LAMBDAS
from phlo.engine.dialect.macros import signatures
from phlo.engine.dialect.nodes import fragment, native, refuse
from phlo.engine.dialect.rules import Rule, Translate, rule
from phlo.engine.dialect.strings import STRINGS
from phlo.errors import nearest

SAME_NAME = frozenset({
    "abs", "acos", "asin", "atan", "atan2", "cbrt", "coalesce", "concat_ws", "cos", "cosh", "degrees", "exp", "ln",
    "log10", "log2", "lower", "lpad", "map_keys", "map_values", "nullif", "pi", "radians", "rpad", "sin", "sinh", "sqrt",
    "starts_with", "tan", "tanh", "translate", "grouping", "map_entries",
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
    "current_timestamp": "now",
}
_ARITY = {"pi": (0, 0), "atan2": (2, 2), "lpad": (3, 3), "rpad": (3, 3), "translate": (3, 3), "starts_with": (2, 2),
          "coalesce": (2, 999), "nullif": (2, 2), "concat_ws": (2, 999), "power": (2, 2), "random": (0, 0), "uuid": (0, 0),
          "grouping": (1, 999), "chr": (1, 1), "typeof": (1, 1)}  # fmt: skip


def known_functions() -> frozenset[str]:
    """List the names of Trino's functions that are available."""
    macros = {name.removeprefix("trino_") for name in signatures() if name.startswith("trino_")}
    internal = {"divide", "subscript", "minus", "plus_interval", "minus_interval", "strftime", "concat_ws_list"}
    internal |= {name for name in macros if name.startswith(("to_varchar", "to_big", "to_int", "to_small", "to_tiny"))}
    internal |= {"to_double", "to_real", "to_boolean", "before_decimal", "to_time", "to_timestamptz", "to_json", "to_date",
                 "to_timestamp"}  # fmt: skip
    named = SAME_NAME | set(RENAMED) | set(ALIASES) | set(SPECIAL) | set(AGGREGATES) | WINDOWS
    return frozenset(named | (macros - internal))


@rule(exp.Anonymous)
def _call(node: exp.Expression, t: Translate) -> exp.Expression:
    written = str(node.name)
    name = ALIASES.get(written.lower(), written.lower())
    if name not in known_functions():
        refuse(node, written, nearest=nearest(written, known_functions()))
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


def _check_arity(node: exp.Expression, name: str, count: int, allowed: object) -> None:
    if count not in allowed:  # type: ignore[operator]
        refuse(node, name, f"it is not available with {count} arguments")


def _concat(node: exp.Expression, t: Translate) -> exp.Expression:
    operands = [t(operand) for operand in node.expressions]
    if len(operands) < 2:
        refuse(node, "concat", "concat takes at least two arguments")
    return fragment("(" + " || ".join(f"{{{i}}}" for i in range(len(operands))) + ")", *operands)


def _extreme(name: str) -> Rule:
    def extreme(node: exp.Expression, t: Translate) -> exp.Expression:
        operands = [t(operand) for operand in node.expressions]
        inside = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        return fragment(f"phlo_{name}([{inside}])", *operands)

    return extreme


def _try(node: exp.Expression, t: Translate) -> exp.Expression:
    return native("TRY", *(t(operand) for operand in node.expressions))


def _row(node: exp.Expression, t: Translate) -> exp.Expression:
    return native("row", *(t(operand) for operand in node.expressions))


def _cardinality(node: exp.Expression, t: Translate) -> exp.Expression:
    return fragment("CAST(cardinality({0}) AS BIGINT)", *(t(operand) for operand in node.expressions))


def _map(node: exp.Expression, t: Translate) -> exp.Expression:
    if not node.expressions:
        return fragment("MAP {{}}")
    return native("map", *(t(operand) for operand in node.expressions))


def _mod(node: exp.Expression, t: Translate) -> exp.Expression:
    return fragment("({0} % {1})", *(t(operand) for operand in node.expressions))


def _element_at(node: exp.Expression, t: Translate) -> exp.Expression:
    container, index = node.expressions
    position = index if isinstance(index, exp.Literal) and not index.is_string else None
    if position is not None and kind_of(container).name != "map" and position.name == "0":
        refuse(node, "element_at(…, 0)", "positions in arrays count from 1")
    return native("trino_element_at", t(container), t(index))


def _typeof(node: exp.Expression, t: Translate) -> exp.Expression:
    return refuse(node, "typeof", "types have other names on the embedded engine")


SPECIAL: dict[str, Rule] = {
    **STRINGS,
    **DATETIMES,
    **LAMBDAS,
    "cardinality": _cardinality,
    "concat": _concat,
    "element_at": _element_at,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "map": _map,
    "mod": _mod,
    "row": _row,
    "try": _try,
    "typeof": _typeof,
}
