"""Synthetic readings are plausible, faulty in known ways, and the same everywhere."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import statistics
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from phlo.scaffold.synthetic_cgm import INVALID, Entry, corrected, entries, to_jsonl

START = dt.date(2024, 1, 1)
MONTH = entries(START, 30)
READINGS = [row for row in MONTH if row["type"] == "sgv"]
VALUES = [row["sgv"] for row in READINGS if isinstance(row["sgv"], int) and row["sgv"] <= 400]


def invalid(row: Entry) -> bool:
    return any(row.get(field) == value for field, value in INVALID)


def test_the_same_seed_gives_the_same_bytes_on_every_machine() -> None:
    wanted = "3c943fc026316e7b38b17bfe540e5c4561f47b7cae967e22ff18a176265ee82a"
    assert hashlib.sha256(to_jsonl(MONTH)).hexdigest() == wanted


def test_another_process_with_another_hash_seed_makes_the_same() -> None:
    code = (
        "import datetime as d, hashlib; from phlo.scaffold.synthetic_cgm import *;"
        "print(hashlib.sha256(to_jsonl(entries(d.date(2024, 1, 1), 3))).hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": "5"}, capture_output=True, text=True)
    assert found.stdout.strip() == hashlib.sha256(to_jsonl(entries(START, 3))).hexdigest()


def test_another_seed_gives_another_person() -> None:
    other = entries(START, 1, seed=8)
    assert [row.get("sgv") for row in other] != [row.get("sgv") for row in MONTH[: len(other)]]
    assert not {row["_id"] for row in other} & {row["_id"] for row in MONTH}


def test_a_day_is_the_same_whatever_range_it_is_asked_for_in() -> None:
    days = {"2024-01-05", "2024-01-06"}
    assert entries(dt.date(2024, 1, 5), 2) == [row for row in MONTH if row["dateString"][:10] in days]
    assert entries(START, 0) == []


def test_a_day_stays_within_its_utc_day_and_runs_forward() -> None:
    for offset in range(30):
        rows = entries(START + dt.timedelta(days=offset), 1)
        assert {row["dateString"][:10] for row in rows} == {str(START + dt.timedelta(days=offset))}
        assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)


def test_glucose_moves_as_it_does_in_people_with_diabetes() -> None:
    share = {limit: sum(value > limit for value in VALUES) / len(VALUES) for limit in (69, 180, 250)}
    assert 120 < statistics.mean(VALUES) < 170
    assert 20 < 100 * statistics.stdev(VALUES) / statistics.mean(VALUES) < 40
    assert 0.6 < share[69] - share[180] < 0.9  # time in range
    assert 0.005 < 1 - share[69] < 0.05  # lows
    assert 0.005 < share[250] < 0.06
    assert min(VALUES) >= 40


def test_meals_and_dawn_show_in_the_course_of_the_day() -> None:
    hours: dict[int, list[int]] = {hour: [] for hour in range(24)}
    for row in READINGS:
        if row["sgv"] in VALUES and isinstance(row["sgv"], int):
            hours[int(row["dateString"][11:13])].append(row["sgv"])
    mean = {hour: statistics.mean(values) for hour, values in hours.items()}
    assert mean[2] < mean[4] < mean[6]
    assert mean[8] > mean[11] < mean[13]
    assert mean[20] > mean[22] + 40


def test_neighbours_differ_by_little() -> None:
    steps = [abs(b - a) for a, b in itertools.pairwise(VALUES)]
    assert statistics.median(steps) <= 5
    assert sorted(steps)[int(len(steps) * 0.999)] < 40


def test_directions_follow_the_rate_of_change() -> None:
    rows = [row for row in entries(dt.date(2024, 1, 11), 1) if row["type"] == "sgv" and isinstance(row["sgv"], int)]
    assert rows[0]["direction"] == "NONE"
    for before, after in itertools.pairwise(rows):
        minutes = (after["date"] - before["date"]) / 60_000
        if 0 < minutes < 15 and not invalid(after) and after["sgv"] <= 400:
            rate = (after["sgv"] - before["sgv"]) / minutes
            rising = after["direction"].endswith("Up")
            assert (after["direction"] == "Flat") == (abs(rate) <= 1), (before, after)
            assert rising == (rate > 1)


def test_gaps_and_sensor_changes_leave_readings_out() -> None:
    times = sorted({row["date"] for row in READINGS})
    gaps = [(after - before) / 60_000 for before, after in itertools.pairwise(times)]
    assert sum(gap > 10 for gap in gaps) >= 10
    assert any(115 <= gap <= 215 for gap in gaps)  # a sensor's warm-up
    assert Counter(row["direction"] for row in READINGS)["NOT COMPUTABLE"] >= 10


def test_duplicates_share_an_id_and_a_time_and_some_change_their_value() -> None:
    held: dict[str, list[Any]] = {}
    for row in READINGS:
        held.setdefault(row["_id"], []).append((row["date"], row["sgv"]))
    repeated = [rows for rows in held.values() if len(rows) > 1]
    assert len(repeated) >= 20
    assert all(len({date for date, _ in rows}) == 1 for rows in repeated)
    assert any(len({value for _, value in rows}) > 1 for rows in repeated)


@pytest.mark.parametrize(("field", "value"), INVALID)
def test_every_kind_of_invalid_row_occurs(field: str, value: object) -> None:
    assert any(row.get(field) == value for row in READINGS)


def test_most_rows_are_good_and_some_values_are_text() -> None:
    assert 10 <= sum(map(invalid, READINGS)) <= 40
    assert any(isinstance(row["sgv"], str) and row["sgv"].isdigit() for row in READINGS)


def test_other_types_of_entries_have_no_sgv() -> None:
    others = [row for row in MONTH if row["type"] != "sgv"]
    assert Counter(row["type"] for row in others) == {"mbg": 60, "cal": 15}
    assert not any("sgv" in row for row in others)


def test_a_revision_changes_values_of_some_days_and_no_ids() -> None:
    second = entries(START, 30, revision=2)
    assert [row["_id"] for row in second] == [row["_id"] for row in MONTH]
    changed = {a["dateString"][:10] for a, b in zip(MONTH, second, strict=True) if a != b}
    days = [START + dt.timedelta(days=offset) for offset in range(30)]
    assert changed == {str(day) for day in days if corrected(day)}
    assert 5 < len(changed) < 20


def test_jsonl_has_one_entry_a_line() -> None:
    assert [json.loads(line) for line in to_jsonl(MONTH[:3]).splitlines()] == MONTH[:3]


def test_a_month_is_made_in_a_moment() -> None:
    import time

    begin = time.process_time()
    entries(START, 30)
    assert time.process_time() - begin < 1
