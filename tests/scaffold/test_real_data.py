"""Real readings, subject by subject, through a source server and a backfill: daily and hourly metrics to 1e-6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reference_metrics import METRICS, readings, reference

from phlo.backfill import plan_backfill, run_backfill
from phlo.declarations import SilentReporter
from phlo.plan import days_between, make_plan
from phlo.profiles import open_lake
from phlo.scaffold.init import init_project
from phlo.scaffold.nightscout_server import NightscoutServer

if TYPE_CHECKING:
    from pathlib import Path

    from phlo.profiles import Lake

SUBJECTS = [
    ("dev_azt1d_s07_s15", "AZT1D-S7"),
    ("dev_azt1d_s07_s15", "AZT1D-S15"),
    ("dev_azt1d_12subjects", "AZT1D-S1"),
]


def compare(made: list[dict[str, Any]], key: str, wanted: list[dict[str, str]], their_key: str) -> None:
    assert [str(row[key]) for row in made] == [row[their_key] for row in wanted]
    for row, expected in zip(made, wanted, strict=True):
        for ours, theirs in METRICS.items():
            if expected[theirs] == "":  # the spread of a single reading
                assert row[ours] is None
            else:
                assert row[ours] == pytest.approx(float(expected[theirs]), abs=1e-6), (row[key], ours)


def load(folder: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Lake:
    init_project("platform", folder, "glucose")
    lake = open_lake(folder / "platform")
    days = days_between(min(row["dateString"] for row in rows)[:10], max(row["dateString"] for row in rows)[:10])
    with NightscoutServer(rows) as server:
        monkeypatch.setenv("NIGHTSCOUT_BASE_URL", server.base_url)
        backfill = plan_backfill(lake, make_plan(lake, (), days))
        runs = list(run_backfill(lake, backfill, SilentReporter(), parallel=2))
    assert sum(load.rows_read for run in runs for load in run.loads) == len(rows)
    return lake


@pytest.mark.slow
@pytest.mark.parametrize(("file", "device"), SUBJECTS)
def test_metrics_of_a_subject_are_those_of_the_reference(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, device: str
) -> None:
    rows = readings(shared, file, device)
    lake = load(tmp_path, rows, monkeypatch)
    days = lake.query("SELECT * FROM gold.fct_daily_glucose_metrics ORDER BY reading_date").to_pylist()
    compare(days, "reading_date", reference(shared, f"{file}.utc_day.csv", device), "utc_day")
    hours = lake.query("SELECT * FROM marts.mrt_glucose_hourly_patterns ORDER BY hour_of_day").to_pylist()
    compare(hours, "hour_of_day", reference(shared, f"{file}.utc_hour.csv", device), "utc_hour")
    (stored,) = lake.query("SELECT count(*) AS n FROM raw.glucose_entries").to_pylist()
    assert stored["n"] == len({row["_id"] for row in rows})
