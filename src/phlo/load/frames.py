"""DataFrames of pandas as Arrow batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def is_frame(item: Any) -> bool:
    """Whether something is a DataFrame of pandas, which is not imported for the question."""
    return type(item).__module__.split(".")[0] == "pandas" and hasattr(item, "to_dict") and hasattr(item, "columns")


def frame_batches(frame: Any, *, inferred: bool) -> Iterator[pa.RecordBatch] | None:
    """Read a pandas DataFrame; None when a column holds values of several types, which Arrow does not.

    Where columns are ``inferred``, Python's decimals get the room that a model's have: the digits of the values that
    come first would else be the column's for good.
    """
    import pyarrow as pa

    named = any(name is not None for name in frame.index.names)
    frame = frame.reset_index() if named else frame
    frame.columns = [str(name) for name in frame.columns] if not named else frame.columns
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    table = _with_room(table, frame.dtypes) if inferred else table
    batches: list[pa.RecordBatch] = table.to_batches()
    return iter(batches)


def _with_room(table: pa.Table, dtypes: Any) -> pa.Table:
    import pyarrow as pa

    from phlo.schemas.converter import DECIMAL

    digits, decimals = DECIMAL
    for number, (name, kind) in enumerate(zip(table.schema.names, table.schema.types, strict=True)):
        if not pa.types.is_decimal(kind) or str(dtypes.iloc[number]) != "object":  # Arrow's own were declared
            continue
        if kind.scale <= decimals and kind.precision - kind.scale <= digits - decimals:
            table = table.set_column(number, name, table.column(number).cast(pa.decimal128(digits, decimals)))
    return table
