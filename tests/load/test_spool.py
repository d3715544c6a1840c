from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from phlo.load.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema([("n", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("tags", pa.list_(pa.string()))])


def rows(*numbers: int) -> pa.Table:
    return pa.Table.from_pylist([{"n": n, "at": n, "tags": [str(n)]} for n in numbers], schema=SCHEMA)


@pytest.mark.parametrize("limit", [0, 10**9], ids=["on disk", "in memory"])
def test_rows_come_back_in_order_and_as_often_as_asked(tmp_path: Path, limit: int) -> None:
    with Spool(SCHEMA, tmp_path, limit) as spool:
        for start in range(0, 1000, 100):
            spool.append(rows(*range(start, start + 100)))
        for _ in range(2):
            contents = spool.contents()
            assert contents.schema == SCHEMA
            assert contents.read_all() == rows(*range(1000))
        assert spool.rows == 1000
        assert bool(list(tmp_path.iterdir())) is (limit == 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 10**9])
def test_no_rows_are_an_empty_table_with_columns(tmp_path: Path, limit: int) -> None:
    with Spool(SCHEMA, tmp_path, limit) as spool:
        spool.append(SCHEMA.empty_table())
        assert spool.contents().read_all() == SCHEMA.empty_table()
        assert spool.rows == 0


def test_nothing_is_left_when_reading_stops_half_way(tmp_path: Path) -> None:
    with Spool(SCHEMA, tmp_path, 0) as spool:
        spool.append(rows(1, 2, 3))
        next(iter(spool.contents()))
    assert list(tmp_path.iterdir()) == []
