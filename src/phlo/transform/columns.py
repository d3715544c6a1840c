"""Columns as dbt sees them: what Trino calls an Iceberg type, and what a model's columns become in a table.

dbt's macros, contracts and unit tests speak of types by name, in the project's dialect; the same names come out of
Trino's information schema on the distributed profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg import types as ice

from phlo.errors import UntypedColumn
from phlo.iceberg.tables import _check_names
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from pyiceberg.schema import Schema


def columns_of(schema: Schema) -> tuple[tuple[str, str], ...]:
    """List a table's columns with Trino's names of their types.

    >>> from pyiceberg.schema import Schema
    >>> columns_of(Schema(ice.NestedField(1, "n", ice.LongType()), ice.NestedField(2, "at", ice.TimestampType())))
    (('n', 'bigint'), ('at', 'timestamp(6)'))
    """
    return tuple((field.name, trino_type(field.field_type)) for field in schema.fields)


def trino_type(iceberg: ice.IcebergType) -> str:
    """Spell an Iceberg type the way Trino's Iceberg connector does.

    >>> trino_type(ice.ListType(1, ice.DecimalType(10, 2)))
    'array(decimal(10,2))'
    """
    if isinstance(iceberg, ice.DecimalType):
        return f"decimal({iceberg.precision},{iceberg.scale})"
    if isinstance(iceberg, ice.ListType):
        return f"array({trino_type(iceberg.element_type)})"
    if isinstance(iceberg, ice.MapType):
        return f"map({trino_type(iceberg.key_type)}, {trino_type(iceberg.value_type)})"
    if isinstance(iceberg, ice.StructType):
        return "row(" + ", ".join(f'"{f.name}" {trino_type(f.field_type)}' for f in iceberg.fields) + ")"
    return _TRINO[type(iceberg)]


_TRINO: dict[type[ice.IcebergType], str] = {
    ice.BooleanType: "boolean",
    ice.IntegerType: "integer",
    ice.LongType: "bigint",
    ice.FloatType: "real",
    ice.DoubleType: "double",
    ice.DateType: "date",
    ice.TimeType: "time(6)",
    ice.TimestampType: "timestamp(6)",
    ice.TimestamptzType: "timestamp(6) with time zone",
    ice.TimestampNanoType: "timestamp(9)",
    ice.TimestamptzNanoType: "timestamp(9) with time zone",
    ice.StringType: "varchar",
    ice.UUIDType: "uuid",
    ice.BinaryType: "varbinary",
    ice.FixedType: "varbinary",
}


def storable(relation: Any) -> Any:
    """Cast the columns of a DuckDB relation that a table can't hold to the types that Trino would have given them.

    DuckDB sums integers into HUGEINT and has small and unsigned integers; Trino has neither. A cast that does not
    fit is an error, as the overflow is there. Raises ``UntypedColumn`` for a bare ``NULL`` and the like, and
    ``AmbiguousColumn``.
    """
    _check_names(relation.columns)
    given = [str(dtype) for dtype in relation.types]
    wanted = [_storable(name, dtype) for name, dtype in zip(relation.columns, relation.types, strict=True)]
    if wanted == given:
        return relation
    casts = [
        f"CAST({quoted(name)} AS {new}) AS {quoted(name)}" if new != old else quoted(name)
        for name, new, old in zip(relation.columns, wanted, given, strict=True)
    ]
    return relation.project(", ".join(casts))


def columns_of_query(relation: Any) -> tuple[tuple[str, str], ...]:
    """List a DuckDB relation's columns with Trino's names of their types; what Trino lacks keeps DuckDB's."""
    return tuple((name, _name(dtype)) for name, dtype in zip(relation.columns, relation.types, strict=True))


def _name(dtype: Any) -> str:
    kind = str(dtype.id)
    children = dtype.children if kind in _NESTED else []
    if kind in ("list", "array"):
        return f"array({_name(children[0][1])})"
    if kind == "map":
        return "map(" + ", ".join(_name(child) for _, child in children) + ")"
    if kind == "struct":
        return "row(" + ", ".join(f"{quoted(name)} {_name(child)}" for name, child in children) + ")"
    if kind == "decimal":
        return str(dtype).lower()
    return _NAMES.get(kind, kind)


def _storable(column: str, dtype: Any) -> str:
    kind = str(dtype.id)
    children = dtype.children if kind in _NESTED else []
    if kind == "list":
        return f"{_storable(column, children[0][1])}[]"
    if kind == "array":
        return f"{_storable(column, children[0][1])}[{children[1][1]}]"
    if kind == "map":
        return "MAP(" + ", ".join(_storable(column, child) for _, child in children) + ")"
    if kind == "struct":
        fields = (f"{quoted(name)} {_storable(f'{column}.{name}', child)}" for name, child in children)
        return "STRUCT(" + ", ".join(fields) + ")"
    if kind in _UNTYPED:
        raise UntypedColumn(column=column, given=_UNTYPED[kind])
    return _CAST.get(kind, str(dtype))


_NESTED = frozenset({"list", "array", "map", "struct"})

_CAST = {
    "tinyint": "INTEGER",
    "smallint": "INTEGER",
    "utinyint": "INTEGER",
    "usmallint": "INTEGER",
    "uinteger": "BIGINT",
    "ubigint": "BIGINT",
    "hugeint": "BIGINT",
    "uhugeint": "BIGINT",
    "bignum": "BIGINT",
    "timestamp_s": "TIMESTAMP",
    "timestamp_ms": "TIMESTAMP",
    "timestamp_ns": "TIMESTAMP",
    "enum": "VARCHAR",
    "bit": "VARCHAR",
}

_NAMES = {
    "float": "real",
    "hugeint": "bigint",
    "timestamp": "timestamp(6)",
    "timestamp with time zone": "timestamp(6) with time zone",
    "time": "time(6)",
    "blob": "varbinary",
    "null": "unknown",
}

_UNTYPED = {"null": "a bare NULL", "interval": "an interval", "time with time zone": "a time with a zone"}
