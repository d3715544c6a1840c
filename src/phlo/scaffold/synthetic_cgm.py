"""Synthetic glucose readings, as a Nightscout site would hold them: plausible, faulty, and the same on every machine.

A day is made of a baseline, a dawn rise, meals, lows that some nights bring, and sensor noise; then gaps, duplicates,
rows that no schema should accept, finger-stick tests and calibrations, because real sites have them all.

Nothing here uses a transcendental function or a random distribution of the library: those differ in the last bit
between machines and versions. ``random.Random(text).random()``, sums, products and square roots do not.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Entry = dict[str, Any]

SEED = 7
DEVICE = "phlo-synthetic-cgm"
STEP = 5  # minutes between readings
DAY = 24 * 60
LOWEST, HIGHEST = 40, 400  # what a sensor reports, mg/dL
SENSOR_LIFE = 10  # days; a new sensor warms up for two hours
WARM_UP = 120

MEALS = ((7.5, 0.95, 40, 120), (12.5, 0.97, 35, 115), (15.75, 0.45, 15, 55), (18.75, 1.0, 50, 135))
"""Hour, how likely, and how far it raises glucose at least and at most, in mg/dL."""

INVALID: tuple[tuple[str, object], ...] = (
    ("sgv", None),
    ("sgv", "LOW"),
    ("sgv", 5000),
    ("direction", "Sideways"),
)
"""What the invalid rows hold, in turn."""


def entries(start: dt.date, days: int, seed: int = SEED, revision: int = 1) -> list[Entry]:
    """Make the entries of ``days`` UTC days from ``start``, oldest first.

    A day is the same whatever range it is asked for in. Revision 2 is what the site says later: on some days an hour
    of readings was recalibrated; the corrected rows keep their ``_id``.

    >>> first = entries(dt.date(2024, 1, 20), 1)
    >>> len(first) > 250, first[0]["dateString"], first[0]["direction"]
    (True, '2024-01-20T00:01:37.000Z', 'NONE')
    """
    found: list[Entry] = []
    for offset in range(days):
        found += _day(start + dt.timedelta(days=offset), seed, revision)
    return found


def to_jsonl(rows: Iterable[Entry]) -> bytes:
    """Write entries as JSON, one a line."""
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def corrected(day: dt.date, seed: int = SEED) -> bool:
    """Tell whether revision 2 changes a day.

    >>> [day for day in range(1, 11) if corrected(dt.date(2024, 1, day))]
    [1, 4, 5, 8, 9, 10]
    """
    return _Dice(f"{seed} {day} correction").chance(0.35)


class _Dice:
    """Random numbers that no machine and no Python version changes."""

    def __init__(self, text: str) -> None:
        self.next = random.Random(text).random

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.next()

    def whole(self, low: int, high: int) -> int:
        return low + int((high - low + 1) * self.next())

    def chance(self, share: float) -> bool:
        return self.next() < share

    def normal(self, deviation: float) -> float:
        return deviation * (_total(self.next() for _ in range(12)) - 6)


def _total(values: Iterable[float]) -> float:
    """Add one after the other: the built-in ``sum`` of floats changed in Python 3.12."""
    total = 0.0
    for value in values:
        total += value
    return total


@dataclass(frozen=True)
class _Wave:
    """A rise (or, with a negative height, a fall) from ``start`` to ``peak`` and back until ``end``, in minutes."""

    start: float
    peak: float
    end: float
    height: float

    def at(self, minute: float) -> float:
        if minute <= self.start or minute >= self.end:
            return 0.0
        if minute < self.peak:
            part = (minute - self.start) / (self.peak - self.start)
        else:
            part = (self.end - minute) / (self.end - self.peak)
        return self.height * part * part * (3 - 2 * part)


def _day(day: dt.date, seed: int, revision: int) -> list[Entry]:
    readings = _readings(day, seed, _glucose(day, seed), _silent(day, seed))
    if revision > 1 and corrected(day, seed):
        _recalibrate(readings, _Dice(f"{seed} {day} recalibration"))
    _spoil(readings, day, seed)
    rows = _with_duplicates(readings, _Dice(f"{seed} {day} duplicates"))
    return sorted([*rows, *_tests_and_calibrations(day, seed)], key=lambda row: row["date"])


def _glucose(day: dt.date, seed: int) -> Callable[[float], float]:
    dice = _Dice(f"{seed} {day} glucose")
    base, appetite = dice.between(104, 142), dice.between(0.8, 1.5)  # days differ
    waves = [_Wave(3.5 * 60, 6.5 * 60, 9 * 60, dice.between(8, 30))]  # dawn
    for hour, share, low, high in MEALS:
        if dice.chance(share):
            waves += _meal(hour * 60 + dice.between(-40, 40), appetite * dice.between(low, high), dice)
    if dice.chance(0.35):
        low_at = dice.between(60, 210)
        waves.append(_Wave(low_at - 60, low_at, low_at + 70, -dice.between(35, 80)))
    return lambda minute: base + _total(wave.at(minute) for wave in waves)


def _meal(start: float, height: float, dice: _Dice) -> list[_Wave]:
    peak, length = dice.between(50, 85), dice.between(180, 260)
    overshoot = dice.between(0, 0.6) * height  # insulin outlasts the meal
    return [
        _Wave(start, start + peak, start + length, height),
        _Wave(start + peak + 20, start + length - 10, start + length + 80, -overshoot),
    ]


def _silent(day: dt.date, seed: int) -> list[tuple[float, float]]:
    dice = _Dice(f"{seed} {day} gaps")
    gaps: list[tuple[float, float]] = []
    if (day.toordinal() + seed) % SENSOR_LIFE == 0:
        changed = dice.between(8 * 60, 20 * 60)
        gaps.append((changed, changed + WARM_UP))
    if dice.chance(0.5):
        lost = dice.between(0, DAY - 90)
        gaps.append((lost, lost + dice.between(15, 90)))
    return gaps


def _readings(
    day: dt.date, seed: int, glucose: Callable[[float], float], silent: list[tuple[float, float]]
) -> list[Entry]:
    dice = _Dice(f"{seed} {day} sensor")
    midnight = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp())
    rows: list[Entry] = []
    drift = 0.0
    previous: tuple[int, int] | None = None
    for minute in range(0, DAY, STEP):
        drift = 0.9 * drift + dice.normal(2.4)
        second = minute * 60 + 97 + dice.whole(-3, 3) * (minute > 0)
        value = min(HIGHEST, max(LOWEST, round(glucose(second / 60) + drift + dice.normal(1.5))))
        if any(begin <= minute < end for begin, end in silent):
            continue
        rows.append(_entry(midnight + second, "sgv", seed, sgv=value, direction=_direction(previous, second, value)))
        if dice.chance(0.03):
            rssi = 100 + dice.whole(0, 90)
            rows[-1] |= {"noise": 1, "filtered": value * 1000, "unfiltered": value * 1003, "rssi": rssi}
        previous = (second, value)
    return rows


def _direction(previous: tuple[int, int] | None, second: int, value: int) -> str:
    if previous is None:
        return "NONE"
    minutes = (second - previous[0]) / 60
    if minutes > 3 * STEP:
        return "NOT COMPUTABLE"
    rate = (value - previous[1]) / minutes
    steps = ("Flat", "FortyFive", "Single", "Double")
    steep = sum(abs(rate) > limit for limit in (1, 2, 3))
    return steps[steep] + ("" if steep == 0 else "Up" if rate > 0 else "Down")


def _recalibrate(rows: list[Entry], dice: _Dice) -> None:
    begin = dice.whole(0, len(rows) - 12)
    shift = dice.whole(6, 18)
    for row in rows[begin : begin + 12]:
        row["sgv"] = min(HIGHEST, row["sgv"] + shift)


def _spoil(rows: list[Entry], day: dt.date, seed: int) -> None:
    dice = _Dice(f"{seed} {day} faults")
    if dice.chance(0.35):  # old uploaders send text
        row = rows[dice.whole(0, len(rows) - 1)]
        row["sgv"] = str(row["sgv"])
    if dice.chance(0.6):
        field, value = INVALID[day.toordinal() % len(INVALID)]
        rows[dice.whole(0, len(rows) - 1)][field] = value


def _with_duplicates(rows: list[Entry], dice: _Dice) -> list[Entry]:
    """Repeat a few rows under their ``_id``; the later one counts, as after an upload that was tried again."""
    for _ in range(dice.whole(0, 3)):
        again = dict(rows[dice.whole(0, len(rows) - 1)])
        if isinstance(again["sgv"], int) and again["sgv"] < HIGHEST and dice.chance(0.25):
            again["sgv"] += 1
        rows = [*rows, again]
    return rows


def _tests_and_calibrations(day: dt.date, seed: int) -> list[Entry]:
    dice = _Dice(f"{seed} {day} tests")
    midnight = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp())
    tests = [(hour * 3600 + dice.whole(0, 3599), dice.whole(80, 170)) for hour in (7, 18)]
    rows = [_entry(midnight + second, "mbg", seed, mbg=value) for second, value in tests]
    if day.toordinal() % 2 == 0:
        values = {"slope": 850 + dice.whole(-40, 40), "intercept": 30000 + dice.whole(-900, 900), "scale": 1}
        rows.append(_entry(midnight + 12 * 3600 + dice.whole(0, 3599), "cal", seed, **values))
    return rows


def _entry(second: int, kind: str, seed: int, **values: object) -> Entry:
    text = dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    identity = hashlib.sha256(f"{seed} {DEVICE} {kind} {second}".encode()).hexdigest()[:24]
    times = {"date": second * 1000, "dateString": text}
    return {"_id": identity, "sysTime": text, "type": kind, **times, **values, "device": DEVICE, "utcOffset": 0}
