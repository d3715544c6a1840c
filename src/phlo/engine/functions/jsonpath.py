"""SQL's paths into JSON: read into a tree of tuples, and followed through a document.

What follows a path is a sequence of items: dict, list, str, bool, None, int, float (a number with a fraction in the
document) and Decimal (one in the path). In lax mode arrays are unwrapped where a single item is asked for, and what is
not there yields nothing; in strict mode both are errors.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from phlo.engine.functions.jsonsteps import PathError, follow

__all__ = ["PathError", "items", "read"]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|\$(?P<variable>[A-Za-z_]\w*)|(?P<sign>\.\.|==|<>|!=|<=|>=|&&|\|\||[$@.\[\](),?*/%+\-<>!]))",
    re.DOTALL,
)
_COMPARISONS = frozenset({"==", "<>", "!=", "<", ">", "<=", ">="})
METHODS = frozenset({"double", "ceiling", "floor", "abs", "keyvalue", "type", "size"})
Tree = tuple[Any, ...]


def items(document: Any, path: str, variables: dict[str, Any]) -> list[Any]:
    """Follow a path through a document.

    >>> items({"a": [{"n": 1}, {"n": 5}]}, "lax $.a[*]?(@.n > $least).n", {"least": 2})
    [5]
    """
    lax, tree = read(path)
    return follow(tree, document, variables, lax=lax)


@lru_cache(maxsize=256)
def read(path: str) -> tuple[bool, Tree]:
    """Read a path: whether it is lax, and its tree. Raises ``ValueError`` where it is none.

    >>> read("strict $.a[last]")
    (False, ('index', ('member', ('root',), 'a'), ((('last',), None),)))
    """
    mode, _, rest = path.strip().partition(" ")
    if mode not in ("lax", "strict"):
        raise ValueError(f"a path begins with lax or strict: {path}")
    reader = _Reader(rest, path)
    tree = reader.sum()
    reader.done()
    return mode == "lax", tree


class _Reader:
    """Recursive descent over the tokens of a path."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.tokens: list[tuple[str, str]] = []
        end = 0
        text = text.rstrip()
        while end < len(text):
            found = _TOKEN.match(text, end)
            if not found or found.lastgroup is None:
                raise ValueError(f"no path: {path}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            end = found.end()
        self.at = 0

    def done(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"no path: {self.path}")

    def peek(self, *signs: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][0] != "text" and self.tokens[self.at][1] in signs

    def take(self, *signs: str) -> str:
        if not self.peek(*signs):
            return ""
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise ValueError(f"no path, `{sign}` is missing: {self.path}")

    def next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise ValueError(f"no path, it ends too early: {self.path}")
        self.at += 1
        return self.tokens[self.at - 1]

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────

    def sum(self) -> Tree:
        left = self.product()
        while sign := self.take("+", "-"):
            left = (sign, left, self.product())
        return left

    def product(self) -> Tree:
        left = self.signed()
        while sign := self.take("*", "/", "%"):
            left = (sign, left, self.signed())
        return left

    def signed(self) -> Tree:
        sign = self.take("+", "-")
        return (f"{sign}x", self.signed()) if sign else self.steps()

    def steps(self) -> Tree:
        tree = self.primary()
        while sign := self.take(".", "..", "[", "?"):
            if sign == "[":
                tree = self.subscripts(tree)
            elif sign == "?":
                self.expect("(")
                tree = ("filter", tree, self.either())
                self.expect(")")
            else:
                tree = self.member(tree, sign)
        return tree

    def member(self, tree: Tree, sign: str) -> Tree:
        if sign == "." and self.take("*"):
            return ("members", tree)
        kind, name = self.next()
        if kind not in ("name", "text"):
            raise ValueError(f"no path, a name is missing: {self.path}")
        if kind == "name" and sign == "." and name in METHODS and self.take("("):
            self.expect(")")
            return (name, tree)
        return ("member" if sign == "." else "descendants", tree, json.loads(name) if kind == "text" else name)

    def subscripts(self, tree: Tree) -> Tree:
        if self.take("*"):
            self.expect("]")
            return ("elements", tree)
        parts: list[tuple[Tree, Tree | None]] = []
        while True:
            first = self.sum()
            parts.append((first, self.sum() if self.take("to") else None))
            if not self.take(","):
                break
        self.expect("]")
        return ("index", tree, tuple(parts))

    def primary(self) -> Tree:
        if self.take("("):
            tree = self.sum()
            self.expect(")")
            return tree
        kind, text = self.next()
        if kind == "text":
            return ("value", json.loads(text))
        if kind == "number":
            return ("number", text)
        if kind == "variable":
            return ("variable", text)
        known = {"$": ("root",), "@": ("current",), "last": ("last",), "true": ("value", True),
                 "false": ("value", False), "null": ("value", None)}  # fmt: skip
        if text not in known:
            raise ValueError(f"no path, `{text}` is not known: {self.path}")
        return known[text]

    # ── predicates ───────────────────────────────────────────────────────────────────────────────────────

    def either(self) -> Tree:
        left = self.both()
        while self.take("||"):
            left = ("or", left, self.both())
        return left

    def both(self) -> Tree:
        left = self.predicate()
        while self.take("&&"):
            left = ("and", left, self.predicate())
        return left

    def predicate(self) -> Tree:
        if self.take("!"):
            return ("not", self.predicate())
        if self.take("exists"):
            self.expect("(")
            tree = self.sum()
            self.expect(")")
            return ("exists", tree)
        if self.peek("("):
            before = self.at
            try:
                return self.in_parentheses()
            except ValueError:
                self.at = before  # a value in parentheses, then
        return self.comparison()

    def in_parentheses(self) -> Tree:
        self.expect("(")
        tree = self.either()
        self.expect(")")
        if self.take("is"):
            self.expect("unknown")
            return ("unknown", tree)
        return tree

    def comparison(self) -> Tree:
        left = self.sum()
        if self.take("starts"):
            self.expect("with")
            return ("starts", left, self.primary())
        sign = self.take(*_COMPARISONS)
        if not sign:
            raise ValueError(f"no path, a comparison is missing: {self.path}")
        return ("compare", "<>" if sign == "!=" else sign, left, self.sum())
