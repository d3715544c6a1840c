"""Glucose entries: what is accepted, what is rejected, and what is asked of the site."""

from __future__ import annotations

import pytest
from phlo.scaffold.nightscout_server import NightscoutServer
from phlo.testing import run_ingestion, temporary_lake, validate

from workflows.ingestion.nightscout.readings import authorization, glucose_entries
from workflows.schemas.nightscout import RawGlucoseEntries

ENTRY = {
    "_id": "65ab0c1de9a1b2c3d4e5f601",
    "type": "sgv",
    "sgv": 110,
    "date": 1705708800000,
    "dateString": "2024-01-20T00:00:00.000Z",
    "direction": "Flat",
    "device": "share2",
}


def test_an_entry_is_accepted_and_fields_of_uploaders_are_left_out():
    result = validate(RawGlucoseEntries, [{**ENTRY, "noise": 1, "utcOffset": 0}])
    assert result.rejected == []
    assert result.good == [{name: value for name, value in ENTRY.items() if name != "type"}]


@pytest.mark.parametrize("field", ["direction", "device"])
def test_some_fields_may_be_missing(field):
    assert validate(RawGlucoseEntries, [{**ENTRY, field: None}]).rejected == []


def test_old_uploaders_send_text():
    assert validate(RawGlucoseEntries, [{**ENTRY, "sgv": "110"}]).good[0]["sgv"] == 110


@pytest.mark.parametrize(
    ("field", "value"),
    [("_id", None), ("sgv", None), ("sgv", "LOW"), ("sgv", 0), ("sgv", 5000), ("direction", "Sideways")],
)
def test_a_bad_value_rejects_its_row_alone(field, value):
    result = validate(RawGlucoseEntries, [{**ENTRY, field: value}, ENTRY])
    assert [each.columns for each in result.rejected] == [(field,)]
    assert len(result.good) == 1


def test_a_correction_replaces_its_entry():
    with temporary_lake() as lake:
        run_ingestion(glucose_entries, rows=[ENTRY, {**ENTRY, "_id": "other"}], lake=lake)
        corrected = run_ingestion(glucose_entries, rows=[{**ENTRY, "sgv": 99}], lake=lake)
    assert sorted(row["sgv"] for row in corrected.rows) == [99, 110]
    assert (corrected.load.rows_written, corrected.load.rows_updated) == (0, 1)


def test_the_site_is_asked_for_sensor_readings_of_one_day(monkeypatch):
    before = {**ENTRY, "_id": "before", "date": 1705708799000, "dateString": "2024-01-19T23:59:59.000Z"}
    last = {**ENTRY, "_id": "last", "date": 1705795199999, "dateString": "2024-01-20T23:59:59.999Z"}
    finger_stick = {**ENTRY, "_id": "mbg", "type": "mbg", "sgv": None, "mbg": 105}
    with NightscoutServer([before, ENTRY, last, finger_stick], secret="my secret", public=False) as site:
        monkeypatch.setenv("NIGHTSCOUT_BASE_URL", site.base_url)
        monkeypatch.setenv("NIGHTSCOUT_API_SECRET", "my secret")
        loaded = run_ingestion(glucose_entries, "2024-01-20")
    assert sorted(row["_id"] for row in loaded.rows) == [ENTRY["_id"], "last"]
    assert loaded.rejected == []


def test_the_secret_is_sent_as_its_hash():
    hashed = authorization("my secret")["api-secret"]
    assert len(hashed) == 40
    assert authorization(hashed) == {"api-secret": hashed}
    assert authorization("reader-0123456789abcdef") == {"api-secret": "reader-0123456789abcdef"}
    assert authorization("") == {}
