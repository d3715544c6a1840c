"""One cell at a time: a Python value to a column's type, or why it does not fit.

Nothing is read at a loss: 5.7 is no whole number, true is no number, and a time is ISO 8601 text.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phlo.load.rows import as_text
from phlo.schemas.model import Column

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class Unfit(ValueError):
    """A cell that its column can't hold; the text is the tail of the reason."""


def kind_of(arrow: pa.DataType) -> str:
    """Name the way in which cells of a type are read: ``int``, ``float`` and so on."""
    import pyarrow as pa

    types = pa.types
    tests: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
        ("int", types.is_integer),
        ("float", types.is_floating),
        ("bool", types.is_boolean),
        ("text", types.is_string),
        ("time", types.is_timestamp),
        ("date", types.is_date),
        ("decimal", types.is_decimal),
    )
    return next((kind for kind, matches in tests if matches(arrow)), "nested")


def _int(value: Any, column: Column) -> int:
    if isinstance(value, float) and value.is_integer():
        whole = int(value)  # exactly; its shortest decimal form may be another number
    else:
        number = _decimal_of(value, "is not a whole number")
        if number != number.to_integral_value():
            raise Unfit("is not a whole number")
        whole = int(number)
    low, high = column.bounds or (-(2 ** (column.type.bit_width - 1)), 2 ** (column.type.bit_width - 1) - 1)
    if not low <= whole <= high:
        raise Unfit(f"is not in {low} to {high}")
    return whole


def _float(value: Any, column: Column) -> float:
    if value in ("Infinity", "-Infinity"):
        return math.inf if value == "Infinity" else -math.inf
    if isinstance(value, float) and math.isinf(value):
        return value
    number = value if isinstance(value, float) else float(_decimal_of(value, "is not a number"))
    if abs(number) > LARGEST[column.type.bit_width]:
        raise Unfit(f"is too large for a number with a fraction of {column.type.bit_width} bits")
    return number


LARGEST = {16: 65504.0, 32: (2 - 2**-23) * 2.0**127, 64: sys.float_info.max}
"""The largest finite floating-point numbers by their width, IEEE 754."""


def _decimal(value: Any, column: Column) -> decimal.Decimal:
    number = _decimal_of(value, "is not a number")
    try:
        fitted = number.quantize(decimal.Decimal(1).scaleb(-column.type.scale), context=decimal.Context(prec=76))
    except decimal.InvalidOperation:
        raise Unfit("is too large") from None
    if fitted != number:
        raise Unfit(f"has more than {column.type.scale} decimals")
    if len(fitted.as_tuple().digits) > column.type.precision:
        raise Unfit(f"has more than {column.type.precision} digits")
    return fitted


def _decimal_of(value: Any, complaint: str) -> decimal.Decimal:
    """Read a number exactly, from a number or from text that is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, decimal.Decimal)):
        raise Unfit(complaint)
    text = str(value).strip()
    if isinstance(value, str) and not NUMBER.fullmatch(text):
        raise Unfit(complaint)
    number = decimal.Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise Unfit(complaint)
    return number


MAX_EXPONENT = 400
"""Beyond any float; text like 1e999999999 would else be written out digit by digit."""


def _bool(value: Any, _: Column) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    raise Unfit("is neither true nor false")


def _text(value: Any, _: Column) -> str:
    text = as_text(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("is not valid text") from None
    return text


def _time(value: Any, column: Column) -> dt.datetime:
    utc = _iso(value, "is not a time in ISO 8601")
    return utc if column.type.tz else utc.replace(tzinfo=None)


def _date(value: Any, _: Column) -> dt.date:
    time = _iso(value, "is not a date in ISO 8601")
    if time.time() != dt.time():
        raise Unfit("is a time, not a date")
    return time.date()


def _iso(value: Any, complaint: str) -> dt.datetime:
    """Read a time, in UTC; without a zone it is UTC."""
    try:
        if isinstance(value, dt.date):
            time = value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
        else:
            time = dt.datetime.fromisoformat(value.strip())
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (AttributeError, ValueError, OverflowError):
        raise Unfit(complaint) from None


def _nested(value: Any, column: Column) -> Any:
    import pyarrow as pa

    try:
        return pa.array([_within(value, column.type)], column.type)[0].as_py()
    except (Unfit, pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
        raise Unfit(f"is not a {column.type}") from None


def _within(value: Any, kind: pa.DataType) -> Any:
    """Cast what a list, a struct or a map holds as cells are: Arrow would cut 1.7 to 1, and text to its letters."""
    import pyarrow as pa

    types = pa.types
    if value is None or value != value:
        return None
    if kind_of(kind) != "nested":
        return CELLS[kind_of(kind)](value, Column("", kind))
    if types.is_struct(kind):
        given = _of(value, Mapping)
        return {field.name: _within(given.get(field.name), field.type) for field in kind}
    if types.is_map(kind):
        pairs = value.items() if isinstance(value, Mapping) else _of(value, (list, tuple))
        return [(_within(key, kind.key_type), _within(each, kind.item_type)) for key, each in pairs]
    if types.is_nested(kind):
        return [_within(each, kind.value_type) for each in _of(value, (list, tuple))]
    return value


def _of(value: Any, form: type | tuple[type, ...]) -> Any:
    if not isinstance(value, form):
        raise Unfit("is something else")
    return value


CELLS: dict[str, Callable[[Any, Column], Any]] = {
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "bool": _bool,
    "text": _text,
    "time": _time,
    "date": _date,
    "nested": _nested,
}
"""How a cell is read, by the kind of its column."""
