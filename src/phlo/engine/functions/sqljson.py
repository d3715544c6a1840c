"""JSON_EXISTS, JSON_QUERY, JSON_VALUE and the rows of JSON_TABLE."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from phlo.engine.functions.jsonpath import PathError, items
from phlo.engine.functions.jsontext import dumped, java_double, scientific

_WHOLE = {"tinyint": 7, "smallint": 15, "integer": 31, "bigint": 63}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


def json_exists(document: str | None, path: str, passed: str, on_error: str) -> bool | None:
    """Whether a path leads to something; ``on_error`` is TRUE, FALSE, UNKNOWN or ERROR.

    >>> json_exists('{"a": 1}', "lax $.b", "{}", "FALSE")
    False
    """
    if document is None:
        return None
    try:
        return bool(_items(document, path, passed))
    except PathError:
        if on_error == "ERROR":
            raise
        return {"TRUE": True, "FALSE": False}.get(on_error)


def json_query(document: str | None, path: str, passed: str, options: str) -> str | None:
    """Give what a path leads to as JSON; ``options``: wrapper, quotes, on empty, on error, divided by ``|``.

    >>> json_query('{"a": [1, 2]}', "lax $.a[*]", "{}", "WITHOUT|KEEP|NULL|NULL") is None
    True
    >>> json_query('{"a": [1, 2]}', "lax $.a[*]", "{}", "UNCONDITIONAL|KEEP|NULL|NULL")
    '[1,2]'
    """
    wrapper, quotes, on_empty, on_error = options.split("|")
    if document is None:
        return None
    try:
        found = _items(document, path, passed)
        if not found:
            return _instead(on_empty, "JSON path found no items")
        whole = len(found) == 1 and isinstance(found[0], list | dict)
        if wrapper == "UNCONDITIONAL" or (wrapper == "CONDITIONAL" and not whole):
            return _text(found)
        if len(found) > 1:
            raise PathError("JSON path found multiple items")
    except PathError:
        if on_error == "ERROR":
            raise
        return _instead(on_error, "")
    return found[0] if quotes == "OMIT" and isinstance(found[0], str) else _text(found[0])


def json_value(document: str | None, path: str, passed: str, options: str) -> str | None:
    """Give the scalar that a path leads to, as text that casts to its type.

    ``options``: the type, on empty, on error, divided by ``|``. A value comes after ``=``; ``?`` asks for the default
    on empty, ``!`` for the one on error.

    >>> json_value('{"a": 1.5}', "lax $.a", "{}", "integer|NULL|NULL")
    '=2'
    """
    returns, on_empty, on_error = options.split("|")
    if document is None:
        return None
    try:
        found = _items(document, path, passed)
        if not found:
            if on_empty == "ERROR":
                raise ValueError("cannot extract SQL scalar from JSON: JSON path found no items")
            return "?" if on_empty == "DEFAULT" else None
        if len(found) > 1 or isinstance(found[0], list | dict):
            raise PathError("cannot extract SQL scalar from JSON")
        return None if found[0] is None else "=" + _as(found[0], returns)
    except PathError:
        if on_error == "ERROR":
            raise
        return "!" if on_error == "DEFAULT" else None


def json_items(document: str | None, path: str, passed: str) -> list[str] | None:
    """Give all that a path leads to, each as JSON; nothing where it can not be followed."""
    if document is None:
        return None
    try:
        return [_text(item) for item in _items(document, path, passed)]
    except PathError:
        return []


def _items(document: str, path: str, passed: str) -> list[Any]:
    try:
        parsed = json.loads(document, parse_constant=_refused)
    except ValueError as error:
        raise PathError(f"conversion to JSON failed: {error}") from error
    return items(parsed, path, json.loads(passed))


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _instead(option: str, message: str) -> str | None:
    if option == "ERROR":
        raise ValueError(message)
    return {"ARRAY": "[]", "OBJECT": "{}"}.get(option)


def _text(item: Any) -> str:
    return dumped(item, java_double) if not isinstance(item, Decimal) else str(item)


def _as(item: Any, returns: str) -> str:
    """Cast a scalar as SQL would; raises ``PathError``."""
    name, _, arguments = returns.partition("(")
    try:
        if name in _WHOLE:
            return _whole(item, name)
        if name == "decimal":
            return _decimal(item, *(int(part) for part in arguments.rstrip(")").split(",")))
        if name in ("double", "real"):
            return repr(float(item))
        if name == "boolean":
            return _boolean(item)
        if name in ("date", "timestamp"):
            return _time(item, _DATE if name == "date" else _TIMESTAMP)
    except (InvalidOperation, OverflowError, TypeError, ValueError) as error:
        raise PathError(f"cannot cast to {returns}") from error
    if isinstance(item, bool):
        return "true" if item else "false"
    text = scientific(item) if isinstance(item, float) else str(item)
    return text[: int(arguments.rstrip(")"))] if arguments and isinstance(item, str) else text


def _whole(item: Any, name: str) -> str:
    if isinstance(item, str):
        if not _INTEGER.fullmatch(item.strip(" \t\n\v\f\r")):
            raise ValueError(item)
        number = int(item)
    else:
        number = int(Decimal(repr(item) if isinstance(item, float) else item).quantize(Decimal(1), ROUND_HALF_UP))
    if not -(1 << _WHOLE[name]) <= number < 1 << _WHOLE[name]:
        raise OverflowError(number)
    return str(number)


def _decimal(item: Any, precision: int, scale: int) -> str:
    exact = Decimal(repr(item) if isinstance(item, float) else str(item))
    rounded = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    if rounded.adjusted() >= precision - scale and rounded:
        raise OverflowError(item)
    return str(rounded)


def _boolean(item: Any) -> str:
    if isinstance(item, str) and item.lower() not in ("true", "false", "t", "f", "1", "0"):
        raise ValueError(item)
    return str(item.lower() in ("true", "t", "1") if isinstance(item, str) else item != 0).lower()


def _time(item: Any, shape: re.Pattern[str]) -> str:
    if not isinstance(item, str) or not shape.fullmatch(item):
        raise ValueError(item)
    dt.datetime.fromisoformat(item)
    return item
