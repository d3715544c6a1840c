"""Backfills: chunks, gaps, going on after a failure, and how far the whole is."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from phlo.backfill import plan_backfill, run_backfill
from phlo.declarations import SilentReporter
from phlo.errors import MalformedResponse
from phlo.pipeline import execute
from phlo.plan import make_plan
from phlo.profiles import open_lake
from phlo.transform.models import Model

if TYPE_CHECKING:
    from tests.conftest import Shop

    from phlo.backfill import Backfill
    from phlo.plan import Plan
    from phlo.profiles import Lake

DAYS = tuple(dt.date(2024, 1, day) for day in range(1, 7))


class Told(SilentReporter):
    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        self.messages.append(f"{done}/{total}, {rows} rows")


def plan_of(lake: Lake, *names: str) -> Plan:
    return make_plan(lake, names or ("readings", "events"), DAYS)


def load(lake: Lake, name: str, *days: dt.date) -> None:
    execute(lake, make_plan(lake, [name], days), SilentReporter())


def loads(work: Backfill) -> list[list[tuple[str, int]]]:
    return [[(ingestion.table_name, day.day) for ingestion, day in chunk.loads if day] for chunk in work.chunks]


def test_each_table_lacks_days_of_its_own_and_only_these_are_loaded(shop: Shop) -> None:
    lake = open_lake(shop.root)
    load(lake, "events", DAYS[0], DAYS[2])
    load(lake, "readings", DAYS[0])
    work = plan_backfill(lake, plan_of(lake), chunk=3)
    assert loads(work) == [
        [("readings", 2), ("readings", 3), ("readings", 4), ("events", 2), ("events", 4)],
        [("readings", 5), ("readings", 6), ("events", 5), ("events", 6)],
    ]
    assert (work.skipped, work.gaps, work.loads) == ((DAYS[0],), 1, 9)
    for _ in run_backfill(lake, work, SilentReporter()):
        pass
    assert plan_backfill(lake, plan_of(lake)).chunks == ()
    counted = shop.read("SELECT count(*) AS n, count(DISTINCT day) AS days FROM raw.events")
    assert counted == [{"n": 60, "days": 6}]
    assert sorted(len(publish.loads) for publish in lake.catalog.publishes()) == [1, 2, 4, 5]


@pytest.mark.slow
def test_force_loads_everything_again(shop: Shop) -> None:
    lake = open_lake(shop.root)
    load(lake, "events", *DAYS)
    assert plan_backfill(lake, plan_of(lake, "events")).chunks == ()
    assert loads(plan_backfill(lake, plan_of(lake, "events"), force=True)) == [[("events", day.day) for day in DAYS]]


def test_models_run_once_with_the_last_chunk_also_when_all_days_are_there(shop: Shop) -> None:
    lake = open_lake(shop.root)
    model = Model("daily", "gold.daily", "model.shop.daily", "model", "table", "daily.sql")
    plan = replace(plan_of(lake, "events"), models=(model,))
    assert [chunk.models for chunk in plan_backfill(lake, plan, chunk=2).chunks] == [(), (), (model,)]
    load(lake, "events", *DAYS)
    (only,) = plan_backfill(lake, plan, chunk=2).chunks
    assert (only.loads, only.models) == ((), (model,))


def test_it_goes_on_with_the_chunk_that_failed(shop: Shop) -> None:
    for day in DAYS:
        shop.deliver(str(day), [{"id": str(day)}])
    broken = shop.root / "source" / f"{DAYS[3]}.json"
    broken.write_text("{")
    lake = open_lake(shop.root)
    runs = run_backfill(lake, plan_backfill(lake, plan_of(lake, "readings"), chunk=2), SilentReporter())
    next(runs)
    with pytest.raises(MalformedResponse):
        next(runs)
    assert [row["id"] for row in shop.read("SELECT id FROM raw.readings ORDER BY id")] == [str(d) for d in DAYS[:2]]
    shop.deliver(str(DAYS[3]), [{"id": str(DAYS[3])}])
    work = plan_backfill(lake, plan_of(lake, "readings"), chunk=2)
    assert work.days == DAYS[2:]
    assert len(list(run_backfill(lake, work, SilentReporter(), parallel=2))) == 2
    assert len(shop.read("SELECT id FROM raw.readings")) == 6


def test_progress_is_that_of_the_whole(shop: Shop) -> None:
    lake, told = open_lake(shop.root), Told()
    for _ in run_backfill(lake, plan_backfill(lake, plan_of(lake, "events"), chunk=4), told):
        pass
    assert [message for message in told.messages if "rows" in message] == [
        f"{done}/6, {done}0 rows" for done in range(1, 7)
    ]
    assert "chunk 2 of 2: 2024-01-05 to 2024-01-06" in told.messages


@pytest.mark.slow
def test_a_chunk_is_one_publish_and_one_snapshot(shop: Shop) -> None:
    lake = open_lake(shop.root)
    list(run_backfill(lake, plan_backfill(lake, plan_of(lake, "events"), chunk=3), SilentReporter(), parallel=3))
    assert len(lake.catalog.publishes()) == 2
    assert len(lake.catalog.load("raw.events").snapshots()) == 2


@pytest.mark.slow
def test_the_command_says_what_it_fills(shop: Shop) -> None:
    lake = open_lake(shop.root)
    load(lake, "events", DAYS[0], DAYS[1])
    load(lake, "readings", DAYS[1])
    arguments = ["backfill", "readings", "events", "--start-date", "2024-01-01", "--end-date", "2024-01-06"]
    dry = shop.call(*arguments, "--chunk", "3", "--dry-run", "--json").records
    assert [(step["table"], step["how"]) for step in dry if step["step"] == "load"] == [
        ("raw.readings", "merge, 2024-01-01 to 2024-01-04, 3 days"),
        ("raw.events", "append, 2024-01-03 to 2024-01-04, 2 days"),
        ("raw.readings", "merge, 2024-01-05 to 2024-01-06, 2 days"),
        ("raw.events", "append, 2024-01-05 to 2024-01-06, 2 days"),
    ]
    done = shop.call(*arguments, "--chunk", "3")
    assert "Skipping 1 day already published" in done.err
    assert "Filling gaps: 1 load of other days is published." in done.err
    assert "⚡ Backfilling readings events: 5 days..." in done.err


def test_a_plain_line_of_progress_has_the_speed_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    from phlo.cli.render import ConsoleReporter

    reporter = ConsoleReporter()
    reporter.started -= dt.timedelta(seconds=10)
    reporter.progress("extracting", 20, 40, 5_000)
    said = capsys.readouterr().err
    assert said.startswith("extracting: 20/40, 5,000 rows, ")
    assert "rows/s, 10 s left" in said


@pytest.mark.parametrize(("run_id", "left_out"), [("20240101-235000-aaaa", False), ("20240102-000500-aaaa", True)])
def test_a_day_whose_source_was_asked_before_it_was_over_is_loaded_again(
    shop: Shop, run_id: str, left_out: bool
) -> None:
    """Whenever it was published: rows of its last minutes came after the source was asked."""
    lake = open_lake(shop.root)
    execute(lake, make_plan(lake, ["events"], [DAYS[0]]), SilentReporter(), run_id=run_id)
    assert (DAYS[0] in plan_backfill(lake, plan_of(lake, "events")).skipped) == left_out
