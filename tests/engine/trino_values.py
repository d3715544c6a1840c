"""Compares a value that DuckDB returned with the same value as Trino's protocol writes it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
import struct
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from phlo.engine.dialect import MACROS, to_duckdb
from phlo.engine.functions import register
from phlo.errors import PhloError

_INTEGERS = {"tinyint": "TINYINT", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT"}
_TYPES = {**_INTEGERS, "real": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "json": "JSON",
          "varbinary": "BLOB", "uuid": "UUID"}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Our rows and types, or the words with which the statement was refused."""

    rows: list[Any] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    refused: str = ""


class Answers:
    """A DuckDB connection that answers statements of the dialect."""

    def __enter__(self) -> Answers:
        self.con = duckdb.connect()
        self.con.execute("SET TimeZone = 'UTC'")
        self.con.execute(MACROS)
        return self

    def __exit__(self, *error: object) -> None:
        self.con.close()

    def to(self, sql: str) -> Answer:
        """Answer a statement."""
        try:
            translated = to_duckdb(sql)
            register(self.con, translated)
            cursor = self.con.execute(translated)
            rows = cursor.fetchall()
        except (PhloError, duckdb.Error) as error:
            return Answer(refused=str(error).partition("\n")[0] or type(error).__name__)
        return Answer(rows, [str(column[1]) for column in cursor.description])


def differs(answer: Answer, entry: dict[str, Any]) -> str:
    """How an answer differs from what Trino returned; empty where it does not."""
    expected, kinds = entry["rows"], entry["types"]
    found = answer.rows
    if "order by" not in entry["sql"].lower():
        found, expected = sorted(found, key=_by_text), sorted(expected, key=_by_text)
    texts = "json_array_get" in entry["sql"]  # Trino's JSON is no JSON there
    kinds = ["varchar" if texts and kind == "json" else kind for kind in kinds]
    if len(found) != len(expected) or not all(
        len(row) == len(other) and all(same(a, b, kind) for a, b, kind in zip(row, other, kinds, strict=True))
        for row, other in zip(found, expected, strict=True)
    ):
        return f"{answer.rows} instead of {entry['rows']}"
    pairs = zip(answer.types, kinds, strict=True)
    return ", ".join(f"{ours} instead of {theirs}" for ours, theirs in pairs if not same_type(ours, theirs))


def _by_text(row: Any) -> list[str]:
    return [str(cell) for cell in row]


def split_type(name: str) -> tuple[str, list[str]]:
    """Split ``map(varchar(1), array(bigint))`` into its name and its arguments."""
    match = re.fullmatch(r"(\w+)\((.*)\)(.*)", name.strip(), re.DOTALL)
    if not match:
        return name.strip(), []
    arguments, depth, start = [], 0, 0
    inside = match[2]
    for i, letter in enumerate(inside + ","):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            arguments.append(inside[start:i].strip())
            start = i + 1
    return match[1] + match[3], arguments


def same(found: Any, expected: Any, trino_type: str) -> bool:
    """Whether a DuckDB value is the value that Trino returned, of that type."""
    if found is None or expected is None:
        return found is None and expected is None
    name, arguments = split_type(trino_type)
    if name == "decimal":
        return isinstance(found, Decimal) and str(found) == expected
    if name in _INTEGERS:
        return isinstance(found, int) and not isinstance(found, bool) and found == expected
    if name in ("double", "real"):
        return isinstance(found, float) and _same_float(found, float(expected), name)
    if name == "varbinary":
        return bytes(found) == base64.b64decode(expected)
    if name == "json":
        return json.loads(found) == json.loads(expected)
    if name == "array":
        pairs = zip(found, expected, strict=False)
        return len(found) == len(expected) and all(same(a, b, arguments[0]) for a, b in pairs)
    if name == "row":
        values = list(found.values()) if isinstance(found, dict) else list(found)
        kinds = [_field_type(argument) for argument in arguments]
        return len(values) == len(expected) and all(
            same(a, b, k) for a, b, k in zip(values, expected, kinds, strict=True)
        )
    if name == "map":
        return _same_map(found, expected, arguments)
    if name == "INTERVAL YEAR TO MONTH":
        return bool(found == _months(expected))
    return _text(found, name, arguments) == _instant_text(expected, name)


def _months(text: str) -> dt.timedelta:
    """DuckDB's client counts a month of an interval as 30 days."""
    years, months = text.lstrip("-").split("-")
    return dt.timedelta(days=30 * (int(years) * 12 + int(months))) * (-1 if text.startswith("-") else 1)


def _field_type(argument: str) -> str:
    match = re.fullmatch(r'(?:"[^"]+"|\w+) ((?:\w+)(?:\(.*\))?(?: with time zone)?)', argument, re.DOTALL)
    return match[1] if match and not argument.startswith(("timestamp", "time")) else argument


def _same_float(found: float, expected: float, name: str) -> bool:
    if math.isnan(expected):
        return math.isnan(found)
    if name == "real" and math.isfinite(expected):
        return struct.pack("f", found) == struct.pack("f", expected)
    return found == expected or math.isclose(found, expected, rel_tol=1e-12)


def _same_map(found: Any, expected: dict[str, Any], arguments: list[str]) -> bool:
    if isinstance(found, dict) and set(found) == {"key", "value"} and isinstance(found["key"], list):
        found = dict(zip(found["key"], found["value"], strict=True))
    keys = {_key(key): value for key, value in found.items()}
    return set(keys) == set(expected) and all(same(keys[k], v, arguments[1]) for k, v in expected.items())


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _text(found: Any, name: str, arguments: list[str]) -> Any:
    if isinstance(found, dt.timedelta):
        return _interval_text(found)
    if name.startswith("timestamp"):
        digits = int(arguments[0]) if arguments else 3
        if not isinstance(found, dt.datetime):
            return found
        if name.endswith("zone"):
            found = found.astimezone(dt.UTC).replace(tzinfo=None)
        text = found.strftime("%Y-%m-%d %H:%M:%S") + (f".{found.microsecond:06d}"[: digits + 1] if digits else "")
        return text + " UTC" if name.endswith("zone") else text
    if isinstance(found, dt.time):
        digits = int(arguments[0]) if arguments else 3
        zone = dt.datetime.combine(dt.date(2000, 1, 1), found).isoformat()[-6:] if found.tzinfo else ""
        return found.strftime("%H:%M:%S") + (f".{found.microsecond:06d}"[: digits + 1] if digits else "") + zone
    if isinstance(found, uuid.UUID):
        return str(found)
    return found.isoformat() if isinstance(found, dt.date) else found


def _interval_text(found: dt.timedelta) -> str:
    total = abs(found) // dt.timedelta(milliseconds=1)
    days, rest = divmod(total, 86_400_000)
    clock = dt.datetime(2000, 1, 1) + dt.timedelta(milliseconds=rest)
    return f"{'-' if found < dt.timedelta() else ''}{days} {clock:%H:%M:%S}.{clock.microsecond // 1000:03d}"


def _instant_text(expected: Any, name: str) -> Any:
    """Write a time with a zone in UTC, as an instant."""
    if not name.endswith("with time zone") or not name.startswith("timestamp"):
        return expected
    clock, zone = expected.rsplit(" ", 1)
    whole, dot, fraction = clock.partition(".")
    info = dt.UTC if zone in ("UTC", "Z") else _zone(zone)
    instant = dt.datetime.fromisoformat(whole).replace(tzinfo=info).astimezone(dt.UTC)
    return f"{instant:%Y-%m-%d %H:%M:%S}{dot}{fraction} UTC"


def _zone(name: str) -> dt.tzinfo:
    match = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if not match:
        return ZoneInfo(name)
    offset = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
    return dt.timezone(offset if match[1] == "+" else -offset)


def same_type(duckdb_type: str, trino_type: str) -> bool:
    """Whether a DuckDB type is what the embedded engine keeps a Trino type as."""
    name, arguments = split_type(trino_type)
    if name == "decimal":
        return duckdb_type == f"DECIMAL({arguments[0]},{arguments[1]})"
    if name in ("varchar", "char"):
        return duckdb_type == "VARCHAR"
    if name == "timestamp":
        return duckdb_type == "TIMESTAMP"
    if name == "timestamp with time zone":
        return duckdb_type == "TIMESTAMP WITH TIME ZONE"
    if name == "array":
        return duckdb_type.endswith("[]") and same_type(duckdb_type[:-2], arguments[0])
    return duckdb_type == _TYPES[name] if name in _TYPES else True
