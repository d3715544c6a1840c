"""Rules of comparisons and of what must be true or false: which types meet, and what of NULLs inside of values.

DuckDB brings text to the type that it is compared with; Trino refuses, and so it is here where the statement says what
the types are.
"""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.kinds import MONTHS, kind_of
from phlo.engine.dialect.nodes import Node, fragment, line_of, native, refuse
from phlo.engine.dialect.rules import Translate, rebuilt, rule
from phlo.errors import TypesDiffer

_FAMILIES = {
    **dict.fromkeys(("integer", "decimal", "double", "real"), "number"),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "date"),
    **dict.fromkeys(("varchar", "char"), "text"),
}
_SIGNS: dict[type[Node], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip


def meet(node: Node, left: Node, right: Node, sign: str) -> None:
    """Raise ``TypesDiffer`` where two operands are known to be of types that Trino does not bring together."""
    one, other = kind_of(left).name, kind_of(right).name
    digits = [kind_of(left).digits, kind_of(right).digits]
    if one == other == "interval" and digits.count(MONTHS) == 1:
        raise TypesDiffer(left="interval", sign=sign, right="interval of months", line=line_of(node))
    if one and other and _FAMILIES.get(one, one) != _FAMILIES.get(other, other):
        raise TypesDiffer(left=_spelled(one), sign=sign, right=_spelled(other), line=line_of(node))


def must_hold(node: Node | None, where: str) -> None:
    """Raise ``TypesDiffer`` where what decides is known to be no boolean."""
    kind = kind_of(node).name if node is not None else ""
    if node is not None and kind not in ("", "boolean"):
        raise TypesDiffer(left=where, sign="takes a boolean, not", right=_spelled(kind), line=line_of(node))


def _spelled(kind: str) -> str:
    return {"timestamptz": "timestamp with time zone"}.get(kind, kind)


@rule(*_SIGNS)
def _comparison(node: Node, t: Translate) -> Node:
    left, right = node.this, node.expression
    meet(node, left, right, _SIGNS[type(node)])
    kinds = {kind_of(left).name, kind_of(right).name}
    if any(isinstance(side, exp.Anonymous) and side.name.lower() == "nan" for side in (left, right)):
        refuse(node, "a comparison with nan()", "use is_nan(x)")
    if "ipaddress" in kinds and not isinstance(node, exp.EQ | exp.NEQ):
        refuse(node, "an order of IP addresses", "compare them with = alone")
    if "char" in kinds:
        return rebuilt(node, t, this=native("rtrim", t(left)), expression=native("rtrim", t(right)))
    if isinstance(node, exp.EQ | exp.NEQ):
        return _equality(node, left, right, t)
    return rebuilt(node, t)


def _equality(node: Node, left: Node, right: Node, t: Translate) -> Node:
    one, other = _cells(left), _cells(right)
    if one is not None and other is not None and len(one) == len(other):
        pairs = [exp.EQ(this=a.copy(), expression=b.copy()) for a, b in zip(one, other, strict=True)]
        joined: Node = fragment("(" + " AND ".join(f"{{{i}}}" for i in range(len(pairs))) + ")", *map(t, pairs))
    elif kind_of(left).name == kind_of(right).name == "array":
        joined = call_macro("phlo_equal_arrays", [t(left), t(right)])
    elif kind_of(left).name == kind_of(right).name == "map":
        joined = call_macro("phlo_equal_maps", [t(left), t(right)])
    else:
        return rebuilt(node, t)
    return fragment("(NOT {0})", joined) if isinstance(node, exp.NEQ) else joined


def _cells(node: Node) -> list[Node] | None:
    """The values of a row that is written out."""
    if isinstance(node, exp.Paren):
        return _cells(node.this)
    if isinstance(node, exp.Tuple) or (isinstance(node, exp.Anonymous) and node.name.lower() == "row"):
        cells: list[Node] = node.expressions
        return cells
    return None


@rule(exp.In)
def _in(node: Node, t: Translate) -> Node:
    for option in node.expressions:
        meet(node, node.this, option, "IN")
    return rebuilt(node, t)


@rule(exp.Between)
def _between(node: Node, t: Translate) -> Node:
    for bound in (node.args["low"], node.args["high"]):
        meet(node, node.this, bound, "BETWEEN")
    if not node.args.get("symmetric"):
        return rebuilt(node, t)
    parts = t(node.this), t(node.args["low"]), t(node.args["high"])
    return fragment("({0} BETWEEN least({1}, {2}) AND greatest({1}, {2}))", *parts)


@rule(exp.Not, exp.And, exp.Or)
def _logic(node: Node, t: Translate) -> Node:
    for part in (node.this, node.args.get("expression")):
        must_hold(part, node.key.upper())
    return rebuilt(node, t)


@rule(exp.Where, exp.Having)
def _filter(node: Node, t: Translate) -> Node:
    must_hold(node.this, node.key.upper())
    return rebuilt(node, t)


@rule(exp.Case, exp.If)
def _case(node: Node, t: Translate) -> Node:
    if isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
        must_hold(node.this, "IF")
        _alike(node, [node.args.get("true"), node.args.get("false")], "IF")
    if isinstance(node, exp.Case):
        branches = node.args.get("ifs") or []
        for branch in branches:
            if node.this is None:
                must_hold(branch.this, "CASE WHEN")
            else:
                meet(branch, node.this, branch.this, "=")
        _alike(node, [*(branch.args.get("true") for branch in branches), node.args.get("default")], "CASE")
    return rebuilt(node, t)


def alike(node: Node, results: list[Node], word: str) -> None:
    """Raise ``TypesDiffer`` where alternatives are known to be of types that do not meet."""
    _alike(node, list(results), word)


def _alike(node: Node, results: list[Node | None], word: str) -> None:
    known = [result for result in results if result is not None and kind_of(result).name]
    for result in known[1:]:
        meet(node, known[0], result, f"and, in {word},")
