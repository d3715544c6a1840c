"""The built-in checks: small frozen records that say themselves in the project's SQL.

NULLs are ``NullCheck``'s business alone: the other checks of a column pass over them. ``tolerance``, where a check has
it, is the share of violating rows (0 to 1) that still passes.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from phlo.declarations import Check
from phlo.quality.arguments import (
    built_in,
    read_column,
    read_columns,
    read_number,
    read_order,
    read_pattern,
    read_share,
    wrong,
)
from phlo.quality.literals import Bound, literal, quote
from phlo.quality.protocol import Measure, MeasuredCheck, Outcome, Scope, SQLCheck, within
from phlo.quality.table_checks import CountCheck, CustomSQLCheck, FreshnessCheck

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = [
    "Check",
    "CountCheck",
    "CustomSQLCheck",
    "FreshnessCheck",
    "NullCheck",
    "Outcome",
    "PatternCheck",
    "RangeCheck",
    "SQLCheck",
    "SchemaCheck",
    "UniqueCheck",
]


@built_in
class NullCheck(MeasuredCheck):
    """Every one of ``columns`` has a value in every row; NaN counts as a value.

    >>> NullCheck(columns=["sgv"]).name
    'NullCheck(sgv)'
    """

    columns: str | Sequence[str]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", read_columns(self, self.columns))
        read_share(self, self.tolerance)

    @property
    def name(self) -> str:
        """The class and its columns."""
        return f"NullCheck({', '.join(self.columns)})"

    def measure(self, scope: Scope) -> Measure:
        """Count rows in which a column is NULL."""
        return _rows_where(scope, " OR ".join(f"{quote(column)} IS NULL" for column in self.columns))

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare the count with the tolerance."""
        return _share_of(value, total, self.tolerance, f"lack a value in {_named(self.columns, 'or')}")


@built_in
class RangeCheck(MeasuredCheck):
    """A column lies between two bounds, both included; NaN lies outside of any range.

    >>> RangeCheck(column="sgv", min_value=20, max_value=600).name
    'RangeCheck(sgv, 20 to 600)'
    """

    column: str
    min_value: Bound | None = None
    max_value: Bound | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        read_column(self, self.column)
        for argument in ("min_value", "max_value"):
            if not isinstance(getattr(self, argument), dt.date):
                read_number(self, argument, getattr(self, argument))
        if _kind(self.min_value) is not _kind(self.max_value) and None not in (self.min_value, self.max_value):
            wrong(self, f"min_value=`{self.min_value}` and max_value=`{self.max_value}` differ in type", "use one type")
        read_order(self, ("min_value", self.min_value), ("max_value", self.max_value))
        read_share(self, self.tolerance)

    @property
    def name(self) -> str:
        """The class, its column and the range."""
        return f"RangeCheck({self.column}, {self._range})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Its column."""
        return (self.column,)

    def measure(self, scope: Scope) -> Measure:
        """Count rows whose value is not between the bounds."""
        column = quote(self.column)
        bounds = [f"{column} >= {literal(self.min_value)}"] if self.min_value is not None else []
        # With a number on one side alone, infinity on the other keeps NaN out: DuckDB sorts it above all numbers.
        high = math.inf if self.max_value is None and not isinstance(self.min_value, dt.date) else self.max_value
        bounds += [f"{column} <= {literal(high)}"] if high is not None else []
        return _rows_where(scope, f"NOT ({' AND '.join(bounds)})")

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare the count with the tolerance."""
        return _share_of(value, total, self.tolerance, f"have a `{self.column}` that is not {self._range}")

    @property
    def _range(self) -> str:
        if self.min_value is None:
            return f"at most {self.max_value}"
        return f"at least {self.min_value}" if self.max_value is None else f"{self.min_value} to {self.max_value}"


@built_in
class UniqueCheck(MeasuredCheck):
    """No two rows of the whole table share their values of ``columns``; rows with a NULL among them don't count.

    Violations are the surplus rows: three rows with one key are two violations.

    >>> UniqueCheck(columns=["_id"]).name
    'UniqueCheck(_id)'
    """

    columns: str | Sequence[str]
    tolerance: float = 0.0
    whole_table: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", read_columns(self, self.columns))
        read_share(self, self.tolerance)

    @property
    def name(self) -> str:
        """The class and its columns."""
        return f"UniqueCheck({', '.join(self.columns)})"

    def measure(self, scope: Scope) -> Measure:
        """Count the rows after the first of each key."""
        keys = [quote(column) for column in self.columns]
        repeated = (
            f"SELECT {', '.join(keys)}, count(*) AS row_count FROM {scope.relation} "
            f"WHERE {' AND '.join(f'{key} IS NOT NULL' for key in keys)} "
            f"GROUP BY {', '.join(keys)} HAVING count(*) > 1"
        )
        return Measure(f"(SELECT coalesce(sum(row_count - 1), 0) FROM ({repeated}))", repeated)

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare the count with the tolerance."""
        return _share_of(value, total, self.tolerance, f"repeat an earlier row's {_named(self.columns, 'and')}")


@built_in
class PatternCheck(MeasuredCheck):
    r"""A text column matches a regular expression somewhere; anchor it with ``^`` and ``$`` to match the whole text.

    The expression runs in the engine: no look-around and no back-references.

    >>> PatternCheck(column="day", pattern=r"^\d{4}-\d{2}-\d{2}$").name
    'PatternCheck(day)'
    """

    column: str
    pattern: str
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        read_column(self, self.column)
        read_pattern(self, self.pattern)
        read_share(self, self.tolerance)

    @property
    def name(self) -> str:
        """The class and its column."""
        return f"PatternCheck({self.column})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Its column."""
        return (self.column,)

    def measure(self, scope: Scope) -> Measure:
        """Count rows whose text does not match."""
        return _rows_where(scope, f"NOT regexp_like({quote(self.column)}, {literal(self.pattern)})")

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare the count with the tolerance."""
        return _share_of(value, total, self.tolerance, f"have a `{self.column}` that does not match `{self.pattern}`")


@built_in
class SchemaCheck:
    """The rows fit a Pandera model, cast by it as rows are on their way in.

    >>> from types import SimpleNamespace
    >>> SchemaCheck(schema=SimpleNamespace(__name__="FactGlucoseReadings", to_schema=None)).name
    'SchemaCheck(FactGlucoseReadings)'
    """

    schema: Any
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if not hasattr(self.schema, "to_schema"):
            detail = f"schema=`{self.schema!r}` is not a Pandera model"
            wrong(self, detail, "pass the class: a subclass of pandera's DataFrameModel")
        read_share(self, self.tolerance)

    @property
    def name(self) -> str:
        """The class and the model's."""
        return f"SchemaCheck({self.schema.__name__})"

    def execute(self, df: pd.DataFrame) -> Outcome:
        """Validate a DataFrame (or Arrow table)."""
        from phlo.quality.frames import validate_frame

        return validate_frame(self, df)


def _rows_where(scope: Scope, condition: str) -> Measure:
    return Measure(f"count_if({condition})", f"SELECT * FROM {scope.relation} WHERE {condition}")


def _share_of(value: Any, total: int, tolerance: float, complaint: str) -> Outcome:
    violations = int(value or 0)
    message = f"{violations:,} of {total:,} rows {complaint}" if violations else f"{total:,} rows"
    return Outcome(within(violations, total, tolerance), violations, total, message)


def _named(columns: Sequence[str], joint: str) -> str:
    names = [f"`{column}`" for column in columns]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}"


def _kind(value: object) -> type | None:
    if isinstance(value, dt.date):
        return type(value)
    return None if value is None else Decimal
