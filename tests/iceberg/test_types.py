"""Iceberg types in DuckDB's words, and Arrow's many spellings in Iceberg's (see also test_tables)."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from pyiceberg import types as ice

from phlo.iceberg.types import duckdb_type, iceberg_type, literal, quoted

TYPES: list[ice.IcebergType] = [
    ice.BooleanType(),
    ice.IntegerType(),
    ice.LongType(),
    ice.FloatType(),
    ice.DoubleType(),
    ice.DecimalType(38, 10),
    ice.DateType(),
    ice.TimeType(),
    ice.TimestampType(),
    ice.TimestamptzType(),
    ice.TimestampNanoType(),
    ice.StringType(),
    ice.UUIDType(),
    ice.BinaryType(),
    ice.FixedType(16),
    ice.ListType(1, ice.ListType(2, ice.StringType())),
    ice.MapType(1, ice.StringType(), 2, ice.DoubleType()),
    ice.StructType(ice.NestedField(1, 'a "b" c', ice.ListType(2, ice.LongType()))),
]


@pytest.mark.parametrize("kind", TYPES, ids=map(str, TYPES))
def test_duckdb_knows_each_type_by_the_name_it_is_given(kind: ice.IcebergType) -> None:
    assert duckdb.sql(f"SELECT CAST(NULL AS {duckdb_type(kind)}) AS x").fetchall() == [(None,)]


@pytest.mark.parametrize("text", ["it's", 'a "b"', "\\", "é\n", "'; DROP TABLE x; --", ""])
def test_names_and_texts_survive_quoting(text: str) -> None:
    name = text or "empty"
    relation = duckdb.sql(f"SELECT {literal(text)} AS {quoted(name)}")
    assert (relation.columns, relation.fetchall()) == ([name], [(text,)])


@pytest.mark.parametrize(
    ("arrow", "fits"), [(pa.int8(), "int"), (pa.uint16(), "int"), (pa.int32(), "int"), (pa.uint32(), "long")]
)
def test_an_integer_type_is_as_wide_as_its_values(arrow: pa.DataType, fits: str) -> None:
    assert str(iceberg_type("n", arrow)) == fits


def test_an_unsigned_number_that_no_long_holds_is_refused_by_the_cast() -> None:
    """uint64 is a long in a table; a value beyond is an error of the write, never a wrapped one."""
    numbers = pa.table({"n": pa.array([2**64 - 1], pa.uint64())})
    with duckdb.connect() as con, pytest.raises(duckdb.ConversionException):
        con.register("numbers", numbers)
        con.execute(f"SELECT CAST(n AS {duckdb_type(iceberg_type('n', pa.uint64()))}) FROM numbers").fetchall()
