"""Rules of operators, literals and subscripts."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.expressions import DType

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.datetimes import moved
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, line_of, native, refuse, text_of
from phlo.engine.dialect.rules import Translate, rebuilt, rule
from phlo.errors import TypesDiffer

_NUMBERS = frozenset({"integer", "decimal", "double", "real"})
_TIMES = frozenset({"date", "timestamp", "timestamptz", "time"})
_INTERVAL_UNITS = frozenset({"SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"})
_DAY_TO_SECOND = re.compile(r"(?P<day>\d+)(?: (?P<hour>\d+)(?::(?P<minute>\d+)(?::(?P<second>[\d.]+))?)?)?")
_YEAR_TO_MONTH = re.compile(r"(?P<year>\d+)-(?P<month>\d+)")
_HOUR_TO_SECOND = re.compile(r"(?P<hour>\d+):(?P<minute>\d+)(?::(?P<second>[\d.]+))?")


@rule(exp.Div)
def _division(node: Node, t: Translate) -> Node:
    left, right = t(node.this), t(node.expression)
    names = {kind_of(node.this).name, kind_of(node.expression).name}
    if "double" in names and names <= _NUMBERS | {""}:
        return fragment("(CAST({0} AS DOUBLE) / {1})", left, right)
    if names == {"integer"}:
        return fragment("({0} // {1})", left, right)
    return call_macro("trino_divide", [left, right])


@rule(exp.Mod)
def _remainder(node: Node, t: Translate) -> Node:
    if {kind_of(node.this).name, kind_of(node.expression).name} == {"integer"}:
        return rebuilt(node, t)
    return call_macro("trino_mod", [t(node.this), t(node.expression)])


@rule(exp.Add)
def _addition(node: Node, t: Translate) -> Node:
    left, right = kind_of(node.this).name, kind_of(node.expression).name
    if right == "interval" and left != "interval":
        return moved(node.this, t(node.this), t(node.expression))
    if left == "interval" and right != "interval":
        return moved(node.expression, t(node.expression), t(node.this))
    _check_numbers(node, left, right, "+")
    return rebuilt(node, t)


@rule(exp.Sub)
def _subtraction(node: Node, t: Translate) -> Node:
    left, right = kind_of(node.this).name, kind_of(node.expression).name
    if right == "interval" and left != "interval":
        return moved(node.this, t(node.this), t(node.expression), "minus")
    if left not in _TIMES or right not in _TIMES:
        _check_numbers(node, left, right, "-")
    if {left, right} & (_NUMBERS | {"interval"}) or {left, right} & {"timestamp", "timestamptz", "time"}:
        return rebuilt(node, t)
    return call_macro("trino_minus", [t(node.this), t(node.expression)])


def _check_numbers(node: Node, left: str, right: str, sign: str) -> None:
    """A date and a number make no sum in Trino."""
    if left and right and {left, right} & {*_TIMES, "varchar", "boolean"}:
        raise TypesDiffer(left=left, sign=sign, right=right, line=line_of(node))


@rule(exp.DPipe)
def _concatenation(node: Node, t: Translate) -> Node:
    left, right = kind_of(node.this).name, kind_of(node.expression).name
    for kind in {left, right} - {"", "varchar", "char", "varbinary", "array"}:
        if "array" not in (left, right):
            raise TypesDiffer(left="||", sign="takes text, not", right=kind, line=line_of(node))
    if left == "array" and right not in ("array", ""):
        return native("list_append", t(node.this), t(node.expression))
    if right == "array" and left not in ("array", ""):
        return native("list_prepend", t(node.this), t(node.expression))
    if isinstance(node.this, exp.Null) or isinstance(node.expression, exp.Null):
        return fragment("CAST(NULL AS VARCHAR)")
    return fragment("({0} || {1})", t(node.this), t(node.expression))


@rule(exp.Bracket)
def _subscript(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        refuse(node, "[:]", "use slice(array, start, length)")
    return native("trino_subscript", t(node.this), t(node.expressions[0]))


@rule(exp.Array)
def _array(node: Node, t: Translate) -> Node:
    return fragment("[" + ", ".join(f"{{{i}}}" for i in range(len(node.expressions))) + "]", *map(t, node.expressions))


@rule(exp.Literal)
def _literal(node: Node, _t: Translate) -> Node:
    value = str(node.this)
    whole, dot, part = value.partition(".")
    if isinstance(node, exp.Literal) and not node.is_string and value.isdigit() and _beside_small(node):
        return fragment(f"CAST({value} AS {'INTEGER' if int(value) < 1 << 31 else 'BIGINT'})")
    if not isinstance(node, exp.Literal) or node.is_string or not dot or "e" in value.lower():
        return node.copy()
    digits = whole.lstrip("0") + part
    return fragment(f"CAST({whole or 0}.{part or 0} AS DECIMAL({max(1, len(digits))}, {len(part)}))")


def _beside_small(node: exp.Literal) -> bool:
    """Whether a number is computed with a tinyint or smallint, whose type DuckDB would give it."""
    parent = node.parent
    sides = (parent.this, parent.expression) if isinstance(parent, exp.Add | exp.Sub | exp.Mul | exp.Mod) else ()
    return any(isinstance(side, exp.Cast) and side.to.this in (DType.TINYINT, DType.SMALLINT) for side in sides)


@rule(exp.HexString)
def _binary_literal(node: Node, _t: Translate) -> Node:
    return fragment(f"unhex('{re.sub(r'[^0-9A-Fa-f]', '', str(node.this))}')")


@rule(exp.UnicodeString)
def _unicode_literal(node: Node, _t: Translate) -> Node:
    sign = text_of(node.args.get("escape")) or "\\"
    mark = re.escape(sign)
    escaped = re.compile(rf"{mark}(?:{mark}|\+([0-9A-Fa-f]{{6}})|([0-9A-Fa-f]{{4}}))")
    value = escaped.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else sign, str(node.this))
    return exp.Literal.string(value)


@rule(exp.Interval)
def _interval(node: Node, _t: Translate) -> Node:
    value, unit = text_of(node.this), node.args.get("unit")
    if value is None and isinstance(node.this, exp.Neg):
        value = "-" + (text_of(node.this.this) or "")
    if value is None or unit is None:
        refuse(node, "INTERVAL", "write INTERVAL '1' DAY, or date_add('day', x, …)")
    if isinstance(unit, exp.IntervalSpan):
        return _interval_span(node, value, str(unit.this.name).upper(), str(unit.expression.name).upper())
    if unit.name.upper() not in _INTERVAL_UNITS or not re.fullmatch(r"[+-]?\d+(\.\d+)?", value.strip()):
        refuse(node, f"INTERVAL '{value}' {unit.name}")
    return fragment(f"INTERVAL '{value.strip()} {unit.name.upper()}'")


def _interval_span(node: Node, value: str, first: str, last: str) -> Node:
    sign, digits = ("-", value.strip()[1:]) if value.strip().startswith("-") else ("", value.strip().lstrip("+"))
    shapes = {"YEAR": _YEAR_TO_MONTH, "DAY": _DAY_TO_SECOND, "HOUR": _HOUR_TO_SECOND}
    match = shapes[first].fullmatch(digits) if first in shapes else None
    if match is None:
        refuse(node, f"INTERVAL '{value}' {first} TO {last}")
    parts = [f"{sign}{amount} {name}" for name, amount in match.groupdict().items() if amount]
    return fragment(f"INTERVAL '{' '.join(parts)}'")


@rule(exp.ParseJSON)
def _json_literal(node: Node, t: Translate) -> Node:
    return native("json", t(node.this))
