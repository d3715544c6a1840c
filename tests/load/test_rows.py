from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import json
import math
import uuid
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phlo.load.rows import _in_full, as_text, decode, encode


class Trend(enum.Enum):
    FLAT = "Flat"


class Level(enum.IntEnum):
    LOW = 1


class Kind(enum.StrEnum):
    CGM = "cgm"


class Litres(float):
    """As quantities with units are made."""


class Lower(dict[str, Any]):
    """A dict that shows its keys otherwise."""

    def items(self) -> Any:
        return [(key.lower(), value) for key, value in super().items()]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (0.1, 0.1),
        ("ä\u0000\U0001f600", "ä\u0000\U0001f600"),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (dt.datetime(2024, 1, 20, 5, tzinfo=dt.UTC), "2024-01-20T05:00:00+00:00"),
        (dt.date(2024, 1, 20), "2024-01-20"),
        (dt.time(5, 30), "05:30:00"),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (b"\x00\xff", "AP8="),
        (math.nan, None),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        ({"deep": [math.nan, Trend.FLAT]}, {"deep": [None, "Flat"]}),
        (Level.LOW, 1),
        (np.int64(5), 5),
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (np.datetime64("2024-01-20T05:00:00"), "2024-01-20T05:00:00"),
        (pd.Timestamp("2024-01-20", tz="UTC"), "2024-01-20T00:00:00+00:00"),
        (pd.NaT, None),
        (pd.NA, None),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (Kind.CGM, "cgm"),
        (Litres(1.5), 1.5),
        (Litres(math.inf), "Infinity"),
        (np.float64(0.1), 0.1),
        (np.float64(-math.inf), "-Infinity"),
        (Lower(A=1), {"a": 1}),
        (collections.namedtuple("Place", "x y")(1, 2), [1, 2]),
        ("null", "null"),
    ],
)
def test_a_value_is_kept_as_json_has_it(value: Any, kept: Any) -> None:
    text = encode({"value": value})
    assert json.loads(text, parse_constant=pytest.fail) == {"value": kept}
    assert decode(text) == {"value": kept}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_is_written_the_quick_way_is_what_python_writes(value: Any) -> None:
    text = encode({"value": value})
    assert json.loads(text, parse_constant=pytest.fail) == decode(_in_full({"value": value}))


def test_an_infinity_is_kept_beside_nulls() -> None:
    assert encode({"a": None, "b": math.inf, "c": "null"}) == '{"a":null,"b":"Infinity","c":"null"}'
    assert encode({"a": None, "b": [math.inf], "c": math.nan}) == '{"a":null,"b":["Infinity"],"c":null}'


def test_keys_that_are_not_text_become_text() -> None:
    assert decode(encode({1: "a", None: "b", dt.date(2024, 1, 20): "c"})) == {"1": "a", "null": "b", "2024-01-20": "c"}


def test_a_row_may_be_any_mapping() -> None:
    assert encode(MappingProxyType({"a": 1})) == '{"a":1}'


def test_a_value_that_contains_itself_is_an_error() -> None:
    row: dict[str, Any] = {}
    row["self"] = row
    with pytest.raises(ValueError, match="contains itself"):
        encode(row)


def test_half_a_character_is_kept_as_an_escape() -> None:
    assert encode({"a": "\ud800é"}) == '{"a":"\\ud800\\u00e9"}'
    assert decode(encode({"a": "\ud800é"})) == {"a": "\ud800é"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ä", "ä"),
        (5, "5"),
        (5.0, "5.0"),
        (True, "true"),
        ([1, "a"], '[1,"a"]'),
        (dt.date(2024, 1, 20), "2024-01-20"),
        (decimal.Decimal("1.10"), "1.10"),
        ({"a": math.nan}, '{"a":null}'),
        (b"\xff", "/w=="),
    ],
)
def test_a_text_column_holds_text_as_it_is_and_the_rest_as_json(value: Any, text: str) -> None:
    assert as_text(value) == text
