import datetime as dt
import decimal
import subprocess
import sys
import typing
import warnings
from typing import Annotated, ClassVar, Optional

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
import pytest
from pandera.typing import Index, Series

from phlo.errors import SchemaError
from phlo.schemas.model import Column, read_model


class Entries(pa.DataFrameModel):
    """Raw entries."""

    _id: Series[str] = pa.Field(description="Unique identifier", nullable=False, unique=True)
    sgv: Series[int] = pa.Field(ge=1, le=1000)
    direction: Series[str] = pa.Field(isin=["Flat", "NONE"], nullable=True)

    class Config:
        strict = True
        coerce = True


def column(model: type, name: str) -> Column:
    return next(each for each in read_model(model).columns if each.name == name)


def test_a_field_that_begins_with_an_underscore_is_a_column_in_its_place() -> None:
    schema = read_model(Entries)
    assert schema.names == ("_id", "sgv", "direction")
    assert schema.columns[0] == Column("_id", arrow.string(), False, True, "Unique identifier")
    assert (schema.name, schema.strict, schema.description) == ("Entries", True, "Raw entries.")
    assert schema.unique == (("_id",),)


def test_checks_of_an_underscored_field_are_in_the_second_pass_and_types_are_not() -> None:
    class Model(pa.DataFrameModel):
        _id: Series[str] = pa.Field(str_matches="^[0-9a-f]{24}$")
        plain: Series[float]

    checks = read_model(Model).checks
    assert checks is not None
    assert list(checks.columns) == ["_id"]
    assert (checks.columns["_id"].dtype, checks.columns["_id"].nullable) == (None, True)
    assert column(Model, "_id").rules == ("matches ^[0-9a-f]{24}$",)


def test_a_check_method_can_name_an_underscored_field() -> None:
    class Model(pa.DataFrameModel):
        _id: Series[str]

        @pa.check("_id")
        def long_enough(cls, ids: Series[str]) -> Series[bool]:  # noqa: N805  a class method to Pandera
            return ids.str.len() > 3

    checks = read_model(Model).checks
    assert checks is not None
    assert len(checks.columns["_id"].checks) == 1


def test_fields_are_inherited_underscored_or_not_and_may_be_overridden() -> None:
    class Narrower(Entries):
        sgv: Series[int] = pa.Field(ge=20, le=600)
        _rev: Series[str] = pa.Field(nullable=True)

    schema = read_model(Narrower)
    assert schema.names == ("_id", "sgv", "direction", "_rev")
    assert column(Narrower, "sgv").rules == ("20-600",)
    assert column(Narrower, "_id").description == "Unique identifier"
    assert schema.strict
    assert read_model(Entries).names == ("_id", "sgv", "direction")


def test_an_alias_is_the_columns_name_and_an_underscored_field_may_have_one() -> None:
    class Model(pa.DataFrameModel):
        id_: Series[str] = pa.Field(alias="_id")
        _when: Series[int] = pa.Field(alias="date")

    assert read_model(Model).names == ("_id", "date")


def test_an_underscored_annotation_without_a_field_is_a_column_and_other_attributes_are_not() -> None:
    class Model(pa.DataFrameModel):
        _id: Series[str]
        _rev: int
        _cache: ClassVar[int] = 1
        _limit: int = 10

    assert read_model(Model).names == ("_id", "_rev")


def test_a_field_that_begins_with_two_underscores_keeps_its_name() -> None:
    class Post(pa.DataFrameModel):
        __v: Series[int] = pa.Field(ge=0)
        title: Series[str]

    class Essay(Post):
        pages: Series[int]

    assert read_model(Essay).names == ("__v", "title", "pages")


def test_a_model_may_postpone_its_annotations() -> None:
    source = (
        "from __future__ import annotations\n"
        "import pandera as pa\n"
        "from pandera.typing import Series\n"
        "class Model(pa.DataFrameModel):\n"
        "    _id: Series[str] = pa.Field(nullable=False)\n"
        "    n: Series[int]\n"
        "from phlo.schemas.model import read_model\n"
        "print(read_model(Model).names)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::FutureWarning", "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout == "('_id', 'n')\n"


def test_pandera_may_be_imported_by_its_old_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import pandera as old

        class Model(old.DataFrameModel):
            _id: Series[str] = old.Field(nullable=False)

    assert read_model(Model).names == ("_id",)


class Types(pa.DataFrameModel):
    whole: Series[int]
    number: Series[float]
    text: Series[str]
    flag: Series[bool]
    time: Series[dt.datetime]
    stamp: Series[pd.Timestamp]
    zoned: Series[Annotated[pd.DatetimeTZDtype, "ns", "America/Phoenix"]]
    zoned_too: Series[pd.DatetimeTZDtype] = pa.Field(dtype_kwargs={"unit": "us", "tz": "UTC"})
    pandera_time: Series[pa.DateTime]
    day: Series[dt.date]
    exact: Series[decimal.Decimal]
    price: Series[pa.Decimal] = pa.Field(dtype_kwargs={"precision": 10, "scale": 2})
    anything: Series[object]
    untyped: Series[typing.Any]
    nested: Series[dict]
    many: Series[list[int]]
    pairs: Series[dict[str, int]]
    narrow: Series[pa.Int16]
    unsigned: Series[pa.UInt32]
    half: Series[pa.Float32]
    nullable_whole: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    category: Series[pa.Category]
    plain: int
    plain_text: str
    listed: Series[pd.ArrowDtype] = pa.Field(dtype_kwargs={"pyarrow_dtype": arrow.list_(arrow.float64())})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("whole", arrow.int64()),
        ("number", arrow.float64()),
        ("text", arrow.string()),
        ("flag", arrow.bool_()),
        ("time", arrow.timestamp("us")),
        ("stamp", arrow.timestamp("us")),
        ("zoned", arrow.timestamp("us", "UTC")),
        ("zoned_too", arrow.timestamp("us", "UTC")),
        ("pandera_time", arrow.timestamp("us")),
        ("day", arrow.date32()),
        ("exact", arrow.decimal128(38, 9)),
        ("price", arrow.decimal128(10, 2)),
        ("anything", arrow.string()),
        ("untyped", arrow.string()),
        ("nested", arrow.string()),
        ("many", arrow.list_(arrow.int64())),
        ("pairs", arrow.string()),
        ("narrow", arrow.int32()),
        ("unsigned", arrow.int64()),
        ("half", arrow.float32()),
        ("nullable_whole", arrow.int64()),
        ("category", arrow.string()),
        ("plain", arrow.int64()),
        ("plain_text", arrow.string()),
        ("listed", arrow.list_(arrow.float64())),
    ],
)
def test_each_annotation_has_its_type_in_tables(name: str, expected: arrow.DataType) -> None:
    assert column(Types, name).type == expected


def test_a_whole_number_narrower_than_the_tables_keeps_its_range() -> None:
    assert column(Types, "narrow").bounds == (-32768, 32767)
    assert column(Types, "unsigned").bounds == (0, 2**32 - 1)
    assert column(Types, "whole").bounds is None


def test_a_field_that_may_be_absent_may_be_null() -> None:
    class Model(pa.DataFrameModel):
        there: Series[int]
        absent: Optional[Series[int]]  # noqa: UP045  as users write it
        absent_too: int | None
        asked: Series[int] = pa.Field(nullable=True)

    assert [each.nullable for each in read_model(Model).columns] == [False, True, True, True]


def test_columns_that_phlo_adds_are_left_out() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]
        partition_date: Series[str] = pa.Field(str_matches="x")
        _phlo_load_id: Series[str]

    schema = read_model(Model)
    assert schema.names == ("n",)
    assert schema.checks is None


def test_every_failing_row_is_reported_however_many_cases_a_check_shows() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int] = pa.Field(ge=0, n_failure_cases=1)

    checks = read_model(Model).checks
    assert checks is not None
    assert [check.n_failure_cases for check in checks.columns["n"].checks] == [None]
    assert [check.n_failure_cases for check in Model.to_schema().columns["n"].checks] == [1]


def test_columns_unique_together_are_known() -> None:
    class Model(pa.DataFrameModel):
        a: Series[int]
        b: Series[int] = pa.Field(unique=True)

        class Config:
            unique = ["a", "b"]  # noqa: RUF012  Pandera's spelling

    assert read_model(Model).unique == (("b",), ("a", "b"))


def test_a_model_is_read_once() -> None:
    assert read_model(Entries) is read_model(Entries)


def test_what_can_not_define_a_table_is_an_error_that_says_what_to_do() -> None:
    class Pattern(pa.DataFrameModel):
        column: Series[int] = pa.Field(alias="c_.*", regex=True)

    class Indexed(pa.DataFrameModel):
        row: Index[int]

    class Span(pa.DataFrameModel):
        span: Series[pd.Timedelta]

    with pytest.raises(SchemaError, match=r"`Pattern` can not be used: `c_\.\*` is a pattern"):
        read_model(Pattern)
    with pytest.raises(SchemaError, match="declares an Index") as failure:
        read_model(Indexed)
    assert failure.value.next_step == "declare the field as Series[…]"
    with pytest.raises(SchemaError, match=r"the type `timedelta.*` of `span` has no counterpart"):
        read_model(Span)
    with pytest.raises(SchemaError, match="not a Pandera model"):
        read_model(int)


def test_a_model_of_no_column_or_of_one_without_a_name_defines_no_table() -> None:
    class Empty(pa.DataFrameModel):
        partition_date: str

    class Unnamed(pa.DataFrameModel):
        note: str = pa.Field(alias="")

    with pytest.raises(SchemaError, match="`Empty` can not be used: it names no column"):
        read_model(Empty)
    with pytest.raises(SchemaError, match="no column can have the name `''`"):
        read_model(Unnamed)


def test_a_model_that_pandera_can_not_read_is_an_error() -> None:
    class Model(pa.DataFrameModel):
        at: Series[dt.time]

    with pytest.raises(SchemaError, match="Pandera can't read it"):
        read_model(Model)
