"""What a backfill costs: 90 days of 288 rows, by Phlo and by a plain dlt pipeline into its Iceberg destination.

Both read the same rows and merge them by their id; libraries are imported, and one day is loaded, before the clock
starts. Phlo also validates every row, records each load and publishes the whole range (in chunks of 31 days).
"""

from __future__ import annotations

import os
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Clock, Table, child, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, ROWS = date(2024, 1, 1), 288
SUBJECTS = {
    "phlo": "phlo backfill",
    "dlt": "dlt pipeline, a run for each day",
    "dlt-once": "dlt pipeline, one run for all days",
}
WORKFLOW = """
import pandera.pandas as pa

import phlo
from benchmarks.backfill import rows


class Reading(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=1, le=600)
    at: str


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def readings(partition_date: str):
    return rows(partition_date)
"""


def tables(quick: bool) -> Iterator[Table]:
    """One table."""
    days = 3 if quick else 90
    found: dict[str, dict[str, float]] = {}
    for subject in SUBJECTS:
        with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
            found[subject] = child("backfill", "measure", folder=folder, subject=subject, days=days)
    lines = [
        (
            label,
            took["cpu"],
            ratio(took["cpu"], found["phlo"]["cpu"]),
            took["wall"],
            round(took["peak"]),
            took["written"],
        )
        for subject, label in SUBJECTS.items()
        for took in [found[subject]]
    ]
    head = ("", "CPU s", "× Phlo", "wall s", "peak MB", "MB written")
    yield Table(
        f"Backfill of {days} days of {ROWS} rows", "Merged by id; each day is extracted on its own.", head, lines
    )


def rows(day: str) -> list[dict[str, Any]]:
    """A day's rows, as an API gives them."""
    return [
        {"id": f"{day}-{n:03}", "sgv": 60 + n % 200, "at": f"{day}T{n * 5 // 60:02}:{n * 5 % 60:02}:00Z"}
        for n in range(ROWS)
    ]


def measure(folder: str, subject: str, days: int) -> dict[str, Any]:
    """Load a day, then the range after it; count the rows that are there."""
    load, count = (_phlo if subject == "phlo" else _dlt)(Path(folder))
    wanted = [(FIRST + timedelta(number)).isoformat() for number in range(days + 1)]
    load(wanted[:1])
    parts = [[day] for day in wanted[1:]] if subject == "dlt" else [wanted[1:]]
    with Clock(Path(folder)) as clock:
        for part in parts:
            load(part)
    assert count() == ROWS * (days + 1), count()
    return clock.took


def _phlo(folder: Path) -> Any:
    from phlo.backfill import plan_backfill, run_backfill
    from phlo.declarations import SilentReporter
    from phlo.plan import days_between, make_plan
    from phlo.profiles import open_lake

    (folder / "workflows").mkdir()
    (folder / "workflows" / "bench.py").write_text(WORKFLOW)
    (folder / "pyproject.toml").write_text('[project]\nname = "bench"\nversion = "1"\n\n[tool.phlo]\n')
    lake = open_lake(folder)

    def load(days: list[str]) -> None:
        plan = make_plan(lake, (), days_between(days[0], days[-1]))
        list(run_backfill(lake, plan_backfill(lake, plan), SilentReporter(), parallel=2))

    return load, lambda: lake.query("SELECT count(*) AS n FROM raw.readings")["n"][0].as_py()


def _dlt(folder: Path) -> Any:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt

    destination = dlt.destinations.filesystem(bucket_url=f"file://{folder}/lake")
    pipeline = dlt.pipeline(
        "bench", destination=destination, dataset_name="raw", pipelines_dir=str(folder / "pipelines")
    )

    @dlt.resource(
        name="readings",
        primary_key="id",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        table_format="iceberg",
    )
    def readings(days: list[str]) -> Any:
        for day in days:
            yield rows(day)

    return lambda days: pipeline.run(readings(days)), lambda: _iceberg_rows(folder / "lake")


def _iceberg_rows(folder: Path) -> int:
    from pyiceberg.table import StaticTable

    newest = max(folder.rglob("readings/metadata/*.metadata.json"), key=lambda file: file.stat().st_mtime_ns)
    return StaticTable.from_metadata(str(newest)).scan().count()
