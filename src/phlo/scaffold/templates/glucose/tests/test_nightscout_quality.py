"""The checks let good readings pass and stop bad ones."""

from __future__ import annotations

from datetime import datetime

import pytest
from phlo.testing import check_rows

from workflows.quality.nightscout import glucose_readings_quality

READING = {
    "entry_id": "a",
    "glucose_mg_dl": 110,
    "reading_timestamp": datetime(2024, 1, 20, 12),
    "direction": "Flat",
    "hour_of_day": 12,
    "glucose_category": "in_range",
    "is_in_range": 1,
}


def test_good_readings_pass():
    results = check_rows(glucose_readings_quality, [READING, {**READING, "entry_id": "b", "direction": None}])
    assert [result.name for result in results if not result.passed] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("glucose_mg_dl", 601),
        ("glucose_mg_dl", 19),
        ("reading_timestamp", None),
        ("hour_of_day", 24),
        ("glucose_category", "high"),
        ("is_in_range", 2),
    ],
)
def test_a_bad_value_fails_a_check(column, value):
    rows = [READING, {**READING, "entry_id": "b", column: value}]
    assert [result for result in check_rows(glucose_readings_quality, rows) if not result.passed]


def test_a_reading_may_be_there_only_once():
    assert [result for result in check_rows(glucose_readings_quality, [READING, READING]) if not result.passed]
