"""The models, from raw entries to the marts, on a handful of readings whose numbers can be worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from phlo.testing import materialize

VALUES = {"2024-01-20": [40, 60, 100, 180, 181, 300], "2024-01-21": [120]}


def entries(partition_date):
    """One reading an hour; the last one is an error code of the sensor."""
    start = datetime.fromisoformat(partition_date).replace(tzinfo=UTC)
    return [
        {
            "_id": f"{partition_date} {hour}",
            "sgv": value,
            "date": int(start.timestamp() + 3600 * hour) * 1000,
            "dateString": f"{partition_date}T{hour:02d}:00:00.000Z",
            "direction": None,
            "device": "share2",
        }
        for hour, value in enumerate([*VALUES[partition_date], 5])
    ]


@pytest.fixture
def run(project_lake):
    materialize(project_lake, "glucose_entries+", partition_date=list(VALUES), rows={"glucose_entries": entries})
    return lambda sql: project_lake.query(sql).to_pylist()


def test_metrics_of_days_and_hours(run):
    first, second = run("select * from gold.fct_daily_glucose_metrics order by reading_date")
    assert (first["reading_date"], first["reading_count"]) == (date(2024, 1, 20), 6)
    assert first["avg_glucose_mg_dl"] == pytest.approx(143.5)
    assert first["median_glucose_mg_dl"] == pytest.approx(140)
    assert first["stddev_glucose_mg_dl"] == pytest.approx(96.7548, abs=1e-4)
    assert first["cv_pct"] == pytest.approx(67.4250, abs=1e-4)
    shares = ("time_below_54_pct", "time_below_70_pct", "time_in_range_pct", "time_above_180_pct", "time_above_250_pct")
    assert [round(first[share] * 6 / 100) for share in shares] == [1, 2, 2, 2, 1]
    assert first["gmi_pct"] == pytest.approx(6.74252)
    assert first["estimated_a1c_pct"] == pytest.approx((143.5 + 46.7) / 28.7)
    assert (second["median_glucose_mg_dl"], second["stddev_glucose_mg_dl"], second["cv_pct"]) == (120, None, None)

    overview = run("select * from marts.mrt_glucose_overview order by reading_date")
    both = (first["estimated_a1c_pct"] + second["estimated_a1c_pct"]) / 2
    assert overview[1]["estimated_a1c_7d_avg"] == pytest.approx(both)
    assert [day["high_variability_days_7d"] for day in overview] == [1, 1]

    hours = run("select * from marts.mrt_glucose_hourly_patterns order by hour_of_day")
    assert [hour["reading_count"] for hour in hours] == [2, 1, 1, 1, 1, 1]
    assert hours[0]["avg_glucose_mg_dl"] == 80

    readings = run("select glucose_category, count(*) as n from silver.fct_glucose_readings group by 1 order by 1")
    assert [row["n"] for row in readings] == [2, 2, 3]  # hyperglycemia, hypoglycemia, in_range
