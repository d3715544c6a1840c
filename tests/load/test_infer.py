from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from loading import DAY, ingestion

from phlo.declarations import SilentReporter
from phlo.errors import SchemaError
from phlo.load.infer import infer_schema
from phlo.load.stage import stage

if TYPE_CHECKING:
    from pathlib import Path


def types(tmp_path: Path, rows: Any, known: pa.Schema | None = None) -> dict[str, str]:
    what = ingestion(rows=rows)
    staged = stage(what, DAY, tmp_path / "stage", "load-1", SilentReporter())
    schema = infer_schema(what, [staged], known)
    assert all(column.nullable for column in schema.columns)
    return {column.name: str(column.type) for column in schema.columns}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "int64"),
        ([1, 2.5], "double"),
        ([2.5], "double"),
        ([2.5, math.inf, -math.inf], "double"),
        ([1, math.inf], "double"),
        ([math.inf, "a"], "string"),
        (["a"], "string"),
        ([True, False], "bool"),
        ([True, 1], "string"),
        ([1, "a"], "string"),
        ([1, None], "int64"),
        ([{"a": 1}], "string"),
        ([[1]], "string"),
        ([1, [1]], "string"),
        ([dt.datetime(2024, 1, 20)], "string"),
    ],
)
def test_a_field_has_the_type_of_its_values(tmp_path: Path, values: list[Any], kind: str) -> None:
    assert types(tmp_path, [{"x": value} for value in values]) == {"x": kind}


def test_columns_are_the_union_of_fields_in_the_order_they_come(tmp_path: Path) -> None:
    rows = [{"b": 1}, {"a": 1, "b": 2}, {"c": "x"}]
    assert list(types(tmp_path, rows)) == ["b", "a", "c"]


def test_a_field_that_is_null_everywhere_is_no_column_yet(tmp_path: Path) -> None:
    assert types(tmp_path, [{"a": 1, "b": None}]) == {"a": "int64"}


def test_columns_of_the_table_keep_their_types(tmp_path: Path) -> None:
    known = pa.schema([("a", pa.int64()), ("gone", pa.large_string()), ("partition_date", pa.date32())])
    assert types(tmp_path, [{"a": 2.5, "b": 1}], known) == {"a": "int64", "b": "int64", "gone": "string"}


def test_columns_that_phlo_adds_are_not_the_sources(tmp_path: Path) -> None:
    assert types(tmp_path, [{"a": 1, "_phlo_load_id": "x", "partition_date": "y"}]) == {"a": "int64"}


def test_arrow_columns_keep_their_types_as_tables_hold_them(tmp_path: Path) -> None:
    table = pa.table(
        {
            "small": pa.array([1], pa.int8()),
            "at": pa.array([0], pa.timestamp("ns", "UTC")),
            "day": pa.array([dt.date(2024, 1, 20)]),
            "nested": pa.array([[1]]),
            "nothing": pa.nulls(1),
        }
    )
    assert types(tmp_path, table) == {
        "small": "int32",
        "at": "timestamp[us, tz=UTC]",
        "day": "date32[day]",
        "nested": "string",
    }


def test_decimals_of_a_frame_get_the_room_that_a_models_have_and_declared_ones_keep_theirs(tmp_path: Path) -> None:
    frames = [pd.DataFrame({"price": [Decimal(text)], "huge": [Decimal("1E+30")]}) for text in ("1.10", "12.345")]
    assert types(tmp_path, frames) == {"price": "decimal128(38, 9)", "huge": "decimal128(31, 0)"}
    declared = pd.DataFrame({"price": pd.Series([Decimal("1.10")], dtype=pd.ArrowDtype(pa.decimal128(10, 2)))})
    assert types(tmp_path / "declared", declared) == {"price": "decimal128(10, 2)"}


def test_types_of_several_pages_are_brought_together(tmp_path: Path) -> None:
    pages = [pa.table({"n": pa.array([1], pa.int32()), "x": [1]}), [{"n": 2, "x": "a"}], pa.table({"n": [0.5]})]
    assert types(tmp_path, pages) == {"n": "double", "x": "string"}


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
def test_a_field_that_no_column_can_be_called_like_is_an_error_with_a_way_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(SchemaError, match="no column can have the name `'") as failure:
        types(tmp_path, [{"id": 1, name: 2}])
    assert "validation_schema" in failure.value.next_step
