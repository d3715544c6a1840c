"""Checks of the glucose tables. A blocking check that fails keeps the run from being published."""

from __future__ import annotations

import phlo
from phlo.quality import NullCheck, RangeCheck, SchemaCheck, UniqueCheck

from workflows.schemas.nightscout import FactDailyGlucoseMetrics, FactGlucoseReadings


@phlo.quality(
    table="raw.glucose_entries",
    checks=[
        NullCheck(columns=["_id", "sgv", "date"]),
        UniqueCheck(columns=["_id"]),
    ],
    group="nightscout",
    blocking=True,
)
def glucose_entries_quality():
    """Each entry is there once, with a value and a time."""


@phlo.quality(
    table="silver.fct_glucose_readings",
    checks=[
        NullCheck(columns=["glucose_mg_dl", "reading_timestamp"]),
        RangeCheck(column="glucose_mg_dl", min_value=20, max_value=600),
        SchemaCheck(schema=FactGlucoseReadings),
    ],
    group="nightscout",
    blocking=True,
)
def glucose_readings_quality():
    """Readings are plausible glucose values at a known time."""


@phlo.quality(
    table="gold.fct_daily_glucose_metrics",
    checks=[
        RangeCheck(column="time_in_range_pct", min_value=0, max_value=100),
        SchemaCheck(schema=FactDailyGlucoseMetrics),
    ],
    group="nightscout",
    blocking=True,
)
def daily_glucose_metrics_quality():
    """Daily metrics are complete and possible."""
