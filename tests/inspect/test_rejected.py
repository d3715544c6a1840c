"""Rejected rows of real loads: counted, and shown as they came."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandera.pandas as pandera
import pytest

import phlo
from phlo.declarations import declared
from phlo.errors import UnknownTable
from phlo.inspect import RejectedTable, rejected_rows, rejected_summary
from phlo.testing import run_ingestion, temporary_lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.inspect import RejectedRow
    from phlo.profiles import Lake

FIRST, SECOND = "2024-01-20", "2024-01-21"


class Reading(pandera.DataFrameModel):
    _id: str
    sgv: int = pandera.Field(ge=1)


@phlo.ingestion(unique_key="_id", validation_schema=Reading)
def readings(partition_date: str) -> list[dict[str, Any]]:
    return []


@phlo.ingestion(table_name="devices", validation_schema=Reading)
def all_devices() -> list[dict[str, Any]]:
    return []


DECLARED = list(declared[-2:])


@pytest.fixture
def lake() -> Iterator[Lake]:
    declared.extend(DECLARED)
    with temporary_lake() as lake:
        yield lake
    del declared[-2:]


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    """Two days with rejected rows, one of them wrong twice, and an unpartitioned table with one."""
    bad = [{"_id": None, "sgv": 0, "note": "größe"}, {"_id": "b", "sgv": "high"}, {"_id": "c", "sgv": 5}]
    run_ingestion(readings, FIRST, rows=[*bad, {"_id": "d", "sgv": 0}], lake=lake)
    run_ingestion(readings, SECOND, rows=[{"_id": "e", "sgv": None}], lake=lake)
    run_ingestion(all_devices, rows=[{"_id": "x", "sgv": -1}, {"_id": "y", "sgv": 1}], lake=lake)
    return lake


def shown(lake: Lake, table: str = "readings", **options: Any) -> list[RejectedRow]:
    return rejected_rows(lake.engine, lake.pin(), table, **options)


def test_rejected_rows_are_counted_by_table_and_column(loaded: Lake) -> None:
    devices, found = rejected_summary(loaded.engine, loaded.pin())
    assert (found.table, found.rows, found.partitions) == ("raw.readings", 4, 2)
    assert found.columns == (("sgv", 4), ("_id", 1)) or found.columns == (("sgv", 3), ("_id", 1))
    assert (found.first, found.last) == (dt.date(2024, 1, 20), dt.date(2024, 1, 21))
    assert "`" in found.example
    assert devices == RejectedTable("raw.devices", 1, (("sgv", 1),), "`sgv` = `-1` is not at least 1")


def test_a_lake_without_rejected_rows_has_no_summary(lake: Lake) -> None:
    assert rejected_summary(lake.engine, lake.pin()) == []
    run_ingestion(readings, FIRST, rows=[{"_id": "a", "sgv": 1}], lake=lake)
    assert rejected_summary(lake.engine, lake.pin()) == []


def test_a_table_whose_rejected_rows_were_mended_is_left_out(loaded: Lake) -> None:
    run_ingestion(all_devices, rows=[{"_id": "x", "sgv": 1}], lake=loaded)
    assert [each.table for each in rejected_summary(loaded.engine, loaded.pin())] == ["raw.readings"]
    assert shown(loaded, "devices") == []


def test_rows_come_as_the_source_sent_them_the_newest_partition_first(loaded: Lake) -> None:
    newest, *others = shown(loaded)
    assert (newest.partition, newest.row, newest.reason) == (
        dt.date(2024, 1, 21), {"_id": "e", "sgv": None}, "`sgv` is null",
    )  # fmt: skip
    assert {each.partition for each in others} == {dt.date(2024, 1, 20)}
    assert {"_id": None, "sgv": 0, "note": "größe"} in [each.row for each in others]
    text = next(each for each in others if each.row["_id"] == "b")
    assert (text.column, text.reason) == ("sgv", "`sgv` = `high` is not a whole number")
    assert newest.loaded_at.tzinfo is not None
    assert newest.load_id


@pytest.mark.parametrize("name", ["readings", "raw.readings", "rejected.readings"])
def test_a_table_may_be_named_in_three_ways(loaded: Lake, name: str) -> None:
    assert len(shown(loaded, name)) == 4


def test_rows_can_be_limited_and_of_one_day(loaded: Lake) -> None:
    assert len(shown(loaded, limit=2)) == 2
    assert len(shown(loaded, partition=dt.date(2024, 1, 20))) == 3
    assert shown(loaded, partition=dt.date(2024, 1, 22)) == []
    assert len(shown(loaded, "devices")) == 1
    assert shown(loaded, "devices", partition=dt.date(2024, 1, 20)) == []


def test_a_table_without_rejected_rows_has_none(lake: Lake) -> None:
    run_ingestion(readings, FIRST, rows=[{"_id": "a", "sgv": 1}], lake=lake)
    assert shown(lake) == []


def test_an_unknown_table_names_the_nearest(loaded: Lake) -> None:
    with pytest.raises(UnknownTable, match=r"`raw\.reading` on `main`; did you mean `readings`"):
        shown(loaded, "raw.reading")
