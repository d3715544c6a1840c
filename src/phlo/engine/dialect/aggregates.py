"""Rules of aggregates and window functions, with FILTER, OVER and IGNORE NULLS around them."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text_of
from phlo.engine.dialect.rules import Translate, rebuilt, rule

AROUND = (exp.Filter, exp.Window, exp.IgnoreNulls, exp.RespectNulls)
WINDOWS = frozenset({"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead",
                     "first_value", "last_value", "nth_value"})  # fmt: skip

Over = Callable[[Node], Node]
Aggregate = Callable[[Node, Over, Translate], Node]


@rule(*AROUND)
def _around(node: Node, t: Translate) -> Node:
    return applied(node, t)


def applied(node: Node, t: Translate) -> Node:
    """Translate an aggregate with all that stands around it."""
    call = node
    while isinstance(call, AROUND):
        call = call.this
    if isinstance(call, exp.GroupConcat):
        return _listagg(call, lambda inner: _rewrapped(node, call, inner, t), t)
    if not isinstance(call, exp.Anonymous):
        return rebuilt(node, t)  # WINDOW w AS (…)
    name = str(call.name).lower()
    if name in WINDOWS:
        return _rewrapped(node, call, native(name, *(t(operand) for operand in call.expressions)), t)
    if name not in AGGREGATES:
        refuse(call, name, "it is neither an aggregate nor a window function here")
    return AGGREGATES[name](call, lambda inner: _rewrapped(node, call, inner, t), t)


def _rewrapped(node: Node, call: Node, inner: Node, t: Translate) -> Node:
    if node is call:
        return inner
    return rebuilt(node, t, this=_rewrapped(node.this, call, inner, t))


def _plain(name: str) -> Aggregate:
    def plain(call: Node, over: Over, t: Translate) -> Node:
        return over(native(name, *(t(operand) for operand in call.expressions)))

    return plain


def _as_bigint(name: str) -> Aggregate:
    def counted(call: Node, over: Over, t: Translate) -> Node:
        return fragment("CAST({0} AS BIGINT)", over(native(name, *(t(operand) for operand in call.expressions))))

    return counted


def _count_if(call: Node, over: Over, t: Translate) -> Node:
    return over(fragment("count(CASE WHEN {0} THEN 1 END)", *(t(operand) for operand in call.expressions)))


def _sum(call: Node, over: Over, t: Translate) -> Node:
    total = over(native("sum", *(t(operand) for operand in call.expressions)))
    kind = kind_of(call.expressions[0]).name
    if kind == "integer":
        return fragment("CAST({0} AS BIGINT)", total)
    if kind in ("double", "decimal"):
        return total
    return call_macro("phlo_sum", [total, over(native("min", *(t(operand) for operand in call.expressions)))])


def _avg(call: Node, over: Over, t: Translate) -> Node:
    def of(name: str) -> Node:
        return over(native(name, *(t(operand) for operand in call.expressions)))

    if kind_of(call.expressions[0]).name in ("integer", "double"):
        return of("avg")
    return call_macro("phlo_avg", [of("avg"), of("sum"), of("count"), of("min")])


def _statistic(name: str) -> Aggregate:
    def statistic(call: Node, over: Over, t: Translate) -> Node:
        if len(call.expressions) != 2:
            refuse(call, name, "it takes two arguments")
        y, x = call.expressions
        value = over(native(name, t(y), t(x)))
        return call_macro("phlo_statistic", [value, over(native("min", t(y))), over(native("min", t(x)))])

    return statistic


def _by(direction: str) -> Aggregate:
    def by(call: Node, over: Over, t: Translate) -> Node:
        if len(call.expressions) == 3:
            x, y, n = call.expressions
            word = "DESC" if direction == "max" else "ASC"
            rows = fragment(f"list({{{{'x': {{0}}, 'y': {{1}}}}}} ORDER BY {{1}} {word} NULLS LAST)", t(x), t(y))
            kept = "list_filter({0}, lambda phlo_r: phlo_r['y'] IS NOT NULL)"
            template = f"list_transform(nullif({kept}[:{{1}}], []), lambda phlo_r: phlo_r['x'])"
            return fragment(template, over(rows), t(n))
        return over(native(f"arg_{direction}_null", *(t(operand) for operand in call.expressions)))

    return by


def _approx_distinct(call: Node, over: Over, t: Translate) -> Node:
    return over(native("count", exp.Distinct(expressions=[t(call.expressions[0])])))


def _approx_percentile(call: Node, over: Over, t: Translate) -> Node:
    if len(call.expressions) != 2:
        refuse(call, "approx_percentile with weights", "repeat the rows by their weight")
    x, p = call.expressions
    ordered = exp.Order(this=t(x), expressions=[exp.Ordered(this=t(x), nulls_first=False)])
    values = fragment("list_filter({0}, lambda phlo_e: phlo_e IS NOT NULL)", over(native("list", ordered)))
    many = isinstance(p, exp.Array)
    return call_macro("phlo_percentiles_of" if many else "phlo_percentile_of", [values, t(p)])


def _collected(macro: str) -> Aggregate:
    def collected(call: Node, over: Over, t: Translate) -> Node:
        if len(call.expressions) != 2 or isinstance(call.expressions[0], exp.Distinct):
            refuse(call, str(call.name), "it takes a key and a value")
        key, value = (over(native("list", t(operand))) for operand in call.expressions)
        return native(macro, key, value)

    return collected


def _histogram(call: Node, over: Over, t: Translate) -> Node:
    return native("phlo_histogram", over(native("histogram", t(call.expressions[0]))))


def _skewness(call: Node, over: Over, t: Translate) -> Node:
    x = call.expressions[0]
    return native("phlo_skewness", over(native("skewness", t(x))), over(native("count", t(x))))


@rule(exp.GroupConcat)
def _group_concat(node: Node, t: Translate) -> Node:
    return applied(node, t)


def _listagg(call: exp.GroupConcat, over: Over, t: Translate) -> Node:
    overflow = call.args.get("on_overflow")
    limit = "phlo_listagg({0})" if isinstance(overflow, exp.OverflowTruncateBehavior) else "{0}"
    separator = call.args.get("separator")
    value, order = call.this, None
    if isinstance(value, exp.Order):
        value, order = value.this, value
    distinct = isinstance(value, exp.Distinct)
    if distinct:
        value = value.expressions[0]
    if order is None:
        refuse(call, "listagg without WITHIN GROUP", "add WITHIN GROUP (ORDER BY …)")
    terms = ", ".join(f"{{{i + 2}}}" for i in range(len(order.expressions)))
    word = "DISTINCT " if distinct else ""
    template = f"string_agg({word}{{0}}, {{1}} ORDER BY {terms})"
    joined = fragment(template, t(value), t(separator) if separator else exp.Literal.string(""),
                      *(t(term) for term in order.expressions))  # fmt: skip
    return fragment(limit, over(joined))


def _reduce_agg(call: Node, over: Over, t: Translate) -> Node:
    """Fold all values that are not NULL; that states may be combined lets any order do."""
    step = call.expressions[2] if len(call.expressions) == 4 else None
    if not isinstance(step, exp.Lambda) or len(step.expressions) != 2:
        refuse(call, "reduce_agg", "it takes a value, a first state and two functions of two arguments")
    values = over(native("list", t(call.expressions[0])))
    state, value = (exp.to_identifier(parameter.name, quoted=True).sql() for parameter in step.expressions)
    template = (
        "list_transform([list_filter({0}, lambda phlo_e: phlo_e IS NOT NULL)], lambda phlo_v: CASE WHEN len(phlo_v) > 0"
        f" THEN list_reduce(phlo_v, lambda {state}, {value}: {{2}}, {{1}}) END)[1]"
    )
    return fragment(template, values, t(call.expressions[1]), t(step.this))


def _map_union(call: Node, over: Over, t: Translate) -> Node:
    return native("phlo_map_union", over(native("list", t(call.expressions[0]))))


def _extreme(name: str) -> Aggregate:
    def extreme(call: Node, over: Over, t: Translate) -> Node:
        if len(call.expressions) == 2 and text_of(call.expressions[1]) is not None:
            refuse(call, name, "the second argument is a number")
        return over(native(name, *(t(operand) for operand in call.expressions)))

    return extreme


AGGREGATES: dict[str, Aggregate] = {
    **{name: _plain(name) for name in ("array_agg", "bool_and", "bool_or", "count", "any_value", "stddev", "stddev_pop",
                                       "stddev_samp", "var_pop", "var_samp", "variance")},
    "arbitrary": _plain("any_value"),
    "every": _plain("bool_and"),
    "geometric_mean": _plain("geomean"),
    "kurtosis": _plain("kurtosis"),
    "max": _extreme("max"),
    "min": _extreme("min"),
    "bitwise_and_agg": _as_bigint("bit_and"),
    "bitwise_or_agg": _as_bigint("bit_or"),
    "bitwise_xor_agg": _as_bigint("bit_xor"),
    "count_if": _count_if,
    "sum": _sum,
    "avg": _avg,
    "max_by": _by("max"),
    "min_by": _by("min"),
    "approx_distinct": _approx_distinct,
    "approx_percentile": _approx_percentile,
    "map_agg": _collected("phlo_map_agg"),
    "multimap_agg": _collected("phlo_multimap_agg"),
    "histogram": _histogram,
    "skewness": _skewness,
    "reduce_agg": _reduce_agg,
    "map_union": _map_union,
    **{name: _statistic(name) for name in ("corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept")},
}  # fmt: skip
