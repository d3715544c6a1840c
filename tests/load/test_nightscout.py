"""The real server's answers, from the printed workflow to the tables of a lake."""

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandera.pandas as pa
import pytest
from loading import Lake, ingestion
from pandera.typing import Series
from recorded_nightscout import Answer, Server, recorded, serve

from phlo.declarations import Ingestion
from phlo.errors import MalformedResponse, SourceInterrupted, SourceUnavailable

MIXED, OLD = dt.date(2024, 3, 1), dt.date(2014, 7, 19)


class RawGlucoseEntries(pa.DataFrameModel):
    """As the documentation prints it."""

    _id: Series[str] = pa.Field(nullable=False)
    sgv: Series[int] = pa.Field(ge=1, le=1000)
    date: Series[int]
    dateString: Series[str]  # noqa: N815  the source's name
    direction: Series[str] = pa.Field(
        isin=[
            *("Flat", "FortyFiveUp", "SingleUp", "DoubleUp"),
            *("FortyFiveDown", "SingleDown", "DoubleDown", "NONE"),
        ],
        nullable=True,
    )
    device: Series[str] = pa.Field(nullable=True)

    class Config:
        strict = True
        coerce = True


class Nightscout:
    """Serves what a day's request is answered with."""

    def __init__(self) -> None:
        self.days: dict[dt.date, Answer] = {}
        self.server: Server | None = None

    def answer(self, path: str) -> Answer:
        return next((given for day, given in self.days.items() if f"[$gte]={day}T00:00" in path), Answer([]))

    def ingestion(self) -> Ingestion:
        def glucose_entries(partition_date: str) -> Any:
            from dlt.sources.rest_api import rest_api

            assert self.server is not None
            params = {
                "count": 10000,
                "find[dateString][$gte]": f"{partition_date}T00:00:00.000Z",
                "find[dateString][$lt]": f"{partition_date}T23:59:59.999Z",
            }
            return rest_api(
                {
                    "client": {"base_url": f"{self.server.url}/api/v1"},
                    "resources": [{"name": "entries", "endpoint": {"path": "entries.json", "params": params}}],
                }
            )

        return ingestion(glucose_entries, unique_key=("_id",), validation_schema=RawGlucoseEntries)


@pytest.fixture
def nightscout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nightscout]:
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_RETRY_DELAY", "0.05")
    served = Nightscout()
    with serve(served.answer) as server:
        served.server = server
        yield served


def answered(name: str) -> Any:
    return next(entry["resp"] for entry in recorded() if entry["name"] == name)


def test_a_day_of_mixed_entries_keeps_the_readings_and_files_the_rest(lake: Lake, nightscout: Nightscout) -> None:
    rows = answered("all of 2024-03-01 (mixed types)")
    nightscout.days[MIXED] = Answer(rows)
    (load,) = lake.load("1", nightscout.ingestion(), MIXED)
    assert (load.rows_read, load.rows_written, load.rows_rejected) == (7, 3, 4)
    assert lake.rows("raw.readings", "sgv", "device") == [(120, "dexcom"), (133, "rec"), (99, "rec")]
    why = {json.loads(row)["_id"]: reason for row, reason in lake.rows("rejected.readings", "row", "reason")}
    assert why == {
        "1f820f24d5bcf62f9dd831c4": "`sgv` = `7.2` is not a whole number; "
        "`date` = `1709301200000.5` is not a whole number",
        "32cb6e23bd487eb8cc589413": "`sgv` is null",
        "63ce737bc586cdc1e0dabd34": "`sgv` is null",
        "fd57c85a30ecad2b6518e57b": "`date` is null",
    }
    assert {name for name, count in load.extra_fields.items() if count} == {
        *("sysTime", "type", "utcOffset", "identifier", "units", "filtered", "unfiltered", "rssi", "noise", "delta"),
        *("mbg", "slope", "intercept", "scale"),
    }


def test_an_old_reading_in_text_is_a_number_and_its_unknown_trend_is_why_it_is_rejected(
    lake: Lake, nightscout: Nightscout
) -> None:
    (row,) = answered("old error row")
    assert row["sgv"] == "5"
    nightscout.days[OLD] = Answer([row, {**row, "_id": "other", "direction": "NONE"}])
    lake.load("1", nightscout.ingestion(), OLD)
    assert lake.rows("raw.readings", "_id", "sgv") == [("other", 5)]
    ((reason,),) = lake.rows("rejected.readings", "reason")
    assert reason.startswith("`direction` = `NOT COMPUTABLE` is not one of Flat, FortyFiveUp")


def test_a_correction_keeps_its_id_and_replaces_the_reading(lake: Lake, nightscout: Nightscout) -> None:
    before = answered("read back: one row")
    after = answered("read back: same _id, new value")
    assert before[0]["_id"] == after[0]["_id"]
    nightscout.days[MIXED] = Answer(before)
    lake.load("1", nightscout.ingestion(), MIXED)
    assert lake.rows("raw.readings", "sgv") == [(111,)]
    nightscout.days[MIXED] = Answer(after)
    (load,) = lake.load("2", nightscout.ingestion(), MIXED)
    assert (load.rows_written, load.rows_updated) == (0, 1)
    assert lake.rows("raw.readings", "sgv", "direction") == [(99, "FortyFiveDown")]


def test_of_duplicates_in_one_page_the_last_counts(lake: Lake, nightscout: Nightscout) -> None:
    (row,) = answered("read back: one row")
    nightscout.days[MIXED] = Answer([row, {**row, "sgv": 226}, {**row, "sgv": 239}])
    (load,) = lake.load("1", nightscout.ingestion(), MIXED)
    assert lake.rows("raw.readings", "sgv") == [(239,)]
    assert (load.rows_read, load.rows_written) == (3, 1)


def test_a_whole_day_loads_twice_without_a_change(lake: Lake, nightscout: Nightscout) -> None:
    day = dt.date(2024, 1, 20)
    nightscout.days[day] = Answer(answered("one UTC day, count 10000"))
    (first,) = lake.load("1", nightscout.ingestion(), day)
    (second,) = lake.load("2", nightscout.ingestion(), day)
    assert (first.rows_read, first.rows_written, first.rows_rejected) == (281, 281, 0)
    assert (second.rows_read, second.rows_written, second.rows_updated, second.rows_unchanged) == (281, 0, 0, 281)
    assert len(lake.catalog.load("raw.readings").snapshots()) == 1


def test_extra_fields_that_come_and_go_change_no_column(lake: Lake, nightscout: Nightscout) -> None:
    recent = next(
        entry["resp"]
        for entry in recorded("recorded_recent_data.jsonl.gz")
        if entry["name"] == "sgv.json count=2 from memory"
    )
    assert "mills" in recent[0]
    day = dt.date(2026, 11, 22)
    nightscout.days[day] = Answer(recent)
    (load,) = lake.load("1", nightscout.ingestion(), day)
    assert load.extra_fields["mills"] == 2
    assert lake.catalog.load("raw.readings").schema().column_names == [
        *("_id", "sgv", "date", "dateString", "direction", "device"),
        *("partition_date", "_phlo_load_id", "_phlo_loaded_at"),
    ]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"status": 500, "message": "Mongo Error"}, 500), SourceUnavailable),
        (Answer(b"<!DOCTYPE html>"), MalformedResponse),
        (Answer([{"_id": "a"}], cut=4), SourceInterrupted),
    ],
)
def test_a_source_that_fails_changes_nothing_and_the_next_try_loads_all(
    lake: Lake, nightscout: Nightscout, answer: Answer, error: type[Exception]
) -> None:
    rows = answered("read back: one row")
    nightscout.days[MIXED] = answer
    lake.open("1")
    with pytest.raises(error):
        lake.write(nightscout.ingestion(), MIXED)
    assert lake.catalog.pin(lake.ref).tables == {}
    nightscout.days[MIXED] = Answer(rows)
    (load,) = lake.write(nightscout.ingestion(), MIXED)
    assert load.rows_written == 1


def test_a_month_is_loaded_in_one_snapshot_with_the_counts_of_each_day(lake: Lake, nightscout: Nightscout) -> None:
    (row,) = answered("read back: one row")
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(31)]
    for n, day in enumerate(days):
        nightscout.days[day] = Answer([{**row, "_id": f"{day}-{m}"} for m in range(n)])
    loads = lake.load("1", nightscout.ingestion(), *reversed(days))
    assert [(load.partition, load.rows_written) for load in loads] == [(str(day), n) for n, day in enumerate(days)]
    assert len(lake.catalog.load("raw.readings").snapshots()) == 1


def test_real_readings_of_weeks_merge_to_the_last_of_each(lake: Lake, shared: Path) -> None:
    lines = gzip.decompress((shared / "data" / "cgm" / "dev_azt1d_s07_s15.jsonl.gz").read_bytes()).splitlines()
    days: dict[dt.date, list[dict[str, Any]]] = {}
    last: dict[str, int] = {}
    for row in map(json.loads, lines):
        days.setdefault(dt.date.fromisoformat(row["dateString"][:10]), []).append(row)
        last[row["_id"]] = row["sgv"]

    def glucose_entries(partition_date: str) -> Any:
        return days[dt.date.fromisoformat(partition_date)]

    what = ingestion(glucose_entries, unique_key=("_id",), validation_schema=RawGlucoseEntries)
    loads = lake.load("1", what, *days)
    assert (sum(load.rows_read for load in loads), len(last)) == (28_107, 26_052)
    assert sum(load.rows_written for load in loads) == 26_052
    assert sum(load.rows_rejected for load in loads) == 0
    assert dict(lake.rows("raw.readings", "_id", "sgv")) == last
