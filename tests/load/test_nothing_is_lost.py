"""Whatever a source sends, each row ends in one place, whole; dicts and Arrow end alike."""

import datetime as dt
import decimal
import json
import math
from typing import Any

import pandera.pandas as pa
import pyarrow as arrow
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import ingestion
from pandera.typing import Series

from phlo.declarations import SilentReporter
from phlo.load.cast import cast_array, cast_cells
from phlo.load.rows import decode, encode
from phlo.load.spool import Spool
from phlo.load.validate import Judge, validate_rows
from phlo.schemas.converter import arrow_schema
from phlo.schemas.model import Column, read_model


class Model(pa.DataFrameModel):
    _id: Series[str] = pa.Field(nullable=False)
    whole: Series[int] = pa.Field(ge=-5, nullable=True)
    number: Series[float] = pa.Field(le=1e9)
    flag: Series[bool]
    at: Series[dt.datetime] = pa.Field(nullable=True)
    day: Series[dt.date] = pa.Field(nullable=True)
    exact: Series[decimal.Decimal] = pa.Field(nullable=True)
    small: Series[pa.Int8] = pa.Field(nullable=True)
    many: Series[list[int]] = pa.Field(nullable=True)


NAMES = list(read_model(Model).names)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["5", "5.5", "true", "2024-01-20", "2024-01-20T05:00:00Z", "NaN", "Infinity", "1e400", "\ud800"])
)
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.fixed_dictionaries({"deep": LEAVES})
ROWS = st.lists(st.dictionaries(st.sampled_from([*NAMES, "extra"]), VALUES), max_size=5)


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_each_row_is_good_or_rejected_and_a_rejected_one_is_whole(rows: list[dict[str, Any]]) -> None:
    good, rejected = validate_rows(rows, read_model(Model))
    assert good.num_rows + rejected.num_rows == len(rows)
    assert good.schema == arrow_schema(read_model(Model))
    kept = [json.loads(row) for row in rejected["row"].to_pylist()]
    sent = [decode(encode(row)) for row in rows]
    for row in kept:
        sent.remove(row)
    assert [row["_id"] for row in good.to_pylist()] == [_as_text(row["_id"]) for row in sent]
    assert all(reason for reason in rejected["reason"].to_pylist())


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_good_rows_are_good_again(rows: list[dict[str, Any]]) -> None:
    good, _ = validate_rows(rows, read_model(Model))
    again, rejected = validate_rows(good.to_pylist(), read_model(Model))
    assert rejected.num_rows == 0
    assert again.to_pylist() == good.to_pylist()


TYPED = st.sampled_from(
    [
        (arrow.int64(), st.integers(-(2**63), 2**63 - 1)),
        (arrow.int16(), st.integers(-(2**15), 2**15 - 1)),
        (arrow.uint64(), st.integers(0, 2**64 - 1)),
        (arrow.float64(), st.floats()),
        (arrow.float32(), st.floats(width=32)),
        (arrow.bool_(), st.booleans()),
        (arrow.string(), st.text(max_size=8) | st.sampled_from(["5", "5.50", "2024-01-20T05:00:00Z", "2024-01-20"])),
        (arrow.timestamp("us"), st.datetimes()),
        (arrow.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
        (arrow.date32(), st.dates()),
        (arrow.decimal128(20, 3), st.decimals(-(10**12), 10**12, places=3)),
        (arrow.list_(arrow.int64()), st.lists(st.integers(-9, 9), max_size=3)),
    ]
)
TARGETS = st.sampled_from(
    [
        *(arrow.int64(), arrow.int32(), arrow.float64(), arrow.bool_(), arrow.string(), arrow.date32()),
        *(arrow.timestamp("us"), arrow.timestamp("us", "UTC"), arrow.decimal128(12, 2), arrow.list_(arrow.int64())),
    ]
)


@settings(deadline=None, max_examples=200)
@given(TYPED.flatmap(lambda typed: st.tuples(st.just(typed[0]), st.lists(st.none() | typed[1], max_size=5))), TARGETS)
def test_an_array_is_cast_at_once_as_it_is_cell_by_cell(
    typed: tuple[arrow.DataType, list[Any]], target: arrow.DataType
) -> None:
    array = arrow.array(typed[1], typed[0])
    column = Column("c", target)
    at_once, reasons = cast_array(array, column)
    for row, value in enumerate(array.to_pylist()):
        alone, reason = cast_cells([value, None, "no such value at all"], column)
        assert (row in reasons) == (0 in reason)
        assert _same(at_once[row].as_py(), alone[0].as_py())


def test_a_batch_of_arrow_rows_is_judged_to_the_last_row() -> None:
    schema = read_model(Model)
    table = arrow.table({"_id": ["a", None], "number": [1.0, math.inf], "flag": [True, None]})
    bad = arrow.schema([(name, arrow.string()) for name in ("reason", "column", "row")])
    with Spool(arrow_schema(schema)) as good, Spool(bad) as rejected:
        judge = Judge(schema, (), SilentReporter(), merging=False)
        judge.take(table.to_batches()[0], good, rejected, {})
        assert (good.rows, rejected.rows) == (1, 1)
        (row,) = rejected.contents().read_all().to_pylist()
    assert row["reason"] == "`_id` is null; `flag` is null"
    assert json.loads(row["row"]) == {"_id": None, "number": "Infinity", "flag": None}
    assert ingestion(rows=[]).unique_key == ()


def _as_text(value: Any) -> str:
    from phlo.load.rows import as_text

    return as_text(value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-15) or one == other
    return bool(one == other)
