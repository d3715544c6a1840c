"""Pandera → Arrow: the type that a schema's column has in tables.

Iceberg's types set the frame: whole numbers are 32 or 64 bits wide (a narrower Pandera type keeps its range as
``bounds``), times count microseconds, and what has no type of its own (dicts, ``object``) is text holding JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from phlo.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

    from phlo.schemas.model import TableSchema

DECIMAL = (38, 9)
"""Digits and decimals of a ``Decimal`` that names none; Pandera reads that as 28 and 0, which would drop cents."""

UNSAID_DECIMAL = (28, 0)

LONG = 64


@dataclass(frozen=True)
class TableType:
    """A column's type in tables; ``bounds`` is the range of a whole number narrower than that type."""

    arrow: pa.DataType
    bounds: tuple[int, int] | None = None


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """Give a table's Arrow schema; every column is optional there, for what is required is the model's to say.

    >>> import pandera.pandas as pa
    >>> from phlo.schemas.model import read_model
    >>> class Reading(pa.DataFrameModel):
    ...     sgv: int
    >>> arrow_schema(read_model(Reading)).types
    [DataType(int64)]
    """
    import pyarrow as pa

    return pa.schema([pa.field(column.name, column.type) for column in schema.columns])


def table_type(dtype: Any, column: str, model: str) -> TableType:
    """Find the table's type for a Pandera data type; raise ``SchemaError`` for one that no table can hold."""
    import pandera.dtypes as pt
    import pyarrow as pa

    if dtype is None:
        return TableType(pa.string())
    if _arrow_backed(dtype):
        return storage_type(dtype.type.pyarrow_dtype)
    if isinstance(dtype, pt.Bool):
        return TableType(pa.bool_())
    if isinstance(dtype, (pt.Int, pt.UInt)):
        return _whole(dtype.bit_width or LONG, signed=not isinstance(dtype, pt.UInt))
    if isinstance(dtype, pt.Decimal):
        digits = (dtype.precision, dtype.scale)
        return TableType(pa.decimal128(*(DECIMAL if digits == UNSAID_DECIMAL else digits)))
    if isinstance(dtype, pt.Float):
        return TableType(pa.float32() if (dtype.bit_width or LONG) < LONG else pa.float64())
    if isinstance(dtype, pt.Timestamp):
        return TableType(pa.timestamp("us", tz="UTC" if getattr(dtype, "tz", None) else None))
    if isinstance(dtype, pt.Date):
        return TableType(pa.date32())
    if isinstance(dtype, (pt.String, pt.Category)):
        return TableType(pa.string())
    return _generic(dtype, column, model)


def storage_type(arrow: pa.DataType) -> TableType:
    """Fit an Arrow type to what tables hold; nested types stay, for then a schema typed them."""
    import pyarrow as pa

    types = pa.types
    if types.is_integer(arrow):
        return _whole(arrow.bit_width, signed=types.is_signed_integer(arrow))
    if types.is_float16(arrow):
        return TableType(pa.float32())
    if types.is_timestamp(arrow):
        return TableType(pa.timestamp("us", tz="UTC" if arrow.tz else None))
    if types.is_date(arrow):
        return TableType(pa.date32())
    if types.is_dictionary(arrow):
        return storage_type(arrow.value_type)
    if types.is_decimal(arrow):
        return TableType(pa.decimal128(min(arrow.precision, DECIMAL[0]), arrow.scale))
    plain = (types.is_boolean, types.is_float32, types.is_float64, types.is_list, types.is_struct, types.is_map)
    return TableType(arrow if any(of_kind(arrow) for of_kind in plain) else pa.string())


def _whole(bits: int, *, signed: bool) -> TableType:
    import pyarrow as pa

    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, min(2**bits, 2 ** (LONG - 1)) - 1)
    if bits == LONG:
        return TableType(pa.int64(), None if signed else (low, high))
    if bits == LONG // 2:
        return TableType(pa.int32()) if signed else TableType(pa.int64(), (low, high))
    return TableType(pa.int32(), (low, high))


def _generic(dtype: Any, column: str, model: str) -> TableType:
    """Type ``list[int]`` and its like; other Python objects are JSON text."""
    import pyarrow as pa

    elements = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
    inner = get_args(getattr(dtype, "generic_type", None))
    if getattr(dtype, "type", None) is list and len(inner) == 1 and inner[0] in elements:
        return TableType(pa.list_(elements[inner[0]]))
    if str(dtype) == "object" or type(dtype).__name__.startswith("Python"):
        return TableType(pa.string())
    raise SchemaError(
        schema=model,
        detail=f"the type `{dtype}` of `{column}` has no counterpart in a table",
        fix="use int, float, str, bool, datetime, date or Decimal",
    )


def _arrow_backed(dtype: Any) -> bool:
    return hasattr(getattr(dtype, "type", None), "pyarrow_dtype")
