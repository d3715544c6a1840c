"""What glucose data must look like: raw as it arrives, silver one reading a row, gold one UTC day a row."""

import pandera.pandas as pa
from pandera.typing import Series

DIRECTIONS = [
    "Flat",
    "FortyFiveUp",
    "SingleUp",
    "DoubleUp",
    "FortyFiveDown",
    "SingleDown",
    "DoubleDown",
    "NONE",
    "NOT COMPUTABLE",
    "RATE OUT OF RANGE",
]


class RawGlucoseEntries(pa.DataFrameModel):
    """Sensor readings as Nightscout sends them."""

    _id: Series[str] = pa.Field(nullable=False, description="Unique identifier; a corrected reading keeps it")
    sgv: Series[int] = pa.Field(ge=1, le=1000, description="Sensor glucose value in mg/dL")
    date: Series[int] = pa.Field(description="Unix timestamp in milliseconds")
    dateString: Series[str] = pa.Field(description="ISO 8601 timestamp")
    direction: Series[str] = pa.Field(isin=DIRECTIONS, nullable=True, description="Trend direction")
    device: Series[str] = pa.Field(nullable=True, description="Device name")

    class Config:
        strict = True
        coerce = True


class FactGlucoseReadings(pa.DataFrameModel):
    """Glucose must be between 20-600 mg/dL, the hour of day 0-23, and all timestamps valid."""

    entry_id: Series[str] = pa.Field(nullable=False, unique=True, description="The reading's `_id`")
    glucose_mg_dl: Series[int] = pa.Field(ge=20, le=600, nullable=False, description="Glucose in mg/dL")
    reading_timestamp: Series[pa.DateTime] = pa.Field(nullable=False, description="When it was read, UTC")
    direction: Series[str] = pa.Field(isin=DIRECTIONS, nullable=True, description="Trend direction")
    hour_of_day: Series[int] = pa.Field(ge=0, le=23, nullable=False, description="Hour of the UTC day")
    glucose_category: Series[str] = pa.Field(
        isin=["hypoglycemia", "in_range", "hyperglycemia"], description="Below 70, 70 to 180, above 180 mg/dL"
    )
    is_in_range: Series[int] = pa.Field(isin=[0, 1], nullable=False, description="1 from 70 to 180 mg/dL")

    class Config:
        coerce = True


class FactDailyGlucoseMetrics(pa.DataFrameModel):
    """One UTC day with readings: its average, spread, and time in ranges."""

    reading_date: Series[pa.Date] = pa.Field(nullable=False, unique=True, description="UTC day")
    reading_count: Series[int] = pa.Field(ge=1, description="Readings of the day; 288 at one every 5 minutes")
    avg_glucose_mg_dl: Series[float] = pa.Field(ge=20, le=600, description="Mean glucose in mg/dL")
    median_glucose_mg_dl: Series[float] = pa.Field(ge=20, le=600, description="Median glucose in mg/dL")
    stddev_glucose_mg_dl: Series[float] = pa.Field(
        ge=0, nullable=True, description="Sample standard deviation; none from one reading"
    )
    cv_pct: Series[float] = pa.Field(ge=0, nullable=True, description="Coefficient of variation in %")
    time_below_54_pct: Series[float] = pa.Field(ge=0, le=100, description="% of readings below 54 mg/dL")
    time_below_70_pct: Series[float] = pa.Field(ge=0, le=100, description="% of readings below 70 mg/dL")
    time_in_range_pct: Series[float] = pa.Field(ge=0, le=100, description="% of readings from 70 to 180 mg/dL")
    time_above_180_pct: Series[float] = pa.Field(ge=0, le=100, description="% of readings above 180 mg/dL")
    time_above_250_pct: Series[float] = pa.Field(ge=0, le=100, description="% of readings above 250 mg/dL")
    gmi_pct: Series[float] = pa.Field(ge=0, description="Glucose management indicator in %")
    estimated_a1c_pct: Series[float] = pa.Field(ge=0, description="Estimated A1c in %")

    class Config:
        coerce = True
