"""The glucose template as a whole: real readings in, the reference metrics out, the same on a second run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from reference_metrics import METRICS, readings, reference

from phlo.declarations import SilentReporter
from phlo.pipeline import Run, execute
from phlo.plan import days_between, make_plan
from phlo.profiles import Lake, open_lake
from phlo.scaffold.init import init_project
from phlo.scaffold.nightscout_server import NightscoutServer
from phlo.transform.lineage import Column, read_lineage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEVICE = "AZT1D-S15"  # with duplicate times, corrected values and day boundaries that matter
DAYS = ("2024-01-20", "2024-02-05")


@dataclass
class Platform:
    """The platform after everything ran, and its ingestion once more, for a site that repeats and corrects readings."""

    lake: Lake
    site: NightscoutServer
    runs: list[Run]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.lake.query(sql).to_pylist()
        return found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    shared: Path = request.getfixturevalue("shared")
    rows = readings(shared, "dev_azt1d_s07_s15", DEVICE)
    root = tmp_path_factory.mktemp("platform") / "glucose-platform"
    init_project(root.name, root.parent, "glucose")
    lake = open_lake(root)
    with NightscoutServer(rows) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTSCOUT_BASE_URL", server.base_url)
        days = days_between(*DAYS)
        plans = [make_plan(lake, (), days), make_plan(lake, ["glucose_entries"], days)]
        runs = [execute(lake, plan, SilentReporter(), parallel=2) for plan in plans]
        yield Platform(lake, server, runs)


def test_daily_metrics_are_those_of_the_reference(platform: Platform, shared: Path) -> None:
    made = platform.rows("select * from gold.fct_daily_glucose_metrics order by reading_date")
    wanted = [
        row
        for row in reference(shared, "dev_azt1d_s07_s15.utc_day.csv", DEVICE)
        if DAYS[0] <= row["utc_day"] <= DAYS[1]
    ]
    assert [str(row["reading_date"]) for row in made] == [row["utc_day"] for row in wanted]
    for row, expected in zip(made, wanted, strict=True):
        for ours, theirs in METRICS.items():
            assert row[ours] == pytest.approx(float(expected[theirs]), abs=2e-9), (row["reading_date"], ours)


def test_every_column_of_every_model_is_traced_to_the_readings_as_they_came(platform: Platform) -> None:
    found = read_lineage(platform.lake)
    assert {name: model.reason for name, model in found.models.items() if model.reason} == {}
    mean = found.origins("gold.fct_daily_glucose_metrics", "avg_glucose_mg_dl")
    assert [str(column) for column in mean] == ["raw.glucose_entries.sgv"]
    ends = {
        each.table for name, model in found.models.items() for c in model.columns for each in found.origins(name, c)
    }
    assert ends == {"raw.glucose_entries"}
    assert Column("marts.mrt_glucose_overview", "avg_glucose_mg_dl") in found.uses("raw.glucose_entries", "sgv")


def test_hours_add_up_to_the_days(platform: Platform) -> None:
    hours = platform.rows("select * from marts.mrt_glucose_hourly_patterns order by hour_of_day")
    assert [row["hour_of_day"] for row in hours] == list(range(24))
    mean = "avg(cast(glucose_mg_dl as double))"
    (total,) = platform.rows(f"select count(*) as n, {mean} as mean from silver.fct_glucose_readings")
    assert sum(row["reading_count"] for row in hours) == total["n"]
    weighted = sum(row["reading_count"] * row["avg_glucose_mg_dl"] for row in hours) / total["n"]
    assert weighted == pytest.approx(total["mean"])


def test_corrected_readings_have_their_last_value(platform: Platform) -> None:
    sql = "select \"dateString\", sgv from raw.glucose_entries where \"dateString\" in ('{}', '{}') order by 1"
    rows = platform.rows(sql.format("2024-01-21T21:06:09.000Z", "2024-02-04T13:56:00.000Z"))
    assert [row["sgv"] for row in rows] == [239, 103]


def test_a_second_run_changes_no_row(platform: Platform) -> None:
    first, second = platform.runs
    assert sum(load.rows_written for load in first.loads) > 4000
    assert [(load.rows_written, load.rows_updated) for load in second.loads] == [(0, 0)] * 17
    assert not [load for load in (*first.loads, *second.loads) if load.rows_rejected]


def test_all_checks_ran_on_all_tables(platform: Platform) -> None:
    run = platform.runs[0]
    assert all(result.passed for result in run.checks)
    assert len({result.table for result in run.checks}) == 3
    assert run.transformed is not None
    assert len(run.transformed.models) == 5


def test_seven_day_averages_take_the_days_there_are(platform: Platform) -> None:
    rows = platform.rows("select * from marts.mrt_glucose_overview order by reading_date")
    for position, row in enumerate(rows):
        week = rows[max(0, position - 6) : position + 1]
        mean = sum(day["estimated_a1c_pct"] for day in week) / len(week)
        assert row["estimated_a1c_7d_avg"] == pytest.approx(mean)
        assert row["high_variability_days_7d"] == sum(day["cv_pct"] > 40 for day in week)


def test_the_documented_columns_are_there(platform: Platform) -> None:
    columns = "reading_date, avg_glucose_mg_dl, time_in_range_pct, estimated_a1c_7d_avg"
    sql = f"select {columns} from marts.mrt_glucose_overview"
    assert len(platform.rows(f"{sql} where time_in_range_pct >= 70 order by reading_date desc limit 30")) > 5


def test_a_correction_replaces_its_reading_and_a_bad_one_leaves_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSCOUT_BASE_URL", platform.site.base_url)
    day = "2024-01-22"
    stored = f"select sgv from raw.glucose_entries where partition_date = date '{day}' order by date"
    before = platform.rows(stored)
    better, worse = platform.site.entries.find({"dateString": {"$gte": day, "$lt": "2024-01-23"}}, 2, 0)
    platform.site.put([{**better, "sgv": better["sgv"] + 9}, {**worse, "sgv": "LOW"}])
    plan = make_plan(platform.lake, ["glucose_entries"], days_between(day, day))
    run = execute(platform.lake, plan, SilentReporter())
    assert [(load.rows_written, load.rows_updated, load.rows_rejected) for load in run.loads] == [(0, 1, 1)]
    pairs = zip(before, platform.rows(stored), strict=True)
    assert [(old["sgv"], new["sgv"]) for old, new in pairs if old != new] == [(better["sgv"], better["sgv"] + 9)]
