"""Loads on their way: read while the source delivers, in order, with the source's own error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pandera.pandas as pa
import pyarrow
import pytest
from loading import DAY, Lake, ingestion

from phlo.declarations import SilentReporter
from phlo.errors import SourceFunctionFailed, TooManyRejected
from phlo.load.arrivals import Arrival, arriving
from phlo.load.stage import open_staged
from phlo.load.write import write_loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from phlo.declarations import Ingestion


class Reading(pa.DataFrameModel):
    n: int = pa.Field(ge=0)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.load.stage.PART", 1)
    monkeypatch.setattr("phlo.load.stage.FLUSH", 1)


def one(what: Ingestion, folder: Path) -> Any:
    return arriving([(what, DAY)], "1", folder, SilentReporter(), 1)


def numbers(arrival: Arrival) -> Iterator[int]:
    for _, batch in arrival.batches(10):
        yield from batch["n"].to_pylist()


def two_pages(between: Callable[[], object]) -> Ingestion:
    """A source that does something after its first page."""

    def function(partition_date: str) -> Iterator[Any]:
        yield pyarrow.table({"n": [1, 2]})
        yield pyarrow.table({"n": [3]})
        between()
        yield pyarrow.table({"n": [4]})

    return ingestion(function, validation_schema=Reading)


def test_a_page_is_read_before_the_source_has_delivered_the_next(tmp_path: Path) -> None:
    read = threading.Event()
    with one(two_pages(lambda: read.wait(10)), tmp_path) as by_table:
        (arrival,) = by_table["readings"]
        found = numbers(arrival)
        assert next(found) == 1
        assert open_staged(arrival.folder) is None
        read.set()
        assert list(found) == [2, 3, 4]
        assert list(numbers(arrival)) == [1, 2, 3, 4]
    staged = open_staged(arrival.folder)
    assert staged is not None
    assert (staged.rows, staged.staged_at) == (4, arrival.staged_at)


def test_rows_are_judged_while_the_source_delivers(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = threading.Event()
    from phlo.load.validate import Judge

    cast = Judge.cast
    monkeypatch.setattr(Judge, "cast", lambda *args: (cast(*args), judged.set())[0])
    waited: list[bool] = []
    what = two_pages(lambda: waited.append(judged.wait(10)))
    lake.open("1")
    with one(what, lake.folder / "staging") as by_table:
        (load,) = write_loads(what, by_table["readings"], lake.engine, lake.catalog, lake.ref)
    assert waited == [True]
    assert (load.rows_read, load.rows_written) == (4, 4)


def test_a_source_that_fails_after_some_pages_fails_the_load_and_leaves_nothing(lake: Lake) -> None:
    def gone() -> None:
        raise RuntimeError("gone")

    what = two_pages(gone)
    lake.open("1")
    with (
        pytest.raises(SourceFunctionFailed, match="RuntimeError: gone"),
        one(what, lake.folder / "staging") as by_table,
    ):
        write_loads(what, by_table["readings"], lake.engine, lake.catalog, lake.ref)
    assert "raw.readings" not in lake.catalog.pin(lake.ref).tables
    assert list((lake.folder / "staging" / "readings").iterdir()) == []


def test_a_run_that_has_ended_stops_its_sources(tmp_path: Path) -> None:
    began, ended = threading.Event(), threading.Event()

    def endless(partition_date: str) -> Iterator[Any]:
        try:
            while True:
                yield pyarrow.table({"n": [1]})
                began.set()
        finally:
            ended.set()

    with one(ingestion(endless), tmp_path):
        assert began.wait(10)
    assert ended.wait(10)


def test_a_stage_that_is_there_is_read_and_its_source_not_asked(tmp_path: Path) -> None:
    calls: list[int] = []
    what = two_pages(lambda: calls.append(1))
    for _ in range(2):
        with one(what, tmp_path) as by_table:
            assert list(numbers(by_table["readings"][0])) == [1, 2, 3, 4]
    assert calls == [1]


def test_loads_arrive_by_table_in_the_order_they_were_asked_for_and_are_told_of(tmp_path: Path) -> None:
    class Told(SilentReporter):
        def progress(self, task: str, done: int, total: int, rows: int) -> None:
            self.messages.append(f"{task} {done}/{total} {rows}")

    reporter = Told()
    what = ingestion(rows={"2024-01-20": [{"n": 1}], "2024-01-21": [{"n": 1}, {"n": 2}]})
    days = [DAY, DAY.replace(day=21)]
    with arriving([(what, day) for day in days], "1", tmp_path, reporter, 2) as by_table:
        assert [arrival.partition for arrival in by_table["readings"]] == days
        assert [sum(1 for _ in arrival.batches(1)) for arrival in by_table["readings"]] == [1, 2]
    assert reporter.messages[-1] == "extracting 2/2 3"


def test_too_many_rejected_rows_are_found_on_their_way_too(lake: Lake) -> None:
    what = ingestion(rows=pyarrow.table({"n": [-1] * 30}), validation_schema=Reading)
    lake.open("1")
    with pytest.raises(TooManyRejected), one(what, lake.folder / "staging") as by_table:
        write_loads(what, by_table["readings"], lake.engine, lake.catalog, lake.ref)
    assert len(lake.rows("rejected.readings", "row", ref=lake.ref)) == 30
