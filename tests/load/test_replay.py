"""Rejected rows judged again: what passes goes in, what came later stands, what fails stays where it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandera.pandas as pa
import pytest
from loading import DAY, Lake, ingestion

from phlo.declarations import SilentReporter
from phlo.errors import PartitioningChanged
from phlo.load.replay import Replay, Replayed

if TYPE_CHECKING:
    from phlo.declarations import Ingestion

NEXT = DAY + dt.timedelta(days=1)


class Strict(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=40)


class Loose(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=1)


def readings(rows: Any, **options: Any) -> Ingestion:
    return ingestion(rows=rows, unique_key=("id",), validation_schema=Strict, **options)


def mended(what: Ingestion) -> Ingestion:
    return replace(what, validation_schema=Loose)


def replay(lake: Lake, run: str, what: Ingestion, partition: dt.date | None = None) -> Replayed:
    with lake.catalog.lease([what.table], run):
        lake.open(run)
        folder = lake.folder / "staging" / run
        done = Replay(what, lake.engine, lake.catalog, lake.ref, run, folder)(SilentReporter(), partition)
        lake.catalog.publish(lake.ref)
    return done


def test_rows_that_pass_the_mended_schema_go_in_and_the_others_stay(lake: Lake) -> None:
    what = readings([{"id": "a", "sgv": 100}, {"id": "b", "sgv": 30}, {"id": "c", "sgv": "high"}])
    lake.load("1", what)
    (arrived,) = {at for (at,) in lake.rows("rejected.readings", "_phlo_loaded_at")}
    assert replay(lake, "2", mended(what)) == Replayed("raw.readings", rows=2, inserted=1, rejected=1)
    assert lake.rows("raw.readings", "id", "sgv", "partition_date") == [("a", 100, DAY), ("b", 30, DAY)]
    assert lake.rows("raw.readings", "_phlo_loaded_at") == [(arrived,), (arrived,)]
    assert [row[0] for row in lake.rows("rejected.readings", "row")] == ['{"id":"c","sgv":"high"}']
    assert lake.rows("rejected.readings", "_phlo_loaded_at") == [(arrived,)]
    assert len(lake.catalog.loads()) == 1


def test_replaying_again_changes_nothing(lake: Lake) -> None:
    what = readings([{"id": "b", "sgv": 30}, {"id": "c", "sgv": -1}])
    lake.load("1", what)
    replay(lake, "2", mended(what))
    before = lake.catalog.pin().tables
    assert replay(lake, "3", mended(what)) == Replayed("raw.readings", rows=1, rejected=1)
    assert lake.catalog.pin().tables == before


def test_a_rejected_correction_corrects_its_row_after_all(lake: Lake) -> None:
    lake.load("1", readings([{"id": "a", "sgv": 100}]))
    lake.load("2", readings([{"id": "a", "sgv": 30}]))
    assert replay(lake, "3", mended(readings([]))) == Replayed("raw.readings", rows=1, updated=1)
    assert lake.rows("raw.readings", "id", "sgv") == [("a", 30)]


def test_what_a_later_load_or_the_same_one_has_brought_is_not_turned_back(lake: Lake) -> None:
    days = {str(DAY): [{"id": "a", "sgv": 30}, {"id": "b", "sgv": 30}, {"id": "b", "sgv": 90}]}
    lake.load("1", readings(days))
    lake.load("2", readings({str(NEXT): [{"id": "a", "sgv": 80}]}), NEXT)
    assert replay(lake, "3", mended(readings([]))) == Replayed("raw.readings", rows=2, superseded=2)
    assert lake.rows("raw.readings", "id", "sgv") == [("a", 80), ("b", 90)]
    assert lake.rows("rejected.readings", "row") == []


def test_what_a_later_load_may_have_brought_again_as_it_was_is_not_turned_back(lake: Lake) -> None:
    lake.load("1", readings([{"id": "a", "sgv": 100}]))
    lake.load("2", readings({str(NEXT): [{"id": "a", "sgv": 30}, {"id": "n", "sgv": 30}]}), NEXT)
    lake.load("3", readings([{"id": "a", "sgv": 100}]))
    assert replay(lake, "4", mended(readings([]))) == Replayed("raw.readings", rows=2, inserted=1, doubtful=1)
    assert lake.rows("raw.readings", "id", "sgv") == [("a", 100), ("n", 30)]
    assert lake.rows("rejected.readings", "row", "partition_date") == [('{"id":"a","sgv":30}', NEXT)]
    assert replay(lake, "5", mended(readings([]))) == Replayed("raw.readings", rows=1, doubtful=1)


def test_where_the_first_of_equal_keys_counts_it_is_the_first_of_the_latest_load(lake: Lake) -> None:
    rows = {str(DAY): [{"id": "a", "sgv": 31}, {"id": "a", "sgv": 32}], str(NEXT): [{"id": "a", "sgv": 33}]}
    what = readings(rows, deduplication="first")
    lake.load("1", what, DAY)
    lake.load("2", what, NEXT)
    replay(lake, "3", mended(what))
    assert lake.rows("raw.readings", "sgv") == [(33,)]


def test_rows_of_no_day_can_not_be_replayed_by_day(lake: Lake) -> None:
    lake.load("1", readings([{"id": "a", "sgv": 30}], partitioned=False), None)
    lake.open("2")
    again = Replay(mended(readings([])), lake.engine, lake.catalog, lake.ref, "2", lake.folder / "staging")
    with pytest.raises(PartitioningChanged) as failure:
        again(SilentReporter())
    assert failure.value.next_step.startswith("load readings again by day")


def test_of_rejected_rows_with_one_key_the_latest_counts(lake: Lake) -> None:
    lake.load("1", readings({str(NEXT): [{"id": "a", "sgv": 31}]}), NEXT)
    lake.load("2", readings({str(DAY): [{"id": "a", "sgv": 32}]}), DAY)
    done = replay(lake, "3", mended(readings([])))
    assert done == Replayed("raw.readings", rows=2, inserted=1, superseded=1)
    assert lake.rows("raw.readings", "sgv", "partition_date") == [(32, DAY)]


@pytest.mark.parametrize(("strategy", "partitioned"), [("append", True), ("replace", False)])
def test_without_a_merge_rows_are_added_to_those_that_are_there(lake: Lake, strategy: Any, partitioned: bool) -> None:
    rows = [{"id": "a", "sgv": 100}, {"id": "a", "sgv": 30}, {"id": "a", "sgv": 30}]
    what = readings(rows, merge_strategy=strategy, partitioned=partitioned)
    lake.load("1", what, DAY if partitioned else None)
    assert replay(lake, "2", mended(what)) == Replayed("raw.readings", rows=2, inserted=2)
    assert lake.rows("raw.readings", "sgv") == [(100,), (30,), (30,)]
    assert lake.rows("rejected.readings", "row") == []


def test_the_rows_of_one_day_can_be_replayed_alone(lake: Lake) -> None:
    days = {str(DAY): [{"id": "a", "sgv": 30}], str(NEXT): [{"id": "b", "sgv": 30}]}
    lake.load("1", readings(days), DAY, NEXT)
    assert replay(lake, "2", mended(readings([])), NEXT) == Replayed("raw.readings", rows=1, inserted=1)
    assert lake.rows("raw.readings", "id", "partition_date") == [("b", NEXT)]
    assert lake.rows("rejected.readings", "partition_date") == [(DAY,)]


def test_without_rejected_rows_there_is_nothing_to_do(lake: Lake) -> None:
    lake.load("1", readings([{"id": "a", "sgv": 100}]))
    assert replay(lake, "2", readings([])) == Replayed("raw.readings")
