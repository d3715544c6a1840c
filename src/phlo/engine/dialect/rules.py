"""The registry of rules, and the walk that applies them.

A rule takes a node as it was read and ``translate`` for its parts, and returns the node that DuckDB is to get; the
tree that was read stays as it is, so a rule may look at all of it. A node that has no rule and is not known to mean
the same in both is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from phlo.engine.dialect.nodes import refuse

Translate = Callable[[exp.Expression], exp.Expression]
Rule = Callable[[exp.Expression, Translate], exp.Expression]

RULES: dict[type[exp.Expression], Rule] = {}

SAME = frozenset({
    exp.Add, exp.Alias, exp.Aliases, exp.All, exp.And, exp.Any, exp.Between, exp.Boolean, exp.CTE, exp.Case, exp.Column,
    exp.ColumnDef, exp.Cube, exp.CurrentDate, exp.DataType, exp.DataTypeParam, exp.Distinct, exp.Dot, exp.EQ,
    exp.Escape, exp.Except, exp.Exists, exp.Fetch, exp.Filter, exp.From, exp.GT, exp.GTE, exp.Group, exp.GroupingSets,
    exp.Having, exp.Identifier, exp.If, exp.IgnoreNulls, exp.In, exp.Intersect, exp.Is, exp.Join, exp.LT, exp.LTE,
    exp.Lateral, exp.Like, exp.Limit, exp.LimitOptions, exp.Literal, exp.Mod, exp.Mul, exp.NEQ, exp.Neg, exp.Not,
    exp.Null, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Offset, exp.Or, exp.Order, exp.Ordered, exp.Paren, exp.RespectNulls,
    exp.Rollup, exp.Select, exp.Star, exp.Subquery, exp.TableAlias, exp.Tuple, exp.Union, exp.Var, exp.Where,
    exp.Window, exp.WindowSpec, exp.With, exp.Xor,
})  # fmt: skip


def rule(*types: type[exp.Expression]) -> Callable[[Rule], Rule]:
    """Register a function as the rule of these nodes."""

    def register(function: Rule) -> Rule:
        for kind in types:
            if kind in RULES:
                raise ValueError(f"two rules for {kind.__name__}")
            RULES[kind] = function
        return function

    return register


def translate(node: exp.Expression) -> exp.Expression:
    """Translate a node by its rule, or its parts where the node itself is the same in both dialects."""
    found = RULES.get(type(node))
    if found:
        return found(node, translate)
    if type(node) not in SAME:
        refuse(node, node.sql("trino")[:60], "the embedded engine has no equal of this clause")
    return rebuilt(node, translate)


def rebuilt(node: exp.Expression, parts: Translate, **changed: object) -> exp.Expression:
    """Copy a node with its parts translated and some arguments changed."""
    copy = type(node)()
    for key, value in node.args.items():
        if key in changed:
            continue
        if isinstance(value, exp.Expression):
            copy.set(key, parts(value))
        elif isinstance(value, list):
            copy.set(key, [parts(item) if isinstance(item, exp.Expression) else item for item in value])
        else:
            copy.set(key, value)
    for key, value in changed.items():
        copy.set(key, value)
    return copy
