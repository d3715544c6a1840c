"""Arrow columns as sources give them: made fit to be stored, and looked at before they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def storable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give columns of views (polars' texts and categories) as plain ones: Arrow can do little with views yet."""
    import pyarrow as pa

    for number, field in enumerate(batch.schema):
        column, wanted = batch.column(number), _without_views(field.type)
        if wanted == field.type:
            continue
        if pa.types.is_dictionary(field.type):
            plain = column.dictionary.cast(wanted).take(column.indices)
        else:
            plain = column.cast(wanted)
        batch = batch.set_column(number, field.name, plain)
    return batch


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
