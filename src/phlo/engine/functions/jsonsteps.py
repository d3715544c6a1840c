"""The steps of a path into JSON, one function each."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class PathError(Exception):
    """A path could not be followed: ON ERROR says what then."""


class _At:
    """Where evaluation stands: the document, the variables, the item of a filter, the array of a subscript."""

    def __init__(self, root: Any, variables: dict[str, Any], *, lax: bool) -> None:
        self.root, self.variables, self.lax = root, variables, lax
        self.current: list[Any] = []
        self.last: list[int] = []

    def all(self, tree: tuple[Any, ...]) -> list[Any]:
        if tree[0] in ("+", "-", "*", "/", "%"):
            return [_computed(tree[0], self.number(tree[1]), self.number(tree[2]))]
        return _STEPS[tree[0]](self, *tree[1:])

    def unwrapped(self, tree: tuple[Any, ...]) -> list[Any]:
        found = self.all(tree)
        if not self.lax:
            return found
        return [part for item in found for part in (item if isinstance(item, list) else [item])]

    def number(self, tree: tuple[Any, ...]) -> Any:
        found = self.unwrapped(tree)
        if len(found) != 1 or not _is_number(found[0]):
            raise PathError("a single number is expected")
        return found[0]


def follow(tree: tuple[Any, ...], document: Any, variables: dict[str, Any], *, lax: bool) -> list[Any]:
    """Follow a path's tree through a document; raises ``PathError``."""
    return _At(document, variables, lax=lax).all(tree)


def _number(_at: _At, text: str) -> list[Any]:
    if "e" in text.lower():
        return [float(text)]
    return [Decimal(text) if "." in text else int(text)]


def _variable(at: _At, name: str) -> list[Any]:
    if name not in at.variables:
        raise ValueError(f"no value is passed for ${name}")
    return [at.variables[name]]


def _signed(sign: int) -> Callable[..., list[Any]]:
    def signed(at: _At, tree: tuple[Any, ...]) -> list[Any]:
        return [sign * _checked(item, _is_number, "a number") for item in at.unwrapped(tree)]

    return signed


def _member(at: _At, tree: tuple[Any, ...], name: str) -> list[Any]:
    out = []
    for item in at.unwrapped(tree):
        if isinstance(item, dict) and name in item:
            out.append(item[name])
        elif not at.lax:
            raise PathError(f"missing member '{name}' in JSON object")
    return out


def _members(at: _At, tree: tuple[Any, ...]) -> list[Any]:
    found = at.unwrapped(tree)
    if not at.lax:
        for item in found:
            _checked(item, lambda x: isinstance(x, dict), "an object")
    return [value for item in found if isinstance(item, dict) for value in item.values()]


def _descendants(at: _At, tree: tuple[Any, ...], name: str) -> list[Any]:
    out: list[Any] = []

    def visit(item: Any) -> None:
        if isinstance(item, dict):
            if name in item:
                out.append(item[name])
            for value in item.values():
                visit(value)
        elif isinstance(item, list):
            for value in item:
                visit(value)

    for item in at.all(tree):
        visit(item)
    return out


def _arrays(at: _At, tree: tuple[Any, ...]) -> list[list[Any]]:
    found = at.all(tree)
    if at.lax:
        return [item if isinstance(item, list) else [item] for item in found]
    return [_checked(item, lambda x: isinstance(x, list), "an array") for item in found]


def _elements(at: _At, tree: tuple[Any, ...]) -> list[Any]:
    return [element for array in _arrays(at, tree) for element in array]


def _index(at: _At, tree: tuple[Any, ...], parts: tuple[Any, ...]) -> list[Any]:
    out: list[Any] = []
    for array in _arrays(at, tree):
        at.last.append(len(array) - 1)
        try:
            for low, high in parts:
                first = math.trunc(at.number(low))
                last = math.trunc(at.number(high)) if high else first
                if not at.lax and (first > last or first < 0 or last >= len(array)):
                    raise PathError(f"invalid array subscript: {first} to {last}")
                out += array[max(first, 0) : max(last + 1, 0)]
        finally:
            at.last.pop()
    return out


def _filter(at: _At, tree: tuple[Any, ...], predicate: tuple[Any, ...]) -> list[Any]:
    out = []
    for item in at.unwrapped(tree):
        at.current.append(item)
        if _holds(at, predicate):
            out.append(item)
        at.current.pop()
    return out


def _method(of: Callable[[Any], Any]) -> Callable[..., list[Any]]:
    return lambda at, tree: [of(item) for item in at.unwrapped(tree)]


def _double(item: Any) -> float:
    try:
        return float(_checked(item, lambda x: _is_number(x) or isinstance(x, str), "a number or text"))
    except ValueError as error:
        raise PathError(str(error)) from error


def _rounded(function: Callable[[Any], int]) -> Callable[[Any], Any]:
    def rounded(item: Any) -> Any:
        number = _checked(item, _is_number, "a number")
        return float(function(number)) if isinstance(number, float) else function(number)

    return rounded


def _keyvalue(at: _At, tree: tuple[Any, ...]) -> list[Any]:
    found = at.unwrapped(tree)
    for item in found:
        _checked(item, lambda x: isinstance(x, dict), "an object")
    return [{"name": key, "value": value, "id": i} for i, item in enumerate(found) for key, value in item.items()]


def _type(item: Any) -> str:
    kinds = {bool: "boolean", str: "string", list: "array", dict: "object", type(None): "null"}
    return kinds.get(type(item), "number")


def _size(at: _At, tree: tuple[Any, ...]) -> list[Any]:
    return [len(array) for array in _arrays(at, tree)]


def _computed(sign: str, left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
        if sign in "/%" and right == 0:
            raise PathError("division by zero")
        return math.fmod(left, right) if sign == "%" else {"+": left + right, "-": left - right, "*": left * right,
                                                          "/": left / (right or 1)}[sign]  # fmt: skip
    if sign in "+-*":
        return left + right if sign == "+" else left - right if sign == "-" else left * right
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        raise ValueError("dividing decimals in a path is not available: use double()")
    if right == 0:
        raise PathError("division by zero")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if sign == "/" else left - right * quotient


_STEPS: dict[str, Callable[..., list[Any]]] = {
    "root": lambda at: [at.root],
    "current": lambda at: [at.current[-1]],
    "last": lambda at: [at.last[-1]],
    "value": lambda _at, value: [value],
    "number": _number,
    "variable": _variable,
    "+x": _signed(1),
    "-x": _signed(-1),
    "member": _member,
    "members": _members,
    "descendants": _descendants,
    "elements": _elements,
    "index": _index,
    "filter": _filter,
    "double": _method(_double),
    "ceiling": _method(_rounded(math.ceil)),
    "floor": _method(_rounded(math.floor)),
    "abs": _method(lambda item: abs(_checked(item, lambda x: _is_number(x), "a number"))),
    "keyvalue": _keyvalue,
    "type": lambda at, tree: [_type(item) for item in at.all(tree)],
    "size": _size,
}


# ── predicates: True, False, or None where unknown ───────────────────────────────────────────────────────────


def _holds(at: _At, tree: tuple[Any, ...]) -> bool | None:
    kind = tree[0]
    if kind in ("and", "or"):
        left, right = _holds(at, tree[1]), _holds(at, tree[2])
        decided = kind == "or"
        return decided if decided in (left, right) else None if None in (left, right) else not decided
    if kind == "not":
        inner = _holds(at, tree[1])
        return None if inner is None else not inner
    if kind == "unknown":
        return _holds(at, tree[1]) is None
    try:
        if kind == "exists":
            return bool(at.all(tree[1]))
        if kind == "starts":
            return _any(at, at.unwrapped(tree[1]), at.unwrapped(tree[2]), _starts)
        return _any(at, at.unwrapped(tree[2]), at.unwrapped(tree[3]), lambda a, b: _compared(tree[1], a, b))
    except PathError:
        return None


def _any(at: _At, left: list[Any], right: list[Any], test: Callable[[Any, Any], bool | None]) -> bool | None:
    """Whether a pair passes; in strict mode an error of any pair counts, in lax one that comes before."""
    found = False
    unknown = False
    for a in left:
        for b in right:
            answer = test(a, b)
            if answer is None:
                unknown = True
                if at.lax and not found:
                    return None
            found = found or bool(answer)
            if found and at.lax:
                return True
    return None if unknown else found


def _starts(a: Any, b: Any) -> bool | None:
    return a.startswith(b) if isinstance(a, str) and isinstance(b, str) else None


def _compared(sign: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        if sign in ("==", "<>", "<", ">", "<=", ">=") and a is None and b is None:
            return sign in ("==", "<=", ">=") if sign == "==" else False
        return sign == "<>" and False
    if isinstance(a, list | dict) or isinstance(b, list | dict):
        return None
    if _is_number(a) != _is_number(b) or isinstance(a, str) != isinstance(b, str):
        return None
    if isinstance(a, float) or isinstance(b, float):
        a, b = float(a), float(b)
    return bool({"==": a == b, "<>": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[sign])


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float | Decimal) and not isinstance(item, bool)


def _checked(item: Any, test: Callable[[Any], bool], wanted: str) -> Any:
    if not test(item):
        raise PathError(f"{wanted} is expected")
    return item
