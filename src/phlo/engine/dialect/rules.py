"""The registry of rules, and the walk that applies them.

A rule takes a node as it was read and ``translate`` for its parts, and returns the node that DuckDB is to get; the
tree that was read stays as it is, so a rule may look at all of it. A node that has no rule and is not known to mean
the same in both is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from phlo.engine.dialect.nodes import Node, refuse

Translate = Callable[[Node], Node]
Rule = Callable[[Node, Translate], Node]

RULES: dict[type[Node], Rule] = {}

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

_OF_QUERIES = frozenset({
    "by_name", "cluster", "connect", "distribute", "exclude", "for_", "format", "hint", "into", "kind", "laterals",
    "locks", "match", "on", "operation_modifiers", "options", "pivots", "prewhere", "qualify", "sample", "settings",
    "side", "sort",
})  # fmt: skip

UNREAD: dict[type[Node], frozenset[str]] = {
    **dict.fromkeys((exp.Select, exp.Subquery), _OF_QUERIES),
    **dict.fromkeys((exp.Union, exp.Intersect, exp.Except), _OF_QUERIES - {"by_name", "kind", "side"}),
    exp.Table: frozenset({"changes", "format", "hints", "indexed", "only", "ordinality", "partition", "pattern",
                          "pivots", "rows_from", "system_time", "version", "when"}),
    exp.Values: frozenset({"limit", "offset", "order", "pivots"}),
    exp.Cast: frozenset({"action", "default", "format"}),
    exp.TryCast: frozenset({"action", "default", "format"}),
    exp.CTE: frozenset({"key_expressions", "materialized", "scalar"}),
    exp.Group: frozenset({"all", "totals"}),
    exp.In: frozenset({"field", "is_global", "unnest"}),
    exp.Join: frozenset({"directed", "global_", "hint", "match_condition", "method", "nearest", "pivots"}),
    exp.Lateral: frozenset({"cross_apply", "ordinality", "outer", "view"}),
    exp.Limit: frozenset({"expressions", "limit_options"}),
    exp.Order: frozenset({"siblings"}),
    exp.Ordered: frozenset({"with_fill"}),
    exp.Star: frozenset({"except_", "ilike", "rename", "replace"}),
    exp.StrPosition: frozenset({"clamp_position", "occurrence", "position"}),
    exp.Substring: frozenset({"zero_start"}),
    exp.Trim: frozenset({"collation"}),
    exp.Unnest: frozenset({"explode_array"}),
    exp.Window: frozenset({"first"}),
    exp.With: frozenset({"cycle", "search", "udfs"}),
    exp.Column: frozenset({"join_mark", "shadow"}),
}  # fmt: skip
"""Arguments of nodes that no rule reads: other dialects' clauses, which sqlglot takes in Trino's name as well."""


def rule(*types: type[Node]) -> Callable[[Rule], Rule]:
    """Register a function as the rule of these nodes."""

    def register(function: Rule) -> Rule:
        for kind in types:
            if kind in RULES:
                raise ValueError(f"two rules for {kind.__name__}")
            RULES[kind] = function
        return function

    return register


def translate(node: Node) -> Node:
    """Translate a node by its rule, or its parts where the node itself is the same in both dialects."""
    for argument in UNREAD.get(type(node), ()):
        if node.args.get(argument):
            refuse(
                node, argument.strip("_").replace("_", " ").upper(), "the embedded engine has no equal of this clause"
            )
    found = RULES.get(type(node))
    if found:
        return found(node, translate)
    if type(node) not in SAME:
        refuse(node, node.sql("trino")[:60], "the embedded engine has no equal of this clause")
    return rebuilt(node, translate)


def rebuilt(node: Node, parts: Translate, **changed: object) -> Node:
    """Copy a node with its parts translated and some arguments changed."""
    copy = type(node)()
    for key, value in node.args.items():
        if key in changed:
            continue
        if isinstance(value, Node):
            copy.set(key, parts(value))
        elif isinstance(value, list):
            copy.set(key, [parts(item) if isinstance(item, Node) else item for item in value])
        else:
            copy.set(key, value)
    for key, value in changed.items():
        copy.set(key, value)
    return copy
