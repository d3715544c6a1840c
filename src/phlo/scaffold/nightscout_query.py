"""How Nightscout reads ``find[…]`` and ``count``, after the answers of a real server (15.0.7).

Its conditions go to MongoDB: text is compared with text only and numbers with numbers, and a field that a row does not
have matches nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from bisect import bisect_left
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Entry = dict[str, Any]
Conditions = dict[str, dict[str, Any]]

NUMBERS = {"date", "sgv", "mbg", "filtered", "unfiltered", "rssi", "noise"}
"""Fields whose conditions Nightscout reads with JavaScript's ``parseInt``."""

DEFAULT_COUNT = 10
DEFAULT_WINDOW = 4 * 24 * 3600 * 1000
"""Without a condition on the time, only the last four days are searched."""

ORDER: dict[str, Callable[[Any, Any], bool]] = {"$gte": ge, "$gt": gt, "$lte": le, "$lt": lt}


def read_conditions(query: str) -> Conditions:
    """Read ``find[field][$operator]=value`` and ``find[field]=value`` from a query string.

    >>> read_conditions("count=3&find[sgv][$gte]=250&find%5Btype%5D=sgv")
    {'sgv': {'$gte': 250}, 'type': {'$eq': 'sgv'}}
    """
    found: Conditions = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        parts = re.fullmatch(r"find\[([^\]]+)\](?:\[(\$\w+)\])?(?:\[\])?", key)
        if parts:
            field, operator = parts[1], parts[2] or "$eq"
            numeric = field in NUMBERS and operator != "$regex"
            found.setdefault(field, {})[operator] = _parse_int(value) if numeric else value
    return found


def read_count(text: str | None) -> int | None:
    """Read ``count``: 10 where there is none, all rows (None) for 0 and for what is not a number.

    >>> read_count(None), read_count("3"), read_count("-3"), read_count("0"), read_count("abc")
    (10, 3, 3, None, None)
    """
    if not text:
        return DEFAULT_COUNT
    return abs(_parse_int(text) or 0) or None


class Entries:
    """The rows a site holds, newest first, as ``find`` sees them."""

    def __init__(self, rows: Iterable[Entry] = ()) -> None:
        self.rows: list[Entry] = sorted(rows, key=_time, reverse=True)
        with_text = [row for row in self.rows if isinstance(row.get("dateString"), str)]
        self._by_text = sorted(with_text, key=lambda row: str(row["dateString"]))
        self._texts = [str(row["dateString"]) for row in self._by_text]

    def put(self, rows: Iterable[Entry]) -> Entries:
        """Add rows; one whose ``_id`` is there already replaces it, as in the site's database."""
        held: dict[Any, Entry] = {row.get("_id"): row for row in sorted(self.rows, key=_time)}
        held.update((row.get("_id"), row) for row in rows)
        return Entries(held.values())

    def upload(self, posted: Iterable[Entry]) -> tuple[Entries, list[Entry]]:
        """Take rows as an uploader posts them; one reading has one time and type, and keeps its first ``_id``."""
        held = {(row.get("sysTime"), row.get("type")): row for row in self.rows}
        answers = []
        for row in map(_normalised, posted):
            known = held.get((row["sysTime"], row.get("type")))
            identity = known["_id"] if known else _identity(row)
            stored = {"_id": identity, "sysTime": row["sysTime"], **row}
            held[row["sysTime"], row.get("type")] = stored
            answers.append(row if known else {**row, "_id": identity})
        return Entries(held.values()), answers

    def find(self, conditions: Mapping[str, Mapping[str, Any]], count: int | None, now: int) -> list[Entry]:
        """Return the newest ``count`` rows that meet every condition; ``now`` is epoch milliseconds."""
        if not {"date", "dateString", "_id"} & set(conditions):
            conditions = {**conditions, "date": {"$gte": now - DEFAULT_WINDOW}}
        found = [row for row in self._candidates(conditions) if _meets(row, conditions)]
        return found if count is None else found[:count]

    def _candidates(self, conditions: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        bounds = conditions.get("dateString", {})
        if "$gte" not in bounds or "$lt" not in bounds:
            return self.rows
        begin, end = (bisect_left(self._texts, str(bounds[operator])) for operator in ("$gte", "$lt"))
        return sorted(self._by_text[begin:end], key=_time, reverse=True)


def iso(milliseconds: float) -> str:
    """Write a time as Nightscout does.

    >>> iso(1705794969000)
    '2024-01-20T23:56:09.000Z'
    """
    time = dt.datetime.fromtimestamp(milliseconds // 1 / 1000, dt.UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _normalised(row: Entry) -> Entry:
    """Bring times to UTC and keep where they came from; an ``_id`` that is not MongoDB's becomes ``identifier``."""
    row = dict(row)
    given = row.pop("_id", None)
    if given is not None:
        row["identifier"] = given
    if isinstance(row.get("dateString"), str):
        time = dt.datetime.fromisoformat(row["dateString"])
        row["dateString"] = iso(time.timestamp() * 1000)
        offset = int((time.utcoffset() or dt.timedelta()).total_seconds() // 60)
        return {**row, "utcOffset": offset, "sysTime": row["dateString"]}
    return {**row, "utcOffset": 0, "sysTime": iso(row["date"])}


def _identity(row: Entry) -> str:
    return hashlib.sha256(f"{row['sysTime']} {row.get('type')}".encode()).hexdigest()[:24]


def _time(row: Entry) -> float:
    value = row.get("date")
    return value if isinstance(value, (int, float)) else float("-inf")


def _parse_int(text: str) -> int | None:
    digits = re.match(r"\s*[+-]?\d+", text)
    return int(digits[0]) if digits else None


def _meets(row: Entry, conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(
        _holds(row.get(field), operator, wanted)
        for field, tests in conditions.items()
        for operator, wanted in tests.items()
    )


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    if operator == "$exists":
        return (value is not None) == (str(wanted).lower() in ("true", "1"))
    if operator == "$ne":
        return bool(value != wanted)
    if operator == "$regex":
        return isinstance(value, str) and re.search(str(wanted), value) is not None
    if value is None or wanted is None or isinstance(value, str) != isinstance(wanted, str):
        return False
    if operator in ORDER:
        return ORDER[operator](value, wanted)
    return operator == "$eq" and bool(value == wanted)
