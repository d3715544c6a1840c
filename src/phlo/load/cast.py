"""The first pass: cells to a column's type, and a reason for each cell that does not fit.

Whole columns are cast at once where every cell plainly fits; only a column in which one does not is gone through
cell by cell (``cells``), to the same values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.load.cells import CELLS, Unfit, kind_of
from phlo.load.reasons import Reason, Reasons, quote

if TYPE_CHECKING:
    import pyarrow as pa

    from phlo.schemas.model import Column

WHOLE = r"^-?[0-9]{1,18}$"
FRACTION = r"^-?[0-9]+(\.[0-9]+)?$"


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
    if kinds <= _PLAIN.get(kind_of(column.type), frozenset()):
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
    array, beyond = _without_far_times(array, column)
    done, reasons = _cast_whole(array, column), dict[int, Reason]()
    if done is None or not _within(done, column):
        done, reasons = cast_cells(array.to_pylist(), column)
    return done, beyond | reasons


def _cell_by_cell(values: list[Any], column: Column) -> tuple[pa.Array, Reasons]:
    import pyarrow as pa

    to_cell = CELLS[kind_of(column.type)]
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

    types, kind = pa.types, kind_of(column.type)
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
        return pc.cast(array, column.type, safe=not (types.is_timestamp(array.type) and array.type.unit == "ns"))
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

    kind = kind_of(column.type)
    form = {"int": WHOLE, "float": FRACTION}.get(kind)
    if form is not None:
        if not pc.all(pc.match_substring_regex(array, form), min_count=0).as_py():
            return None
        try:
            return array.cast(column.type)
        except pa.ArrowInvalid:  # of more digits than the type holds
            return None
    if kind not in ("time", "date"):
        return None
    for form_of_all in (pa.timestamp("us", "UTC"), pa.timestamp("us")) if kind == "time" else (pa.date32(),):
        try:
            times = array.cast(form_of_all)
        except pa.ArrowInvalid:
            continue
        return times.cast(column.type) if not _without_far_times(times, column)[1] else None
    return None


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST, LAST = -62_135_596_800, 253_402_300_799
"""The years 1 and 9999 in seconds since 1970: what Python's, and so most libraries', calendars hold."""


def _without_far_times(array: pa.Array, column: Column) -> tuple[pa.Array, Reasons]:
    """Take out the times that no calendar has: Arrow counts them, but nothing else can show them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(array.type) or len(array) == array.null_count:
        return array, {}
    unit, counted = UNITS[array.type.unit], array.cast(pa.int64())
    low, high = (max(FIRST * unit, -(2**63)), min((LAST + 1) * unit, 2**63) - 1)
    far = pc.invert(pc.and_(pc.greater_equal(counted, low), pc.less_equal(counted, high)))
    reasons = {
        row: Reason(column.name, "is not a time in the years 1 to 9999", f"`{counted[row].as_py()} {array.type.unit}`")
        for row in pc.indices_nonzero(far).to_pylist()
    }
    return (pc.if_else(far, None, array), reasons) if reasons else (array, {})


def _within(array: pa.Array, column: Column) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    bounds: tuple[int, int] | None = column.bounds
    if pa.types.is_floating(array.type):  # what was too large became infinite: a cell tells the one from the other
        return not pc.any(pc.is_inf(array)).as_py()
    if pa.types.is_decimal(array.type):  # DuckDB hands over whole numbers of 39 digits as decimals of 38
        most = 10 ** (array.type.precision - array.type.scale)
        bounds = (1 - most, most - 1) if array.type.scale == 0 else (-most, most)
    if bounds is None or len(array) == array.null_count:
        return True
    low, high = bounds
    found = pc.min_max(array).as_py()
    return bool(low <= found["min"] and found["max"] <= high)


_PLAIN: dict[str, frozenset[type]] = {
    "int": frozenset({int}),
    "float": frozenset({int, float}),
    "bool": frozenset({bool}),
    "text": frozenset({str}),
}
"""Python types that Arrow casts at no loss; it would cut 5.7 to 5, and take true for 1.0."""
