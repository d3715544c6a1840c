"""Arrow columns of every kind can be stored, and none at a loss."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phlo.load.columns import storable

UNION = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
RUNS = pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["a"]))


@pytest.mark.parametrize(
    ("array", "kept"),
    [
        (pa.array([pa.MonthDayNano([1, 2, 3]), None]), ["[1,2,3]", None]),
        (pa.array([{"i": pa.MonthDayNano([1, 2, 3])}, None]), ['{"i":[1,2,3]}', None]),
        (UNION, ["1", "b"]),
        (RUNS, ["a", "a"]),
        (pa.array([decimal.Decimal("1E+3"), None], pa.decimal128(5, -2)), [decimal.Decimal(1000), None]),
        (pa.array([decimal.Decimal("1E+40"), None], pa.decimal256(5, -38)), ["1.00E+40", None]),
        (pa.array([10**17, 1, None], pa.timestamp("s")), ["100000000000000000 s", "1970-01-01T00:00:01+00:00", None]),
        (pa.array([1, None], pa.timestamp("s")), [dt.datetime(1970, 1, 1, 0, 0, 1), None]),
        (pa.array([None, None], pa.timestamp("s")), [None, None]),
        (pa.array(["a", None], pa.string_view()).dictionary_encode(), ["a", None]),
        (pa.array([["a"], None], pa.list_(pa.string_view())), [["a"], None]),
    ],
)
def test_what_no_file_holds_is_given_as_one_does(array: pa.Array, kept: list[Any], tmp_path: Any) -> None:
    given = storable(pa.record_batch([pa.array(range(len(array))), array], names=["id", "c"]))
    pq.write_table(pa.table(given), tmp_path / "stored.parquet")
    assert pq.read_table(tmp_path / "stored.parquet")["c"].to_pylist() == kept


def test_what_a_file_holds_passes_as_it_is() -> None:
    batch = pa.record_batch(
        [pa.array([1.5]), pa.array([[1]]), pa.array(["a"]).dictionary_encode()], names=["a", "b", "c"]
    )
    assert storable(batch) is batch
