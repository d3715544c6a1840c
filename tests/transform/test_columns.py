"""Names of types, and what a model's columns become in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from pyiceberg import types as ice
from pyiceberg.schema import Schema

from phlo.errors import AmbiguousColumn, UntypedColumn
from phlo.transform.columns import columns_of, columns_of_query, storable, trino_type

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1::tinyint", "INTEGER"),
        ("1::smallint", "INTEGER"),
        ("1::utinyint", "INTEGER"),
        ("1::usmallint", "INTEGER"),
        ("1::uinteger", "BIGINT"),
        ("1::ubigint", "BIGINT"),
        ("sum(1)", "BIGINT"),
        ("1::uhugeint", "BIGINT"),
        ("1::bigint", "BIGINT"),
        ("'a'::enum('a', 'b')", "VARCHAR"),
        ("timestamp_ns '2024-01-20'", "TIMESTAMP"),
        ("timestamp_s '2024-01-20'", "TIMESTAMP"),
        ("[1::tinyint]", "INTEGER[]"),
        ("array_value(1::tinyint, 2::tinyint)", "INTEGER[2]"),
        ("map {'a': [1::hugeint]}", "MAP(VARCHAR, BIGINT[])"),
        ("{'a b': 1::hugeint, 'c': 'x'}", 'STRUCT("a b" BIGINT, c VARCHAR)'),
        ("1.5::decimal(10, 2)", "DECIMAL(10,2)"),
    ],
)
def test_types_that_no_table_has_become_those_trino_would_give(
    con: duckdb.DuckDBPyConnection, given: str, stored: str
) -> None:
    relation = storable(con.sql(f"select {given} as x"))
    assert [str(dtype) for dtype in relation.types] == [stored]
    assert relation.fetchall()


def test_columns_keep_their_names_order_and_values(con: duckdb.DuckDBPyConnection) -> None:
    relation = storable(con.sql("""select 1::tinyint as "b ""q", 'x' as a, 300::hugeint as c"""))
    assert relation.columns == ['b "q', "a", "c"]
    assert relation.fetchall() == [(1, "x", 300)]


def test_a_relation_that_fits_is_left_alone(con: duckdb.DuckDBPyConnection) -> None:
    relation = con.sql("select 1 as a, 'x' as b")
    assert storable(relation) is relation


def test_a_sum_past_64_bits_overflows_as_in_trino(con: duckdb.DuckDBPyConnection) -> None:
    relation = storable(con.sql("select sum(x) as s from (values (9223372036854775807), (1)) t (x)"))
    with pytest.raises(duckdb.ConversionException):
        relation.fetchall()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("null", "a bare NULL"),
        ("interval 1 day", "an interval"),
        ("[null]", "a bare NULL"),
        ("'1:2'::timetz", "a time with a zone"),
    ],
)
def test_columns_without_a_type_for_tables_are_named(con: duckdb.DuckDBPyConnection, given: str, why: str) -> None:
    with pytest.raises(UntypedColumn, match=f"`x` is {why}"):
        storable(con.sql(f"select 1 as a, {given} as x"))


def test_an_inner_column_is_named_with_its_path(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UntypedColumn, match=r"`x\.y` is a bare NULL"):
        storable(con.sql("select {'y': null} as x"))


def test_names_that_differ_in_case_alone_are_refused(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(AmbiguousColumn):
        storable(con.sql('select 1 as a, 2 as "A"'))


@pytest.mark.parametrize(
    ("iceberg", "name"),
    [
        (ice.StringType(), "varchar"),
        (ice.IntegerType(), "integer"),
        (ice.FloatType(), "real"),
        (ice.DecimalType(38, 2), "decimal(38,2)"),
        (ice.TimestamptzType(), "timestamp(6) with time zone"),
        (ice.ListType(1, ice.LongType()), "array(bigint)"),
        (ice.MapType(1, ice.StringType(), 2, ice.DateType()), "map(varchar, date)"),
        (ice.StructType(ice.NestedField(1, "x", ice.BooleanType())), 'row("x" boolean)'),
    ],
)
def test_iceberg_types_are_spelled_as_trino_does(iceberg: Any, name: str) -> None:
    assert trino_type(iceberg) == name
    assert columns_of(Schema(ice.NestedField(1, "c", iceberg))) == (("c", name),)


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("1", "integer"),
        ("sum(1)", "bigint"),
        ("1.5::float", "real"),
        ("now()", "timestamp(6) with time zone"),
        ("timestamp '2024-01-20'", "timestamp(6)"),
        ("[1.5::decimal(4,1)]", "array(decimal(4,1))"),
        ("map {'a': true}", "map(varchar, boolean)"),
        ("{'a': 'x'::blob}", 'row("a" varbinary)'),
        ("null", "unknown"),
    ],
)
def test_a_query_s_types_are_spelled_as_trino_does(con: duckdb.DuckDBPyConnection, expression: str, name: str) -> None:
    assert columns_of_query(con.sql(f"select {expression} as c")) == (("c", name),)
