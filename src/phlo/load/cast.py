"""The first pass: cells to a column's type, and a reason for each cell that does not fit.

Whole columns are cast at once where every cell plainly fits; only a column in which one does not is gone through
cell by cell. Nothing is cast at a loss: 5.7 is no whole number, true is no number, and a time is ISO 8601 text.
"""

from __future__ import annotations

import datetime as dt
import decimal
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.load.rows import as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from phlo.schemas.model import Column

SHOWN = 60
"""Characters of a value that a reason quotes."""


@dataclass(frozen=True)
class Reason:
    """Why a row is rejected: a column (empty: the row as a whole), what is wrong, and the quoted value.

    >>> str(Reason("sgv", "is not a whole number", "`7.2`")), str(Reason("_id", "is null"))
    ('`sgv` = `7.2` is not a whole number', '`_id` is null')
    """

    column: str
    complaint: str
    value: str = ""

    @property
    def kind(self) -> str:
        """The reason without its value, to count by."""
        return f"`{self.column}` {self.complaint}" if self.column else self.complaint

    def __str__(self) -> str:
        return f"`{self.column}` = {self.value} {self.complaint}" if self.value else self.kind


Reasons = dict[int, Reason]
"""Row number in the batch → what is wrong with its cell."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
WHOLE = r"^-?[0-9]{1,18}$"
FRACTION = r"^-?[0-9]+(\.[0-9]+)?$"


class Unfit(ValueError):
    """A cell that its column can't hold; the text is the tail of the reason."""


def cast_cells(values: list[Any], column: Column) -> tuple[pa.Array, Reasons]:
    """Cast Python values (as JSON gives them) to a column's type.

    >>> import pyarrow as pa
    >>> from phlo.schemas.model import Column
    >>> array, reasons = cast_cells([1, "2", 3.5, None, True], Column("sgv", pa.int64()))
    >>> array.to_pylist(), [str(reason) for reason in reasons.values()]
    ([1, 2, None, None, None], ['`sgv` = `3.5` is not a whole number', '`sgv` = `true` is not a whole number'])
    """
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    array = None
    if kinds <= _PLAIN.get(_kind(column.type), frozenset()):
        try:
            array = pa.array(values, column.type, from_pandas=True)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            array = None
    elif kinds == {str}:
        array = _cast_text(values, column)
    if array is None or not _within(array, column):
        return _cell_by_cell(values, column)
    return array, {}


def cast_array(array: pa.Array, column: Column) -> tuple[pa.Array, Reasons]:
    """Cast an Arrow array to a column's type."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    done = _cast_whole(array, column)
    if done is None or not _within(done, column):
        return cast_cells(array.to_pylist(), column)
    return done, {}


def quote(value: Any) -> str:
    """Quote a value in a reason, shortened."""
    text = "true" if value is True else "false" if value is False else as_text(value)
    return f"`{text[:SHOWN]}…`" if len(text) > SHOWN else f"`{text}`"


def _cell_by_cell(values: list[Any], column: Column) -> tuple[pa.Array, Reasons]:
    import pyarrow as pa

    to_cell = _CELLS[_kind(column.type)]
    cells: list[Any] = []
    reasons: Reasons = {}
    for row, value in enumerate(values):
        try:
            cells.append(None if value is None or value != value else to_cell(value, column))
        except Unfit as unfit:
            cells.append(None)
            reasons[row] = Reason(column.name, str(unfit), quote(value))
    return pa.array(cells, column.type), reasons


def _cast_whole(array: pa.Array, column: Column) -> pa.Array | None:
    """Cast an Arrow array at once, or give None when a cell may not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types, kind = pa.types, _kind(column.type)
    if types.is_large_string(array.type) or types.is_string_view(array.type):
        array = array.cast(pa.string())
    if types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), None, array)
    if array.type == column.type or types.is_null(array.type):
        return array.cast(column.type)
    if types.is_string(array.type):
        return _text_array(array, column)
    numbers = types.is_integer(array.type) or types.is_floating(array.type)
    direct = {
        "int": numbers,
        "float": numbers,
        "decimal": types.is_integer(array.type) or types.is_decimal(array.type),
        "text": types.is_integer(array.type) or types.is_boolean(array.type),
        "time": types.is_timestamp(array.type) or types.is_date(array.type),
        "date": types.is_date(array.type),
        "nested": types.is_nested(array.type),
    }
    if not direct.get(kind, False):
        return None
    try:
        # Below a microsecond tables count nothing, so that much of a time is cut off.
        return pc.cast(array, column.type, safe=kind != "time")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _cast_text(values: list[Any], column: Column) -> pa.Array | None:
    import pyarrow as pa

    try:
        return _text_array(pa.array(values, pa.string()), column)
    except UnicodeEncodeError:
        return None


def _text_array(array: pa.Array, column: Column) -> pa.Array | None:
    """Read text as numbers or times at once, where all of it is in the plainest form."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = _kind(column.type)
    form = {"int": WHOLE, "float": FRACTION}.get(kind)
    if form is not None:
        fits = pc.all(pc.match_substring_regex(array, form), min_count=0).as_py()
        return array.cast(column.type) if fits else None
    if kind not in ("time", "date"):
        return None
    for form_of_all in (pa.timestamp("us", "UTC"), pa.timestamp("us")) if kind == "time" else (pa.date32(),):
        try:
            return array.cast(form_of_all).cast(column.type)
        except pa.ArrowInvalid:
            continue
    return None


def _within(array: pa.Array, column: Column) -> bool:
    import pyarrow.compute as pc

    if column.bounds is None or len(array) == array.null_count:
        return True
    low, high = column.bounds
    found = pc.min_max(array).as_py()
    return bool(low <= found["min"] and found["max"] <= high)


def _kind(arrow: pa.DataType) -> str:
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


_PLAIN: dict[str, frozenset[type]] = {
    "int": frozenset({int}),
    "float": frozenset({int, float}),
    "bool": frozenset({bool}),
    "text": frozenset({str}),
}
"""Python types that Arrow casts at no loss; it would cut 5.7 to 5, and take true for 1.0."""


def _int(value: Any, column: Column) -> int:
    number = _decimal_of(value, "is not a whole number")
    if number != number.to_integral_value():
        raise Unfit("is not a whole number")
    whole = int(number)
    low, high = column.bounds or (-(2 ** (column.type.bit_width - 1)), 2 ** (column.type.bit_width - 1) - 1)
    if not low <= whole <= high:
        raise Unfit(f"is not in {low} to {high}")
    return whole


def _float(value: Any, _: Column) -> float:
    if value in ("Infinity", "-Infinity"):
        return math.inf if value == "Infinity" else -math.inf
    if isinstance(value, float):
        return value
    number = float(_decimal_of(value, "is not a number"))
    if math.isinf(number):
        raise Unfit("is too large for a number with a fraction")
    return number


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
    time = _iso(value, "is not a time in ISO 8601")
    utc = time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    return utc if column.type.tz else utc.replace(tzinfo=None)


def _date(value: Any, _: Column) -> dt.date:
    time = _iso(value, "is not a date in ISO 8601")
    if time.time() != dt.time():
        raise Unfit("is a time, not a date")
    return time.date()


def _iso(value: Any, complaint: str) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    try:
        return dt.datetime.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise Unfit(complaint) from None


def _nested(value: Any, column: Column) -> Any:
    import pyarrow as pa

    try:
        return pa.array([value], column.type)[0].as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
        raise Unfit(f"is not a {column.type}") from None


_CELLS: dict[str, Callable[[Any, Column], Any]] = {
    "int": _int,
    "float": _float,
    "decimal": _decimal,
    "bool": _bool,
    "text": _text,
    "time": _time,
    "date": _date,
    "nested": _nested,
}
