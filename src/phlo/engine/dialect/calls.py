"""Calls of macros that are chosen by the types of their operands.

DuckDB picks a macro's overload by the types it finds for its arguments, which fails where an argument is an aggregate,
a window or a subquery; a lambda that binds such operands first has their types. It also keeps nested calls from
doubling the text and the planning time at each level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from phlo.engine.dialect.macros import signatures
from phlo.engine.dialect.nodes import Fragment, Node, fragment, native

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIMPLE = (exp.Column, exp.Literal, exp.Identifier, exp.Null, exp.Boolean, exp.Paren, exp.Neg, exp.Dot, exp.Cast)


def call_macro(name: str, operands: Sequence[Node]) -> Node:
    """Call the macro ``name``, giving typed parameters the operand of their untyped twin.

    >>> from phlo.engine.dialect.writer import write
    >>> write(call_macro("trino_divide", [exp.column("a"), exp.column("b")]))
    'trino_divide("a", "b", "a", "b")'
    """
    parameters = signatures()[name][len(operands)]
    named = dict(zip((p for p in parameters if not p.startswith("t_")), operands, strict=True))
    twins = {p[2:] for p in parameters if p.startswith("t_")}
    if twins and not all(_is_simple(named[twin]) for twin in twins):
        return _bound(name, parameters, named)
    return native(name, *(named[p.removeprefix("t_")].copy() for p in parameters))


def _bound(name: str, parameters: tuple[str, ...], named: dict[str, Node]) -> Fragment:
    bound = {p: value for p, value in named.items() if not isinstance(value, exp.Literal)}
    reference = {
        p: exp.Literal(this=str(value.this), is_string=value.is_string) if p not in bound else None
        for p, value in named.items()
    }
    arguments = []
    for parameter in parameters:
        operand = parameter.removeprefix("t_")
        literal = reference[operand]
        arguments.append(literal.sql() if literal else f"v['{operand}']")
    fields = ", ".join(f"'{p}': {{{i}}}" for i, p in enumerate(bound))
    template = f"list_transform([{{{{{fields}}}}}], lambda v: {name}({', '.join(arguments)}))[1]"
    return fragment(template, *bound.values())


def _is_simple(node: Node) -> bool:
    return all(isinstance(part, (*_SIMPLE, exp.DataType, exp.DataTypeParam)) for part in node.walk())
