"""Rules of the functions that take functions."""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.nodes import Node, fragment, native, refuse
from phlo.engine.dialect.rules import Rule, Translate, rule


@rule(exp.Lambda)
def _stray(node: Node, _t: Translate) -> Node:
    return refuse(node, "->", "this function takes no function here")


def _parts(node: Node, position: int, parameters: int, t: Translate) -> tuple[list[str], Node]:
    function = node.expressions[position] if len(node.expressions) > position else None
    if not isinstance(function, exp.Lambda) or len(function.expressions) != parameters:
        refuse(node, str(node.name), f"it takes a function of {parameters} arguments: (x, …) -> …")
    return [parameter.name for parameter in function.expressions], t(function.this)


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql().replace("{", "{{").replace("}", "}}")


def _each(template: str) -> Rule:
    """Apply a function of one argument to each element: ``{0}`` is the array, ``{1}`` the body, ``X`` its argument."""

    def each(node: Node, t: Translate) -> Node:
        (name,), body = _parts(node, 1, 1, t)
        return fragment(template.replace("X", _quoted(name)), t(node.expressions[0]), body)

    return each


def _replaced(body: Node, names: dict[str, str]) -> Node:
    """Put other expressions in the place of a function's arguments."""

    def put(part: Node) -> Node:
        column = part.this if isinstance(part, exp.Column) and not part.table else part
        if isinstance(column, exp.Identifier) and column.name in names and not isinstance(part.parent, exp.TableAlias):
            return fragment(names[column.name])
        return part

    return body.transform(put, copy=True)


def _pairs(node: Node, position: int, first: str, second: str, t: Translate) -> Node:
    function = node.expressions[position] if len(node.expressions) > position else None
    if not isinstance(function, exp.Lambda) or len(function.expressions) != 2:
        refuse(node, str(node.name), "it takes a function of two arguments: (x, y) -> …")
    names = [parameter.name for parameter in function.expressions]
    return _replaced(t(function.this), {names[0]: first, names[1]: second})


def _map_filter(node: Node, t: Translate) -> Node:
    body = _pairs(node, 1, "phlo_p['key']", "phlo_p['value']", t)
    return fragment("map_from_entries(list_filter(map_entries({0}), lambda phlo_p: {1}))", t(node.expressions[0]), body)


_REMADE = "map_from_entries(list_transform(map_entries({0}), lambda phlo_p: {{'key': KEY, 'value': VALUE}}))"


def _transform_values(node: Node, t: Translate) -> Node:
    body = _pairs(node, 1, "phlo_p['key']", "phlo_p['value']", t)
    return fragment(_REMADE.replace("KEY", "phlo_p['key']").replace("VALUE", "{1}"), t(node.expressions[0]), body)


def _transform_keys(node: Node, t: Translate) -> Node:
    body = _pairs(node, 1, "phlo_p['key']", "phlo_p['value']", t)
    return fragment(_REMADE.replace("KEY", "{1}").replace("VALUE", "phlo_p['value']"), t(node.expressions[0]), body)


def _zip_with(node: Node, t: Translate) -> Node:
    body = _pairs(node, 2, "phlo_p[1]", "phlo_p[2]", t)
    template = "list_transform(list_zip({0}, {1}), lambda phlo_p: {2})"
    return fragment(template, t(node.expressions[0]), t(node.expressions[1]), body)


def _reduce(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 4:
        refuse(node, "reduce", "it takes an array, a first state and two functions")
    array, first = t(node.expressions[0]), t(node.expressions[1])
    (state, element), step = _parts(node, 2, 2, t)
    (last,), output = _parts(node, 3, 1, t)
    template = (
        f"list_transform([list_reduce({{0}}, lambda {_quoted(state)}, {_quoted(element)}: {{2}}, {{1}})],"
        f" lambda {_quoted(last)}: {{3}})[1]"
    )
    return fragment(template, array, first, step, output)


def _array_sort(node: Node, t: Translate) -> Node:
    """Sort by a function of two elements: each goes behind all that are less, and behind equal ones that came first."""
    if len(node.expressions) == 1:
        return native("trino_array_sort", t(node.expressions[0]))
    (first, second), body = _parts(node, 1, 2, t)
    compared = _replaced(body, {first: "phlo_a[phlo_j]", second: "phlo_a[phlo_i]"})
    rank = (
        "len(list_filter(range(1, len(phlo_a) + 1), lambda phlo_j: list_transform([{1}], lambda phlo_c:"
        " phlo_i <> phlo_j AND (phlo_c < 0 OR (phlo_c = 0 AND phlo_j < phlo_i)))[1]))"
    )
    ranked = f"list_transform(range(1, len(phlo_a) + 1), lambda phlo_i: {{{{'r': {rank}, 'i': phlo_i}}}})"
    template = (
        f"list_transform([{{0}}], lambda phlo_a: list_transform(list_sort({ranked}),"
        " lambda phlo_p: phlo_a[phlo_p['i']]))[1]"
    )
    return fragment(template, t(node.expressions[0]), compared)


def _map_zip_with(node: Node, t: Translate) -> Node:
    (key, one, other), body = _parts(node, 2, 3, t)
    value = _replaced(body, {key: "phlo_k", one: "phlo_m['a'][phlo_k]", other: "phlo_m['b'][phlo_k]"})
    template = (
        "list_transform([{{'a': {0}, 'b': {1}}}], lambda phlo_m: CASE"
        " WHEN phlo_m['a'] IS NULL OR phlo_m['b'] IS NULL THEN NULL ELSE map_from_entries(list_transform("
        "list_distinct(list_concat(map_keys(phlo_m['a']), map_keys(phlo_m['b']))),"
        " lambda phlo_k: {{'key': phlo_k, 'value': {2}}})) END)[1]"
    )
    return fragment(template, t(node.expressions[0]), t(node.expressions[1]), value)


LAMBDAS: dict[str, Rule] = {
    "array_sort": _array_sort,
    "map_zip_with": _map_zip_with,
    "transform": _each("list_transform({0}, lambda X: {1})"),
    "filter": _each("list_filter({0}, lambda X: {1})"),
    "any_match": _each("phlo_any(list_transform({0}, lambda X: CAST({1} AS BOOLEAN)))"),
    "all_match": _each("phlo_all(list_transform({0}, lambda X: CAST({1} AS BOOLEAN)))"),
    "none_match": _each("(NOT phlo_any(list_transform({0}, lambda X: CAST({1} AS BOOLEAN))))"),
    "map_filter": _map_filter,
    "transform_values": _transform_values,
    "transform_keys": _transform_keys,
    "zip_with": _zip_with,
    "reduce": _reduce,
}
