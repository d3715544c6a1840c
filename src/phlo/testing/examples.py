"""Makes a row that a Pandera model takes: something to begin a test with."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

DAY = dt.date(2024, 1, 20)
NOON = dt.datetime(2024, 1, 20, 12, tzinfo=dt.UTC)


def example_row(model: type[Any]) -> dict[str, Any]:
    """Make one row that fits a model's columns and the limits and choices of its fields.

    Columns whose rules can't be met so (patterns, checks of your own) hold a guess: set these yourself.

    >>> import pandera.pandas as pa
    >>> class RawGlucoseEntries(pa.DataFrameModel):
    ...     _id: str
    ...     sgv: int = pa.Field(ge=20, le=600)
    ...     direction: str = pa.Field(isin=["Flat", "NONE"], nullable=True)
    >>> example_row(RawGlucoseEntries)
    {'_id': 'a', 'sgv': 20, 'direction': 'Flat'}
    """
    from phlo.schemas.model import read_model

    schema = read_model(model)
    checks = schema.checks.columns if schema.checks is not None else {}
    return {
        column.name: _value(column.type, checks[column.name].checks if column.name in checks else ())
        for column in schema.columns
    }


def _value(kind: pa.DataType, checks: Iterable[Any]) -> Any:
    value = _plain(kind)
    for check in checks:
        limits = check.statistics or {}
        if check.name == "isin":
            value = next(iter(limits["allowed_values"]), value)
        elif check.name == "equal_to":
            value = limits["value"]
        elif check.name == "str_length":
            value = "a" * (limits.get("exact_value") or limits.get("min_value") or 1)
        elif value is not None and not isinstance(value, str):
            value = _within(value, check.name, limits)
    return value


def _within(value: Any, name: str, limits: dict[str, Any]) -> Any:
    """Move a value to the bound that it misses, or one step beyond a bound that is not part of the range."""
    step = dt.timedelta(days=1) if isinstance(value, dt.date) else 1
    least, most = limits.get("min_value"), limits.get("max_value")
    if least is not None and value <= least:
        value = least + step if name == "greater_than" or limits.get("include_min") is False else least
    if most is not None and value >= most:
        value = most - step if name == "less_than" or limits.get("include_max") is False else most
    return value


def _plain(kind: pa.DataType) -> Any:
    import pyarrow as pa

    kinds = pa.types
    plain = (
        (kinds.is_string(kind) or kinds.is_large_string(kind), "a"),
        (kinds.is_integer(kind), 1),
        (kinds.is_floating(kind), 1.0),
        (kinds.is_boolean(kind), True),
        (kinds.is_date(kind), DAY),
        (kinds.is_timestamp(kind), NOON if getattr(kind, "tz", None) else NOON.replace(tzinfo=None)),
        (kinds.is_decimal(kind), Decimal(1)),
    )
    return next((value for holds, value in plain if holds), None)
