"""The built-in checks that judge a table as a whole: how many rows, how fresh, what a query returns."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from phlo.quality.arguments import built_in, read_column, read_number, read_order, read_share, wrong
from phlo.quality.literals import literal, quote, read_instant
from phlo.quality.protocol import Measure, MeasuredCheck, Outcome, Scope, within

SECONDS_PER_HOUR = 3600


@built_in
class CountCheck(MeasuredCheck):
    """The table has at least ``min_rows`` and at most ``max_rows``; limited to changed partitions, each of them has.

    Counting each partition by itself gives a backfill of a month the same answer as thirty runs of a day.
    Violations are the rows that are missing or too many.

    >>> CountCheck(min_rows=1).name
    'CountCheck(at least 1)'
    """

    min_rows: int | None = None
    max_rows: int | None = None

    def __post_init__(self) -> None:
        for argument in ("min_rows", "max_rows"):
            read_number(self, argument, getattr(self, argument), whole=True)
            if (getattr(self, argument) or 0) < 0:
                wrong(self, f"{argument}=`{getattr(self, argument)}` is negative", f"write {argument}=1")
        read_order(self, ("min_rows", self.min_rows), ("max_rows", self.max_rows))

    @property
    def name(self) -> str:
        """The class and its bounds."""
        return f"CountCheck({self._range})"

    @property
    def columns(self) -> tuple[str, ...]:
        """None: rows alone are counted."""
        return ()

    def measure(self, scope: Scope) -> Measure:
        """Sum up how many rows are missing or too many."""
        counts = (
            _counts_by_partition(scope) if scope.partitions else f"SELECT count(*) AS row_count FROM {scope.relation}"
        )
        short = f"{self.min_rows} - row_count" if self.min_rows else "0"
        over = f"row_count - {self.max_rows}" if self.max_rows is not None else "0"
        wrong_count = f"greatest(0, {short}, {over})"
        rows = f"SELECT * FROM ({counts}) WHERE {wrong_count} > 0"
        return Measure(f"(SELECT sum({wrong_count}) FROM ({counts}))", rows if scope.partitions else "")

    def judge(self, value: Any, total: int) -> Outcome:
        """Pass when no row is missing and none too many."""
        violations = int(value or 0)
        what = "too many" if self.min_rows is None else "missing" if self.max_rows is None else "missing or too many"
        message = f"{total:,} rows, {violations:,} {what} for {self._range}" if violations else f"{total:,} rows"
        return Outcome(violations == 0, violations, total, message)

    @property
    def _range(self) -> str:
        if self.min_rows is None:
            return f"at most {self.max_rows}"
        return f"at least {self.min_rows}" if self.max_rows is None else f"{self.min_rows} to {self.max_rows}"


@built_in
class FreshnessCheck(MeasuredCheck):
    """The newest value of a column, in the whole table, is at most ``max_age_hours`` old.

    The column holds timestamps (naive ones are UTC), dates, ISO 8601 text or Unix time in seconds or milliseconds.
    An empty table is not fresh.

    >>> FreshnessCheck(column="reading_timestamp", max_age_hours=2).name
    'FreshnessCheck(reading_timestamp, 2 h)'
    """

    column: str
    max_age_hours: float
    whole_table: ClassVar[bool] = True

    def __post_init__(self) -> None:
        read_column(self, self.column)
        read_number(self, "max_age_hours", self.max_age_hours)
        if self.max_age_hours is None or self.max_age_hours <= 0:
            wrong(self, f"max_age_hours=`{self.max_age_hours}` is not positive", "write max_age_hours=2")

    @property
    def name(self) -> str:
        """The class, its column and the age."""
        return f"FreshnessCheck({self.column}, {self.max_age_hours:g} h)"

    @property
    def columns(self) -> tuple[str, ...]:
        """Its column."""
        return (self.column,)

    def measure(self, scope: Scope) -> Measure:
        """Find the newest value."""
        return Measure(f"max({quote(self.column)})")

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare its age with the limit, by this machine's clock."""
        if value is None:
            return Outcome(False, 1, total, f"`{self.column}` has no value")
        newest = read_instant(value)
        if newest is None:
            return Outcome(False, 1, total, f"the newest `{self.column}` is `{value}`, which is no time")
        age = (dt.datetime.now(dt.UTC) - newest).total_seconds() / SECONDS_PER_HOUR
        old = f"{age:,.1f} hours old" if age >= 0 else f"{-age:,.1f} hours in the future"
        message = f"the newest `{self.column}` is {newest:%Y-%m-%d %H:%M:%S} UTC, {old}"
        fresh = age <= self.max_age_hours
        return Outcome(fresh, int(not fresh), total, message if fresh else f"{message}; {self.max_age_hours:g} allowed")


@built_in
class CustomSQLCheck(MeasuredCheck):
    """Every row that ``sql`` returns is a violation; ``{table}`` in it stands for the checked rows.

    Where only changed partitions are checked ``{table}`` is a subquery of these: give it an alias to qualify columns.

    >>> CustomSQLCheck(name="no_future_readings", sql="SELECT * FROM {table} WHERE date > 4102444800000").name
    'no_future_readings'
    """

    name: str
    sql: str
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        for argument, example in (("name", "no_future_readings"), ("sql", "SELECT * FROM {table} WHERE …")):
            value = getattr(self, argument)
            if not isinstance(value, str) or not value.strip():
                wrong(self, f"{argument}=`{value}` is not a text", f'write {argument}="{example}"')
        read_share(self, self.tolerance)

    @property
    def columns(self) -> tuple[str, ...]:
        """None that are known before the query runs."""
        return ()

    def measure(self, scope: Scope) -> Measure:
        """Count the rows that the query returns."""
        # Not str.format: braces are at home in regular expressions. The line break ends a trailing comment.
        query = self.sql.strip().rstrip(";").replace("{table}", scope.relation) + "\n"
        return Measure(f"(SELECT count(*) FROM ({query}))", f"SELECT * FROM ({query})")

    def judge(self, value: Any, total: int) -> Outcome:
        """Compare the count with the tolerance, as a share of the checked rows."""
        violations = int(value)
        return Outcome(
            within(violations, total, self.tolerance), violations, total, f"its query returns {violations:,}"
        )


def _counts_by_partition(scope: Scope) -> str:
    """Count each partition's rows; one without rows counts 0."""
    days = ", ".join(f"({literal(day)})" for day in scope.partitions)
    return (
        f"SELECT due.partition_date, count(found.partition_date) AS row_count "
        f"FROM (VALUES {days}) AS due (partition_date) "
        f"LEFT JOIN {scope.relation} AS found ON found.partition_date = due.partition_date GROUP BY due.partition_date"
    )
