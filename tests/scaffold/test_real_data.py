"""Real readings of each subject, through a source server and a backfill: daily and hourly metrics to 1e-6.

One subject passes through everything, dbt too. Of the others a file is loaded at once, and the same models' SQL is
asked for each: a project is one person's, and a dbt run for each would take minutes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jinja2
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

# Of each file its subjects, and how many days and hours of them the reference has values for.
FILES = [("dev_azt1d_s07_s15", 2, 98, 48), ("dev_azt1d_12subjects", 12, 509, 288)]
WHOLE = ("dev_azt1d_s07_s15", "AZT1D-S15")
DAILY, HOURLY = "gold/fct_daily_glucose_metrics", "marts_postgres/mrt_glucose_hourly_patterns"


def compare(made: list[dict[str, Any]], key: str, wanted: list[dict[str, str]], their_key: str) -> None:
    assert [str(row[key]) for row in made] == [row[their_key] for row in wanted]
    for row, expected in zip(made, wanted, strict=True):
        for ours, theirs in METRICS.items():
            if expected[theirs] == "":  # the spread of a single reading
                assert row[ours] is None
            else:
                assert row[ours] == pytest.approx(float(expected[theirs]), abs=1e-6), (row[key], ours)


def load(folder: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, *, dbt: bool) -> Lake:
    init_project("platform", folder, "glucose")
    lake = open_lake(folder / "platform")
    days = days_between(min(row["dateString"] for row in rows)[:10], max(row["dateString"] for row in rows)[:10])
    plan = make_plan(lake, (), days)
    with NightscoutServer(rows) as server:
        monkeypatch.setenv("NIGHTSCOUT_BASE_URL", server.base_url)
        backfill = plan_backfill(lake, plan if dbt else replace(plan, models=(), qualities=()))
        runs = list(run_backfill(lake, backfill, SilentReporter(), parallel=2))
    assert sum(load.rows_read for run in runs for load in run.loads) == len(rows)
    (stored,) = lake.query("SELECT count(*) AS n FROM raw.glucose_entries").to_pylist()
    assert stored["n"] == len({row["_id"] for row in rows})
    return lake


def model_of(folder: Path, name: str, device: str) -> str:
    """A model's SELECT with all that it reads inside it, down to one device's rows."""
    models = {path.stem: path for path in (folder / "platform/transforms/dbt").rglob("*.sql")}

    def rendered(name: str) -> str:
        return jinja2.Template(models[name].read_text()).render(
            config=lambda **_: "",
            is_incremental=lambda: False,
            ref=lambda other: f"({rendered(other)})",
            source=lambda _, table: f"(SELECT * FROM raw.{table} WHERE device = '{device}')",
        )

    return rendered(name.partition("/")[2])


@pytest.mark.slow
def test_metrics_of_a_subject_are_those_of_the_reference(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, device = WHOLE
    lake = load(tmp_path, readings(shared, file, device), monkeypatch, dbt=True)
    days = lake.query("SELECT * FROM gold.fct_daily_glucose_metrics ORDER BY reading_date").to_pylist()
    compare(days, "reading_date", reference(shared, f"{file}.utc_day.csv", device), "utc_day")
    hours = lake.query("SELECT * FROM marts.mrt_glucose_hourly_patterns ORDER BY hour_of_day").to_pylist()
    compare(hours, "hour_of_day", reference(shared, f"{file}.utc_hour.csv", device), "utc_hour")


@pytest.mark.slow
@pytest.mark.parametrize(("file", "subjects", "days", "hours"), FILES)
def test_metrics_of_all_subjects_are_those_of_the_reference(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, subjects: int, days: int, hours: int
) -> None:
    rows = readings(shared, file)
    lake = load(tmp_path, rows, monkeypatch, dbt=False)
    devices = sorted({row["device"] for row in rows})
    assert len(devices) == subjects
    compared = {"utc_day": 0, "utc_hour": 0}
    for device in devices:
        for model, key, their_key in ((DAILY, "reading_date", "utc_day"), (HOURLY, "hour_of_day", "utc_hour")):
            made = lake.query(f"SELECT * FROM ({model_of(tmp_path, model, device)}) ORDER BY {key}").to_pylist()
            compare(made, key, reference(shared, f"{file}.{their_key}.csv", device), their_key)
            compared[their_key] += len(made)
    assert compared == {"utc_day": days, "utc_hour": hours}
