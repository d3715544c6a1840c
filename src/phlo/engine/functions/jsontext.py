"""JSON as text: numbers as they were written or as Java prints them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_STEP = re.compile(r'\."((?:[^"])*)"|\[(-?\d+)\]')


class Written(float):
    """A number with a fraction or an exponent, and how it was written."""

    text: str

    def __new__(cls, text: str) -> Written:
        """Keep the text beside the number."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def json_number(document: str, path: str) -> str | None:
    """Tell how a number is written in a document, at a path in DuckDB's spelling.

    >>> json_number('{"a": [1.50]}', '$."a"[0]')
    '1.50'
    """
    found: Any = json.loads(document, parse_float=Written)
    for name, index in _STEP.findall(path):
        found = found[int(index)] if index else found[name]
    return found.text if isinstance(found, Written) else str(found)


def json_compact(document: str) -> str:
    r"""Write a document without blanks, numbers as they were written, and characters as themselves.

    >>> json_compact('{"b": 1.50, "a": "\\u00e9"}')
    '{"b":1.50,"a":"é"}'
    """
    return dumped(json.loads(document, parse_float=Written), lambda number: number.text)


def java_double(x: float) -> str:
    """Print a double as Java's ``Double.toString`` does.

    >>> java_double(100.0), java_double(1e10), java_double(0.00001), java_double(-0.5)
    ('100.0', '1.0E10', '1.0E-5', '-0.5')
    """
    if math.isnan(x) or math.isinf(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    if x == 0 or 1e-3 <= abs(x) < 1e7:
        return f"{x!r}" if "e" not in repr(x) else f"{x:.20f}".rstrip("0")
    return scientific(x)


def scientific(x: float) -> str:
    """Print a double with an exponent, as a cast to varchar does.

    >>> scientific(1.5), scientific(0.30), scientific(0.0)
    ('1.5E0', '3.0E-1', '0E0')
    """
    if math.isnan(x) or math.isinf(x):
        return java_double(x)
    if x == 0:
        return "0E0"
    sign, digits, exponent = _digits(x)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(x: float) -> tuple[str, str, int]:
    """The shortest digits that read back, and the exponent of the first."""
    text = repr(abs(float(x)))
    mantissa, _, power = text.partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    leading = len(whole + part) - len((whole + part).lstrip("0"))
    exponent = len(whole) - 1 - leading + int(power or 0)
    return ("-" if x < 0 else ""), digits.rstrip("0") or "0", exponent


def dumped(value: Any, number: Any) -> str:
    """Write a JSON value; ``number`` writes those with a fraction."""
    if isinstance(value, dict):
        inside = ",".join(f"{quoted(key)}:{dumped(item, number)}" for key, item in value.items())
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumped(item, number) for item in value) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return number(value) if isinstance(value, float) else str(value)


def quoted(text: str) -> str:
    """Write a JSON string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\x7f")
