"""Arrow columns as sources give them: made fit to be stored, and looked at before they are."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from phlo.load.rows import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa


def storable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give columns as Parquet files hold them.

    Views (polars' texts and categories), of which Arrow can do little yet, and runs are given as plain columns;
    intervals and unions, which no file holds, as JSON, and so are times that no calendar has.
    """
    for number, field in enumerate(batch.schema):
        column = _plain(batch.column(number))
        if column.type != field.type:
            batch = batch.set_column(number, field.name, column)
    return batch


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    types = pa.types
    if types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    wanted = _without_views(column.type)
    if wanted != column.type:
        encoded = types.is_dictionary(column.type)
        column = column.dictionary.cast(wanted).take(column.indices) if encoded else column.cast(wanted)
    if types.is_decimal(column.type) and column.type.scale < 0:
        digits = column.type.precision - column.type.scale
        return column.cast(pa.decimal128(digits, 0)) if digits <= MOST_DIGITS else _as_texts(column.to_pylist())
    if types.is_timestamp(column.type) and column.type.unit == "s" and _far(column):
        return _as_texts(_times(column))
    return _as_texts(column.to_pylist()) if _in_no_file(column.type) else column


MOST_DIGITS = 38
FARTHEST = 2**63 // 1000
"""Seconds that still can be counted in milliseconds, which is how files hold them."""


def _in_no_file(kind: pa.DataType) -> bool:
    import pyarrow as pa

    types = pa.types
    if types.is_union(kind) or types.is_interval(kind) or types.is_run_end_encoded(kind):
        return True
    return types.is_nested(kind) and any(_in_no_file(kind.field(number).type) for number in range(kind.num_fields))


def _far(column: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.min_max(column.cast(pa.int64())).as_py()
    return found["min"] is not None and (found["min"] <= -FARTHEST or found["max"] >= FARTHEST)


def _times(column: pa.Array) -> Iterator[str | None]:
    """Write seconds as ISO 8601 where there is such a time, else as they are: nothing reads these as a time."""
    import pyarrow as pa

    for seconds in column.cast(pa.int64()).to_pylist():
        try:
            yield None if seconds is None else (EPOCH + dt.timedelta(seconds=seconds)).isoformat()
        except OverflowError:
            yield f"{seconds} s"


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _as_texts(values: Iterable[object]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else as_text(value) for value in values], pa.string())


def longest(column: pa.Array) -> int:
    """Bytes of a column's longest text; other values are small, or nested and made of texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return pc.max(pc.binary_length(column)).as_py() or 0 if any(test(column.type) for test in types) else 0


def _without_views(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    types = pa.types
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.large_string() if types.is_string_view(kind) else pa.large_binary()
    if types.is_dictionary(kind):
        values = _without_views(kind.value_type)
        return kind if values == kind.value_type else values
    if types.is_list(kind) or types.is_large_list(kind):
        values = _without_views(kind.value_type)
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return kind if values == kind.value_type else make(values)
    if types.is_struct(kind):
        fields = [field.with_type(_without_views(field.type)) for field in kind]
        return kind if fields == list(kind) else pa.struct(fields)
    return kind
