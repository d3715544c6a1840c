"""Values and names as the project's SQL writes them, and points in time as columns hold them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

Bound = int | float | Decimal | dt.date
"""A limit of a range; a datetime is a date too."""


def quote(name: str) -> str:
    """Quote a column's name.

    >>> quote("dateString")
    '"dateString"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: Bound | str) -> str:
    """Write a value in the project's SQL.

    >>> literal("it's"), literal(0.5), literal(dt.date(2024, 1, 20)), literal(math.inf)
    ("'it''s'", '0.5', "DATE '2024-01-20'", "CAST('Infinity' AS DOUBLE)")
    """
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ") + " UTC" if value.tzinfo else None
        return f"TIMESTAMP '{utc or value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float) and math.isinf(value):
        return "CAST('Infinity' AS DOUBLE)"
    if isinstance(value, float) and not 1e-9 < abs(value) < 1e15:  # a decimal literal has 38 digits
        return f"{value:.17E}"
    return format(
        Decimal(repr(value)) if isinstance(value, float) else value, "f" if not isinstance(value, int) else "d"
    )


def read_instant(value: object) -> dt.datetime | None:
    """Read a point in time off what columns hold it in; None if it is none.

    >>> read_instant("2024-01-20T10:00:00.000Z") == read_instant(1705744800000) == read_instant(1705744800)
    True
    """
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        number = float(value)
        seconds = number / 1000 if abs(number) >= 1e11 else number  # 1e11 s is the year 5138
        try:
            return dt.datetime.fromtimestamp(seconds, dt.UTC)
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return dt.datetime.combine(value, dt.time(), dt.UTC) if isinstance(value, dt.date) else None
