"""
Pandera schemas for nightscout domain.

This is YOUR code in YOUR project - not part of the phlo package.
"""

import pandera as pa
from pandera.typing import Series


class RawGlucoseEntries(pa.DataFrameModel):
    """
    Raw glucose entries data schema.

    Define YOUR validation rules here.
    """

    _id: Series[str] = pa.Field(
        description="Unique identifier for deduplication",
        nullable=False,
    )

    # Add your fields based on Nightscout API
    sgv: Series[int] = pa.Field(
        ge=1,
        le=1000,
        description="Sensor glucose value in mg/dL"
    )

    date: Series[int] = pa.Field(
        description="Unix timestamp in milliseconds"
    )

    dateString: Series[str] = pa.Field(
        description="ISO 8601 timestamp"
    )

    direction: Series[str] = pa.Field(
        isin=["Flat", "FortyFiveUp", "SingleUp", "DoubleUp",
              "FortyFiveDown", "SingleDown", "DoubleDown", "NONE"],
        nullable=True,
        description="Trend direction"
    )

    device: Series[str] = pa.Field(
        nullable=True,
        description="Device name"
    )

    class Config:
        strict = True
        coerce = True
