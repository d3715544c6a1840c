"""Rows as JSON text: the lossless form in which dicts are staged and rejected rows are kept."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import json
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson

AS_OURS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
"""What orjson does not write as Python does is left to ``_quick``."""


def encode(row: Mapping[Any, Any]) -> str:
    """Write a row as one line of valid JSON.

    Times become ISO 8601, decimals and UUIDs text, bytes Base64; NaN becomes null and an infinity the text
    "Infinity", for JSON has neither. Raises ``TypeError`` or ``ValueError`` for what can't be written.

    >>> import datetime, decimal
    >>> encode({"_id": "ä", "at": datetime.date(2024, 1, 20), "price": decimal.Decimal("1.10"), "x": float("nan")})
    '{"_id":"ä","at":"2024-01-20","price":"1.10","x":null}'
    """
    if type(row) is not dict:
        return _in_full(row)
    try:
        text = orjson.dumps(row, _quick, AS_OURS)
    except TypeError:  # whole numbers over 64 bits, keys that are not text, halves of characters, deep nesting
        return _in_full(row)
    nulls = text.count(b"null")
    if nulls and nulls != sum([value is None for value in row.values()]):
        return _in_full(row)  # it may stand for an infinity
    return text.decode()


def texts_size(row: Mapping[Any, Any]) -> int:
    """Count the characters of a row's texts, but for nested ones: what can be told before it is written as JSON.

    >>> texts_size({"id": 1, "note": "abc", "raw": b"xy"})
    5
    """
    size = 0
    for value in row.values():
        if isinstance(value, (str, bytes)):
            size += len(value)
    return size


def decode(text: str) -> dict[str, Any]:
    """Read a row that ``encode`` wrote."""
    row: dict[str, Any] = json.loads(text)
    return row


def decode_all(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Read many rows at once, at a third of the cost.

    >>> decode_all(['{"sgv":5}', '{"sgv":null}'])
    [{'sgv': 5}, {'sgv': None}]
    """
    rows: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    return rows


def as_text(value: Any) -> str:
    """Write one value as a text column holds it: text as it is, anything else as JSON.

    >>> as_text("5"), as_text(5), as_text({"a": [1, None]})
    ('5', '5', '{"a":[1,null]}')
    """
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    text = _dump(value)
    return str(json.loads(text)) if text.startswith('"') else text


MAX_DEPTH = 100


def _plain(value: Any) -> Any:
    """Give JSON's form of a value that it does not know."""
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat() if value == value else None  # NaT equals nothing
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Set, list, tuple)):
        return list(value)
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        return value.tolist()
    return None if type(value).__name__ == "NAType" else str(value)


def _quick(value: Any) -> Any:
    """Give JSON's form of a value that orjson does not know, or leave the row to Python's encoder."""
    if isinstance(value, (str, int, float, dict, list, tuple)) and not hasattr(value, "tolist"):
        raise TypeError(f"Python knows what a {type(value).__name__} is as JSON")
    return _plain(value)


def _in_full(row: Mapping[Any, Any]) -> str:
    """Write a row as Python does, which takes ten times as long."""
    try:
        text = _ENCODER.encode(row if isinstance(row, dict) else dict(row))
    except (TypeError, ValueError):
        text = _ENCODER.encode(_clean(row, 0))
    return text if text.isascii() else _in_utf8(text)


def _in_utf8(text: str) -> str:
    """Give JSON that UTF-8 can hold: half a character (a lone surrogate) is written as an escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(json.loads(text), separators=(",", ":"))
    return text


def _dump(value: Any) -> str:
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        return _ENCODER.encode(_clean(value, 0))


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _clean(value: Any, depth: int) -> Any:
    """Rebuild a value that JSON refuses as it is: floats without a number, keys that are not text."""
    if depth > MAX_DEPTH:
        raise ValueError("it is nested too deeply, or contains itself")
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (str, int)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, Mapping):
        return {_key(key): _clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (Set, list, tuple)):
        return [_clean(each, depth + 1) for each in value]
    return _clean(_plain(value), depth + 1)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(_plain(key)) if key is not None else "null"
