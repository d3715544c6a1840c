"""Glucose entries from a Nightscout site, a UTC day at a time."""

from __future__ import annotations

import hashlib
import os
import re
from datetime import date, timedelta

import phlo
from dlt.sources.rest_api import rest_api_source

from workflows.schemas.nightscout import RawGlucoseEntries

BASE_URL = "https://gwp-diabetes.fly.dev/api/v1"


@phlo.ingestion(
    table_name="glucose_entries",
    unique_key="_id",
    validation_schema=RawGlucoseEntries,
    group="nightscout",
    cron="0 */1 * * *",
    freshness_hours=(1, 24),
    merge_strategy="merge",
    merge_config={"deduplication_method": "last"},
)
def glucose_entries(partition_date: str):
    """CGM readings of one UTC day; a corrected reading keeps its `_id` and replaces the earlier one."""
    next_day = date.fromisoformat(partition_date) + timedelta(days=1)
    return rest_api_source(
        {
            "client": {
                "base_url": os.environ.get("NIGHTSCOUT_BASE_URL") or BASE_URL,
                "headers": authorization(os.environ.get("NIGHTSCOUT_API_SECRET", "")),
                "paginator": "single_page",
            },
            "resources": [
                {
                    "name": "glucose_entries",
                    "endpoint": {
                        "path": "entries.json",
                        "params": {
                            # Without a count Nightscout sends 10 entries; a day has 288, some sensors have 1,440.
                            "count": 10000,
                            # Nightscout compares these as text, so both are UTC in the form it stores.
                            "find[dateString][$gte]": f"{partition_date}T00:00:00.000Z",
                            "find[dateString][$lt]": f"{next_day}T00:00:00.000Z",
                        },
                    },
                    "processing_steps": [{"filter": is_sensor_reading}],
                }
            ],
        }
    )


def is_sensor_reading(entry: dict) -> bool:
    """Tell sensor readings from finger-stick tests (mbg) and calibrations (cal), which Nightscout sends along."""
    return entry.get("type", "sgv") == "sgv"


def authorization(secret: str) -> dict[str, str]:
    """Nightscout's `api-secret` header: the SHA-1 hash of its API_SECRET; hashes and access tokens go as they are."""
    if not secret:
        return {}
    if re.fullmatch(r"[0-9a-f]{40}|.+-[0-9a-f]{16}", secret):
        return {"api-secret": secret}
    return {"api-secret": hashlib.sha1(secret.encode()).hexdigest()}
