"""The nodes that rules build, and how a rule says that it can not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp

from phlo.errors import UnsupportedFunction

Node = exp.Expr
"""Any node of a tree."""

if TYPE_CHECKING:
    from typing import NoReturn


class Fragment(exp.Expression):
    """DuckDB SQL with holes ``{0}``, ``{1}`` … for its operands."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


class Native(exp.Expression):
    """A call of a DuckDB function or of one of our macros, as opposed to the call that the user wrote."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


def native(name: str, *operands: Node) -> Native:
    """Call DuckDB's function or our macro ``name``."""
    return Native(this=name, expressions=list(operands))


def fragment(template: str, *operands: Node) -> Fragment:
    """Build DuckDB SQL from a template; operands that stand between operators need parentheses in it."""
    return Fragment(this=template, expressions=list(operands))


def text(value: str) -> exp.Literal:
    """Build a string literal."""
    return exp.Literal.string(value)


def text_of(node: Node | None) -> str | None:
    """Return the value of a string literal, else None.

    >>> text_of(text("day")), text_of(exp.column("x"))
    ('day', None)
    """
    return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None


def line_of(node: Node) -> int:
    """Return the line that a node was read from, as near as its neighbours know."""
    near: Node | None = node
    while near is not None:
        for known in near.walk():
            if "line" in known.meta:
                return int(known.meta["line"])
        near = near.parent
    return 1


def refuse(node: Node, name: str, fix: str = "", nearest: str = "") -> NoReturn:
    """Raise ``UnsupportedFunction`` for a construct that has no equal here."""
    hint = fix or "docs/reference/dialect.md lists what there is"
    raise UnsupportedFunction(name=name, line=line_of(node), nearest=nearest, fix=hint)
