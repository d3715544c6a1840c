from __future__ import annotations

import datetime as dt
import decimal
import math
from typing import Any

import pyarrow as pa
import pytest

from phlo.load.cast import cast_array, cast_cells
from phlo.load.reasons import Reason
from phlo.schemas.model import Column

UTC = dt.UTC
INT, FLOAT, TEXT, BOOL = pa.int64(), pa.float64(), pa.string(), pa.bool_()
TIME, ZONED, DAY = pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.date32()
EXACT = pa.decimal128(10, 2)
YEARS = "is not a time in the years 1 to 9999"
NUMBERS, TEXTS = pa.list_(pa.int64()), pa.list_(pa.string())


def cast(value: Any, kind: pa.DataType, **options: Any) -> tuple[Any, list[str]]:
    """One cell, beside one that is null; the column is gone through at once or cell by cell to the same end."""
    array, reasons = cast_cells([value, None], Column("c", kind, **options))
    assert array.type == kind
    assert array[1].as_py() is None
    return array[0].as_py(), [str(reason) for reason in reasons.values()]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (5, INT, 5),
        ("5", INT, 5),
        (" -5 ", INT, -5),
        ("+5", INT, 5),
        (5.0, INT, 5),
        ("5.0", INT, 5),
        ("1e3", INT, 1000),
        (2**63 - 1, INT, 2**63 - 1),
        ("9223372036854775807", INT, 2**63 - 1),
        (decimal.Decimal("7"), INT, 7),
        (5, FLOAT, 5.0),
        (5.5, FLOAT, 5.5),
        ("5.5", FLOAT, 5.5),
        (".5", FLOAT, 0.5),
        ("1E-3", FLOAT, 0.001),
        ("Infinity", FLOAT, math.inf),
        (2**60 + 1, FLOAT, float(2**60 + 1)),
        ("a", TEXT, "a"),
        ("", TEXT, ""),
        (5, TEXT, "5"),
        (True, TEXT, "true"),
        ({"a": [1]}, TEXT, '{"a":[1]}'),
        (True, BOOL, True),
        ("False", BOOL, False),
        (1, BOOL, True),
        (0, BOOL, False),
        ("2024-01-20T05:00:00.123Z", TIME, dt.datetime(2024, 1, 20, 5, 0, 0, 123000)),
        ("2024-01-20T05:00:00-07:00", TIME, dt.datetime(2024, 1, 20, 12)),
        ("2024-01-20T05:00:00-07:00", ZONED, dt.datetime(2024, 1, 20, 12, tzinfo=UTC)),
        ("2024-01-20 05:00", ZONED, dt.datetime(2024, 1, 20, 5, tzinfo=UTC)),
        ("2024-01-20", TIME, dt.datetime(2024, 1, 20)),
        ("2024-01-20T05:00:00.1234567Z", ZONED, dt.datetime(2024, 1, 20, 5, 0, 0, 123456, tzinfo=UTC)),
        (dt.date(2024, 1, 20), TIME, dt.datetime(2024, 1, 20)),
        ("2024-01-20", DAY, dt.date(2024, 1, 20)),
        ("2024-01-20T00:00:00Z", DAY, dt.date(2024, 1, 20)),
        (dt.datetime(2024, 1, 20), DAY, dt.date(2024, 1, 20)),
        ("1.1", EXACT, decimal.Decimal("1.10")),
        (1.1, EXACT, decimal.Decimal("1.10")),
        (7, EXACT, decimal.Decimal("7.00")),
        ("99999999.99", EXACT, decimal.Decimal("99999999.99")),
        ([1, 2], NUMBERS, [1, 2]),
        ([], NUMBERS, []),
        (["1", 2.0, None, math.nan], NUMBERS, [1, 2, None, None]),
        (["a", 5, {"b": 1}], TEXTS, ["a", "5", '{"b":1}']),
        ({"a": [1], "b": 2}, pa.struct([("a", NUMBERS), ("c", TIME)]), {"a": [1], "c": None}),
        ({"a": "1"}, pa.map_(pa.string(), INT), [("a", 1)]),
        (["2024-01-20"], pa.list_(DAY), [dt.date(2024, 1, 20)]),
    ],
)
def test_a_value_that_fits_is_cast(value: Any, kind: pa.DataType, expected: Any) -> None:
    assert cast(value, kind) == (expected, [])


@pytest.mark.parametrize(
    ("value", "kind", "complaint"),
    [
        (5.7, INT, "`c` = `5.7` is not a whole number"),
        ("5.7", INT, "`c` = `5.7` is not a whole number"),
        (True, INT, "`c` = `true` is not a whole number"),
        ("0x1F", INT, "`c` = `0x1F` is not a whole number"),
        ("", INT, "`c` = `` is not a whole number"),
        ("five", INT, "`c` = `five` is not a whole number"),
        ("1e999999999", INT, "`c` = `1e999999999` is not a whole number"),
        ([5], INT, "`c` = `[5]` is not a whole number"),
        (math.inf, INT, "`c` = `Infinity` is not a whole number"),
        (2**63, INT, f"`c` = `{2**63}` is not in {-(2**63)} to {2**63 - 1}"),
        (True, FLOAT, "`c` = `true` is not a number"),
        ("nan", FLOAT, "`c` = `nan` is not a number"),
        ("1,5", FLOAT, "`c` = `1,5` is not a number"),
        ("1e400", FLOAT, "`c` = `1e400` is too large for a number with a fraction of 64 bits"),
        ("9" * 350, FLOAT, f"`c` = `{'9' * 60}…` is too large for a number with a fraction of 64 bits"),
        (1e39, pa.float32(), "`c` = `1e+39` is too large for a number with a fraction of 32 bits"),
        ("-1e39", pa.float32(), "`c` = `-1e39` is too large for a number with a fraction of 32 bits"),
        (2, BOOL, "`c` = `2` is neither true nor false"),
        ("yes", BOOL, "`c` = `yes` is neither true nor false"),
        ("\ud800", TEXT, "`c` = `\\ud800` is not valid text"),
        ("0001-01-01T00:00:00+14:00", TIME, "`c` = `0001-01-01T00:00:00+14:00` is not a time in ISO 8601"),
        (1705794969000, TIME, "`c` = `1705794969000` is not a time in ISO 8601"),
        ("20 Jan 2024", TIME, "`c` = `20 Jan 2024` is not a time in ISO 8601"),
        ("2024-02-30", TIME, "`c` = `2024-02-30` is not a time in ISO 8601"),
        ("2024-01-20T05:00:00Z", DAY, "`c` = `2024-01-20T05:00:00Z` is a time, not a date"),
        ("2024-01-20T00:00:00+02:00", DAY, "`c` = `2024-01-20T00:00:00+02:00` is a time, not a date"),
        ("today", DAY, "`c` = `today` is not a date in ISO 8601"),
        ("1.234", EXACT, "`c` = `1.234` has more than 2 decimals"),
        ("123456789.1", EXACT, "`c` = `123456789.1` has more than 10 digits"),
        (True, EXACT, "`c` = `true` is not a number"),
        (["a"], NUMBERS, '`c` = `["a"]` is not a list<item: int64>'),
        (5, NUMBERS, "`c` = `5` is not a list<item: int64>"),
        ([1, 1.7], NUMBERS, "`c` = `[1,1.7]` is not a list<item: int64>"),
        ([True], NUMBERS, "`c` = `[true]` is not a list<item: int64>"),
        ({"a": 1}, NUMBERS, '`c` = `{"a":1}` is not a list<item: int64>'),
        ("ab", TEXTS, "`c` = `ab` is not a list<item: string>"),
        ([["ab"]], pa.list_(NUMBERS), '`c` = `[["ab"]]` is not a list<item: list<item: int64>>'),
        ({"a": [0.5]}, pa.struct([("a", NUMBERS)]), '`c` = `{"a":[0.5]}` is not a struct<a: list<item: int64>>'),
        ([1], pa.struct([("a", NUMBERS)]), "`c` = `[1]` is not a struct<a: list<item: int64>>"),
        ({None: 1}, pa.map_(pa.string(), INT), '`c` = `{"null":1}` is not a map<string, int64>'),
        ("x" * 70, INT, f"`c` = `{'x' * 60}…` is not a whole number"),
    ],
)
def test_a_value_that_does_not_fit_has_a_reason_and_becomes_null(value: Any, kind: pa.DataType, complaint: str) -> None:
    assert cast(value, kind) == (None, [complaint])


def test_a_whole_number_stays_in_the_range_of_its_own_type() -> None:
    narrow = {"bounds": (-128, 127)}
    assert cast(127, pa.int32(), **narrow) == (127, [])
    assert cast(128, pa.int32(), **narrow) == (None, ["`c` = `128` is not in -128 to 127"])
    assert cast("-129", pa.int32(), **narrow) == (None, ["`c` = `-129` is not in -128 to 127"])


@pytest.mark.parametrize(
    ("kind", "fits", "large"),
    [
        (pa.int32(), 2**31 - 1, 2**31),
        (pa.int64(), 2**63 - 1, 2**63),
        (pa.float32(), 2**100, 10**39),
        (pa.float64(), 2**1000, 10**309),
    ],
)
def test_what_is_too_large_is_a_reason_whatever_stands_beside_it(kind: pa.DataType, fits: int, large: int) -> None:
    for large_one in (large, -large - 1):
        for cells in ([str(fits), "1", str(large_one)], [str(fits), 1, str(large_one)], [fits, 1, large_one]):
            array, reasons = cast_cells(cells, Column("c", kind))
            assert array.to_pylist() == [fits, 1, None] and [*reasons] == [2]
        of_texts = cast_array(pa.array([str(fits), "1", str(large_one)]), Column("c", kind))
        assert of_texts[0].to_pylist() == [fits, 1, None] and [*of_texts[1]] == [2]


def test_infinity_stays_what_it_is_in_every_float() -> None:
    for kind in (pa.float32(), pa.float64()):
        array, reasons = cast_cells([math.inf, 1.5, -math.inf], Column("c", kind))
        assert (array.to_pylist(), reasons) == ([math.inf, 1.5, -math.inf], {})
        assert cast_array(pa.array([1.5, math.inf]), Column("c", kind))[0].to_pylist() == [1.5, math.inf]
    array, reasons = cast_array(pa.array([1.5, math.inf, 1e39]), Column("c", pa.float32()))
    assert array.to_pylist() == [1.5, math.inf, None] and [*reasons] == [2]


def test_one_bad_cell_spoils_no_other() -> None:
    array, reasons = cast_cells([1, "2", "x", None, 4.0, 5.5], Column("n", INT))
    assert array.to_pylist() == [1, 2, None, None, 4, None]
    assert reasons == {
        2: Reason("n", "is not a whole number", "`x`"),
        5: Reason("n", "is not a whole number", "`5.5`"),
    }


def test_columns_of_text_are_read_at_once_and_to_the_same_values() -> None:
    texts = ["2024-01-20T05:00:00Z", None, "2024-01-20T06:00:00Z"]
    array, _ = cast_cells(texts, Column("t", TIME))
    mixed, _ = cast_cells([*texts, "2024-01-20T05:00"], Column("t", TIME))
    assert array.to_pylist() == mixed.to_pylist()[:3]


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([1, None], pa.int8()), INT, [1, None]),
        (pa.array([1.0, math.nan]), INT, [1, None]),
        (pa.array([1, 2]), FLOAT, [1.0, 2.0]),
        (pa.array([1.5, math.nan]), FLOAT, [1.5, None]),
        (pa.array(["1", None]), INT, [1, None]),
        (pa.array(["1.5", "2"]), FLOAT, [1.5, 2.0]),
        (pa.array(["a", "b"], pa.large_string()), TEXT, ["a", "b"]),
        (pa.array(["a", "b"], pa.string_view()), TEXT, ["a", "b"]),
        (pa.array(["a", "a"]).dictionary_encode(), TEXT, ["a", "a"]),
        (pa.array([1, 2]), TEXT, ["1", "2"]),
        (pa.array([True, None]), TEXT, ["true", None]),
        (pa.array([True, None]), BOOL, [True, None]),
        (pa.array([0, 1]), BOOL, [False, True]),
        (pa.nulls(2), INT, [None, None]),
        (pa.array([{"a": 1}]), TEXT, ['{"a":1}']),
        (pa.array([[1], None]), TEXT, ["[1]", None]),
        (pa.array([[1], None], pa.list_(pa.int8())), NUMBERS, [[1], None]),
        (pa.array([dt.date(2024, 1, 20)]), TIME, [dt.datetime(2024, 1, 20)]),
        (pa.array([dt.date(2024, 1, 20)]), ZONED, [dt.datetime(2024, 1, 20, tzinfo=UTC)]),
        (pa.array([1_500_000_001], pa.timestamp("ns")), TIME, [dt.datetime(1970, 1, 1, 0, 0, 1, 500000)]),
        (pa.array([dt.datetime(2024, 1, 20, 5)]), ZONED, [dt.datetime(2024, 1, 20, 5, tzinfo=UTC)]),
        (pa.array([0], pa.timestamp("s", "America/Phoenix")), TIME, [dt.datetime(1970, 1, 1)]),
        (pa.array([dt.datetime(2024, 1, 20)]), DAY, [dt.date(2024, 1, 20)]),
        (pa.array([decimal.Decimal("1.5")]), EXACT, [decimal.Decimal("1.50")]),
        (pa.array([decimal.Decimal("2")]), INT, [2]),
        (pa.array([b"\xff"]), TEXT, ["/w=="]),
    ],
)
def test_an_arrow_array_that_fits_is_cast(array: pa.Array, kind: pa.DataType, expected: list[Any]) -> None:
    done, reasons = cast_array(array, Column("c", kind))
    assert (done.type, done.to_pylist(), reasons) == (kind, expected, {})


@pytest.mark.parametrize(
    ("array", "kind", "expected", "complaint"),
    [
        (pa.array([1.0, 5.7]), INT, [1, None], "is not a whole number"),
        (pa.array([True, None]), INT, [None, None], "is not a whole number"),
        (pa.array(["5", "0x1F"]), INT, [5, None], "is not a whole number"),
        (pa.array([1, 2**40]), pa.int32(), [1, None], f"is not in {-(2**31)} to {2**31 - 1}"),
        (pa.array([1705794969000]), TIME, [None], "is not a time in ISO 8601"),
        (pa.array([dt.datetime(2024, 1, 20, 5)]), DAY, [None], "is a time, not a date"),
        (pa.array([0, 10**15], pa.timestamp("s")), TIME, [dt.datetime(1970, 1, 1), None], YEARS),
        (pa.array([-(10**14)], pa.timestamp("ms")), TEXT, [None], YEARS),
        (pa.array(["a", "2024-01-20"]), DAY, [None, dt.date(2024, 1, 20)], "is not a date in ISO 8601"),
    ],
)
def test_a_cell_of_an_arrow_array_that_does_not_fit_has_a_reason(
    array: pa.Array, kind: pa.DataType, expected: list[Any], complaint: str
) -> None:
    done, reasons = cast_array(array, Column("c", kind))
    assert done.to_pylist() == expected
    assert [reason.complaint for reason in reasons.values()] == [complaint]


def test_a_whole_number_of_more_digits_than_a_decimal_has_is_rejected() -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql("SELECT unnest([5::hugeint, 170141183460469231731687303715884105727::hugeint]) AS c")
    array = rows.to_arrow_table()["c"].combine_chunks()
    done, reasons = cast_array(array, Column("c", array.type))
    assert done.to_pylist() == [5, None]
    assert "digits" in str(reasons[1])
