"""Judging rows in memory: frames of every shape, models and their columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest

from phlo.errors import InvalidDeclaration, QueryFailed, UnknownColumn
from phlo.quality import CustomSQLCheck, NullCheck, RangeCheck, SchemaCheck, UniqueCheck


class Entries(pandera.DataFrameModel):
    _id: str = pandera.Field(unique=True)
    sgv: int = pandera.Field(ge=1, le=1000)
    direction: str = pandera.Field(nullable=True, isin=["Flat", "NONE"])


def test_a_model_judges_a_frame_with_underscored_columns() -> None:
    frame = pd.DataFrame({"_id": ["a", "b", "c"], "sgv": [100, 0, 200], "direction": ["Flat", "NONE", "Up"]})
    outcome = SchemaCheck(schema=Entries).execute(frame)
    assert (outcome.passed, outcome.violations, outcome.total) == (False, 2, 3)
    assert [row["_id"] for row in outcome.rows] == ["b", "c"]
    assert outcome.rows[0]["reason"] == "`sgv` = `0` is not at least 1"


def test_a_frame_whose_columns_mix_types_is_judged_cell_by_cell() -> None:
    frame = pd.DataFrame({"_id": ["a", 7, "c"], "sgv": ["100", 5.5, None]})
    outcome = SchemaCheck(Entries).execute(frame)
    assert (outcome.violations, outcome.total) == (2, 3)
    assert "`sgv` = `5.5` is not a whole number" in outcome.rows[0]["reason"]


def test_an_arrow_table_and_an_empty_frame_can_be_judged() -> None:
    assert SchemaCheck(Entries).execute(pa.table({"_id": ["a"], "sgv": [1]})).passed
    empty = pd.DataFrame({"_id": pd.Series([], dtype=str), "sgv": pd.Series([], dtype="int64")})
    assert SchemaCheck(Entries).execute(empty).total == 0


def test_columns_beside_those_of_a_strict_model_do_no_harm() -> None:
    class Strict(Entries):
        class Config:
            strict = True

    frame = pd.DataFrame({"_id": ["a"], "sgv": [1], "partition_date": [dt.date(2024, 1, 20)], "extra": [1]})
    assert SchemaCheck(Strict).execute(frame).passed


def test_a_column_that_the_model_needs_must_be_there() -> None:
    with pytest.raises(UnknownColumn, match=r"no column `sgv` in `the rows`; its columns are `_id`"):
        SchemaCheck(Entries).execute(pd.DataFrame({"_id": ["a"]}))


@pytest.mark.parametrize("schema", [None, "Entries", dict, pd.DataFrame])
def test_a_schema_must_be_a_model(schema: object) -> None:
    with pytest.raises(InvalidDeclaration, match="is not a Pandera model"):
        SchemaCheck(schema=schema)


def test_a_schema_check_has_the_name_of_its_model_and_a_tolerance() -> None:
    frame = pd.DataFrame({"_id": ["a", "b"], "sgv": [1, 0]})
    assert SchemaCheck(Entries).name == "SchemaCheck(Entries)"
    assert SchemaCheck(Entries, tolerance=0.5).execute(frame).passed
    assert not SchemaCheck(Entries, tolerance=0.49).execute(frame).passed


def test_nulls_of_pandas_are_nulls() -> None:
    frame = pd.DataFrame({"n": [1.0, float("nan"), None], "s": ["x", None, pd.NA], "t": [pd.NaT, pd.NaT, pd.NaT]})
    assert [NullCheck(column).execute(frame).violations for column in "nst"] == [2, 2, 3]


def test_bounds_of_every_type_are_compared_exactly() -> None:
    when = dt.datetime(2024, 1, 20, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    rows = pa.table(
        {
            "at": pa.array([when - dt.timedelta(seconds=1), when, None]),
            "naive": pa.array([dt.datetime(2024, 1, 20, 9, 59), dt.datetime(2024, 1, 20, 10), None]),
            "price": pa.array([Decimal("0.09"), Decimal("0.10"), None], pa.decimal128(38, 2)),
            "big": pa.array([2**53, 2**53 + 1, None]),
            "tiny": pa.array([1e-300, 2e-300, None]),
        }
    )
    checks = [
        RangeCheck("at", min_value=when),
        RangeCheck("naive", min_value=dt.datetime(2024, 1, 20, 10)),
        RangeCheck("price", min_value=Decimal("0.10")),
        RangeCheck("price", min_value=0.1),
        RangeCheck("big", 2**53 + 1, 2**60),
        RangeCheck("tiny", min_value=1.5e-300),
    ]
    assert [
        (check.name, check.execute(rows).violations) for check in checks if check.execute(rows).violations != 1
    ] == []


def test_sql_that_can_not_run_on_rows_raises() -> None:
    with pytest.raises(QueryFailed):
        CustomSQLCheck("bad", "SELECT nope FROM {table}").execute(pd.DataFrame({"a": [1]}))


def test_repeated_keys_are_shown_with_their_count() -> None:
    outcome = UniqueCheck(["a", "b"]).execute(pd.DataFrame({"a": [1, 1, 1, 2], "b": ["x", "x", "x", "y"]}))
    assert outcome.rows == ({"a": 1, "b": "x", "row_count": 3},)
    assert outcome.message == "2 of 4 rows repeat an earlier row's `a` and `b`"
