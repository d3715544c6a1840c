"""Arrow, pandas and polars, all the way into a table: whatever holds the rows, the table is the same."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pandera.pandas as pa
import polars as pl
import pyarrow
import pytest
from loading import Lake, ingestion

if TYPE_CHECKING:
    from collections.abc import Callable

UTC = dt.UTC
ROWS: dict[str, list[Any]] = {
    "id": ["a", "é", "c"],
    "at": [dt.datetime(2024, 1, 20, hour, tzinfo=UTC) for hour in range(3)],
    "sgv": [100, None, 7],
    "kind": ["x", "x", None],
    "tags": [["u"], [], ["v", "w"]],
}


class Reading(pa.DataFrameModel):
    id: str
    at: pa.DateTime
    sgv: int = pa.Field(ge=40)
    kind: str = pa.Field(nullable=True)
    tags: str = pa.Field(nullable=True)


def polars() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema_overrides={"kind": pl.Categorical})


FRAMES: dict[str, Callable[[], Any]] = {
    "dicts": lambda: [dict(zip(ROWS, values, strict=True)) for values in zip(*ROWS.values(), strict=True)],
    "arrow": lambda: pyarrow.table(ROWS),
    "arrow reader": lambda: pyarrow.table(ROWS).to_reader(),
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas of pyarrow": lambda: pyarrow.table(ROWS).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": polars,
    "polars by pages": lambda: iter([polars().slice(0, 2), polars().slice(2)]),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_table_is_the_same_whatever_its_rows_came_in(lake: Lake, kind: str) -> None:
    what = ingestion(lambda partition_date: FRAMES[kind](), unique_key=("id",), validation_schema=Reading)
    (load,) = lake.load("1", what)
    assert (load.rows_read, load.rows_written, load.rows_rejected) == (3, 1, 2)
    (row,) = lake.rows("raw.readings", "id", "at", "sgv", "kind", "tags")
    assert row == ("a", dt.datetime(2024, 1, 20, tzinfo=row[1].tzinfo), 100, "x", '["u"]')
    assert sorted(column for (column,) in lake.rows("rejected.readings", "column")) == ["sgv", "sgv"]


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars"])
def test_without_a_schema_its_columns_are_the_frame_s(lake: Lake, kind: str) -> None:
    lake.load("1", ingestion(lambda partition_date: FRAMES[kind]()))
    rows = lake.rows("raw.readings", "id", "sgv", "kind", "tags")
    assert rows == [("a", 100, "x", '["u"]'), ("c", 7, None, '["v","w"]'), ("é", None, "x", "[]")]


# ── a source whose schema changes between pages ──────────────────────────────────────────────────────────


class Count(pa.DataFrameModel):
    id: str
    n: int = pa.Field(nullable=True)


PAGES = [
    pyarrow.table({"id": ["a"], "n": pyarrow.array([1], pyarrow.int8())}),
    pyarrow.table({"n": ["2", "two"], "id": ["b", "c"], "new": [1.5, None]}),
    [{"id": "d", "n": 4.0, "also": True}],
    pyarrow.table({"id": ["e"]}),
    pyarrow.table({"id": ["f"], "n": [6.5]}),
]


def test_pages_of_different_columns_and_types_become_one_table(lake: Lake) -> None:
    (load,) = lake.load("1", ingestion(rows=PAGES, unique_key=("id",), validation_schema=Count))
    assert lake.rows("raw.readings", "id", "n") == [("a", 1), ("b", 2), ("d", 4), ("e", None)]
    assert load.reasons == {"`n` is not a whole number": 2}
    assert load.extra_fields == {"also": 1, "new": 1}


def test_without_a_schema_pages_of_different_types_meet_in_text(lake: Lake) -> None:
    lake.load("1", ingestion(rows=PAGES))
    rows = lake.rows("raw.readings", "id", "n", "new", "also")
    assert [row[0] for row in rows] == ["a", "b", "c", "d", "e", "f"]
    assert rows[1][1:3] == ("2", 1.5)
    assert rows[3][3] is True


def test_a_page_that_drops_the_key_rejects_its_rows_alone(lake: Lake) -> None:
    pages = [pyarrow.table({"id": ["a"], "n": [1]}), pyarrow.table({"n": [2]})]
    (load,) = lake.load("1", ingestion(rows=pages, unique_key=("id",), validation_schema=Count))
    assert (load.rows_written, load.rows_rejected) == (1, 1)
    assert load.reasons == {"`id` is null, and it is the unique key": 1}


# ── what of equal keys counts ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("method", "kept"), [("last", (3,)), ("first", (1,)), ("hash", (3,))])
def test_of_rows_with_one_key_the_chosen_one_counts(lake: Lake, method: Any, kept: tuple[int]) -> None:
    rows = [{"id": "a", "n": 1}, {"id": "a", "n": 1}, {"id": "a", "n": 3}]
    (load,) = lake.load("1", ingestion(rows=rows, unique_key=("id",), validation_schema=Count, deduplication=method))
    assert (load.rows_read, load.rows_written, load.rows_rejected) == (3, 1, 0)
    assert lake.rows("raw.readings", "n") == [kept]


def test_the_digits_that_come_first_are_not_the_columns_for_good(lake: Lake) -> None:
    for text in ("1.10", "12.34", "5.123"):
        frame = pd.DataFrame({"id": [text], "price": [Decimal(text)]})
        (load,) = lake.load(text, ingestion(lambda partition_date, frame=frame: frame, unique_key=("id",)))
        assert (load.rows_written, load.rows_rejected) == (1, 0)
    prices = [price for (price,) in lake.rows("raw.readings", "price")]
    assert sorted(prices) == [Decimal("1.10"), Decimal("5.123"), Decimal("12.34")]
