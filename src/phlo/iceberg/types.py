"""One place for types: Arrow → Iceberg for what is written, Iceberg → DuckDB for what is read.

Arrow has many spellings of one type (dictionary, large, view, fixed-size); a table has one. Timestamps are kept in
microseconds, those with a zone in UTC.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg import types as ice

from phlo.errors import UnsupportedType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST_DECIMAL = 38


def iceberg_type(column: str, arrow: pa.DataType, ids: Iterator[int] | None = None) -> ice.IcebergType:
    """Return the Iceberg type that holds an Arrow type's values, or raise ``UnsupportedType`` naming the column.

    >>> iceberg_type("n", pa.dictionary(pa.int8(), pa.large_string()))
    StringType()
    >>> iceberg_type("n", pa.timestamp("ns", "Europe/Berlin"))
    TimestamptzType()
    """
    ids = ids or count(1)
    if isinstance(arrow, pa.BaseExtensionType):
        return ice.UUIDType() if isinstance(arrow, pa.UuidType) else iceberg_type(column, arrow.storage_type, ids)
    if pa.types.is_dictionary(arrow) or pa.types.is_run_end_encoded(arrow):
        return iceberg_type(column, arrow.value_type, ids)
    if pa.types.is_nested(arrow):
        return _nested(column, arrow, ids)
    return _primitive(column, arrow)


def duckdb_type(iceberg: ice.IcebergType) -> str:
    """Spell an Iceberg type in DuckDB's SQL.

    >>> duckdb_type(ice.ListType(1, ice.DecimalType(10, 2)))
    'DECIMAL(10, 2)[]'
    """
    if isinstance(iceberg, ice.DecimalType):
        return f"DECIMAL({iceberg.precision}, {iceberg.scale})"
    if isinstance(iceberg, ice.ListType):
        return f"{duckdb_type(iceberg.element_type)}[]"
    if isinstance(iceberg, ice.MapType):
        return f"MAP({duckdb_type(iceberg.key_type)}, {duckdb_type(iceberg.value_type)})"
    if isinstance(iceberg, ice.StructType):
        fields = ", ".join(f"{quoted(field.name)} {duckdb_type(field.field_type)}" for field in iceberg.fields)
        return f"STRUCT({fields})"
    return _DUCKDB[type(iceberg)]


def quoted(name: str) -> str:
    """Quote a name for SQL.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


_DUCKDB: dict[type[ice.IcebergType], str] = {
    ice.BooleanType: "BOOLEAN",
    ice.IntegerType: "INTEGER",
    ice.LongType: "BIGINT",
    ice.FloatType: "FLOAT",
    ice.DoubleType: "DOUBLE",
    ice.DateType: "DATE",
    ice.TimeType: "TIME",
    ice.TimestampType: "TIMESTAMP",
    ice.TimestamptzType: "TIMESTAMPTZ",
    ice.TimestampNanoType: "TIMESTAMP_NS",
    ice.TimestamptzNanoType: "TIMESTAMPTZ",
    ice.StringType: "VARCHAR",
    ice.UUIDType: "UUID",
    ice.BinaryType: "BLOB",
    ice.FixedType: "BLOB",
}


_PRIMITIVES: tuple[tuple[Callable[[pa.DataType], bool], ice.IcebergType], ...] = (
    (pa.types.is_boolean, ice.BooleanType()),
    (lambda arrow: pa.types.is_integer(arrow) and _fits_int(arrow), ice.IntegerType()),
    (pa.types.is_integer, ice.LongType()),
    (lambda arrow: pa.types.is_float16(arrow) or pa.types.is_float32(arrow), ice.FloatType()),
    (pa.types.is_float64, ice.DoubleType()),
    (pa.types.is_date, ice.DateType()),
    (pa.types.is_time, ice.TimeType()),
    (lambda arrow: pa.types.is_timestamp(arrow) and arrow.tz is None, ice.TimestampType()),
    (pa.types.is_timestamp, ice.TimestamptzType()),
    (
        lambda arrow: (
            pa.types.is_string(arrow)
            or pa.types.is_large_string(arrow)
            or pa.types.is_string_view(arrow)
            or pa.types.is_null(arrow)
        ),
        ice.StringType(),
    ),
    (
        lambda arrow: (
            pa.types.is_binary(arrow)
            or pa.types.is_large_binary(arrow)
            or pa.types.is_binary_view(arrow)
            or pa.types.is_fixed_size_binary(arrow)
        ),
        ice.BinaryType(),
    ),
)


def _fits_int(arrow: pa.DataType) -> bool:
    return bool(arrow.bit_width < 32 or arrow == pa.int32())


def _primitive(column: str, arrow: pa.DataType) -> ice.IcebergType:
    if pa.types.is_decimal(arrow) and arrow.precision <= _LONGEST_DECIMAL and 0 <= arrow.scale <= arrow.precision:
        return ice.DecimalType(arrow.precision, arrow.scale)
    for belongs, iceberg in _PRIMITIVES:
        if belongs(arrow):
            return iceberg
    raise UnsupportedType(column=column, given=str(arrow))


def _nested(column: str, arrow: pa.DataType, ids: Iterator[int]) -> ice.IcebergType:
    if pa.types.is_struct(arrow):
        fields = [
            ice.NestedField(next(ids), field.name, iceberg_type(f"{column}.{field.name}", field.type, ids))
            for field in arrow
        ]
        return ice.StructType(*fields)
    if pa.types.is_map(arrow):
        key_id, value_id = next(ids), next(ids)
        key = iceberg_type(f"{column}.key", arrow.key_type, ids)
        return ice.MapType(
            key_id, key, value_id, iceberg_type(f"{column}.value", arrow.item_type, ids), value_required=False
        )
    if hasattr(arrow, "value_type"):
        element_id = next(ids)
        element = iceberg_type(f"{column}.element", arrow.value_type, ids)
        return ice.ListType(element_id, element, element_required=False)
    raise UnsupportedType(column=column, given=str(arrow))
