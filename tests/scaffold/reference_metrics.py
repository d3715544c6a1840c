"""The reference's readings and metrics of real subjects, and what the platform calls its columns."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

METRICS = {
    "reading_count": "reading_count",
    "avg_glucose_mg_dl": "mean",
    "median_glucose_mg_dl": "median",
    "min_glucose_mg_dl": "min",
    "max_glucose_mg_dl": "max",
    "stddev_glucose_mg_dl": "sd_sample",
    "cv_pct": "cv_pct_sample",
    "time_below_70_pct": "pct_below_70",
    "time_below_54_pct": "pct_below_54",
    "time_in_range_pct": "pct_in_70_180",
    "time_above_180_pct": "pct_above_180",
    "time_above_250_pct": "pct_above_250",
    "gmi_pct": "gmi",
    "estimated_a1c_pct": "ea1c",
}
"""Columns of the models, and what the reference calls them."""


def readings(shared: Path, file: str, device: str | None = None) -> list[dict[str, Any]]:
    """The readings of a device, or of all of a file."""
    data = gzip.decompress((shared / f"data/cgm/{file}.jsonl.gz").read_bytes())
    rows = [json.loads(line) for line in data.splitlines()]
    return rows if device is None else [row for row in rows if row["device"] == device]


def reference(shared: Path, file: str, device: str) -> list[dict[str, str]]:
    with (shared / "data/expected" / file).open() as stream:
        return [row for row in csv.DictReader(stream) if row["device"] == device]
