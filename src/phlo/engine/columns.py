"""What the dialect is told of the tables that a statement reads: their columns' kinds, and the SELECTs of views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg import types as ice

from phlo.engine.dialect import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.schema import Schema

    from phlo.engine.dialect import Tables
    from phlo.protocols import Catalog, Pin

_KINDS: dict[type[ice.IcebergType], Kind] = {
    ice.BinaryType: Kind("varbinary"),
    ice.BooleanType: Kind("boolean"),
    ice.DateType: Kind("date"),
    ice.DecimalType: Kind("decimal"),
    ice.DoubleType: Kind("double"),
    ice.FixedType: Kind("varbinary"),
    ice.FloatType: Kind("real"),
    ice.IntegerType: Kind("integer"),
    ice.ListType: Kind("array"),
    ice.LongType: Kind("integer"),
    ice.MapType: Kind("map"),
    ice.StringType: Kind("varchar"),
    ice.StructType: Kind("row"),
    ice.TimeType: Kind("time"),
    ice.TimestampType: Kind("timestamp"),
    ice.TimestamptzType: Kind("timestamptz"),
    ice.UUIDType: Kind("uuid"),
}


def known_columns(catalog: Catalog, names: Iterable[str], pin: Pin) -> Tables:
    """Tell the dialect of tables and views, by their names in a pin."""
    return tuple(
        (name.lower(), pin.views[name].sql if name in pin.views else kinds(catalog.open_pinned(name, pin).schema()))
        for name in names
    )


def kinds(schema: Schema) -> tuple[tuple[str, Kind], ...]:
    """Return the kinds of a table's columns; times have the six digits that Iceberg keeps.

    >>> from pyiceberg.schema import Schema
    >>> kinds(Schema(ice.NestedField(1, "sgv", ice.LongType())))
    (('sgv', Kind(name='integer', digits=6)),)
    """
    return tuple((field.name, _KINDS.get(type(field.field_type), Kind())) for field in schema.fields)
