"""Each built-in check: its arguments, what it counts on a real table, and the same on a DataFrame."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from phlo.engine.memory import query_arrow
from phlo.errors import InvalidDeclaration, UnknownColumn
from phlo.quality import (
    Check,
    CountCheck,
    CustomSQLCheck,
    FreshnessCheck,
    NullCheck,
    PatternCheck,
    RangeCheck,
    Scope,
    SQLCheck,
    UniqueCheck,
)

if TYPE_CHECKING:
    from tests.quality.conftest import Lake

READINGS = "raw.readings"
ISO = r"^\d{4}-\d{2}-\d{2}T"

COUNTED = [
    (NullCheck("sgv"), 1),
    (NullCheck(["_id", "sgv"]), 3),
    (NullCheck("noise"), 1),
    (RangeCheck("sgv", 20, 600), 2),
    (RangeCheck("sgv", min_value=6), 1),
    (RangeCheck("sgv", max_value=110), 2),
    (RangeCheck("sgv", 5, 700), 0),
    (RangeCheck("noise", 0, 1), 3),
    (RangeCheck("noise", min_value=0), 2),
    (RangeCheck("noise", max_value=1), 2),
    (RangeCheck("noise", min_value=-1e308, max_value=1e308), 1),
    (RangeCheck("noise", Decimal("0.5"), Decimal("0.50")), 3),
    (RangeCheck("partition_date", dt.date(2024, 1, 21)), 3),
    (RangeCheck("partition_date", max_value=dt.date(2024, 1, 20)), 2),
    (UniqueCheck("_id"), 1),
    (UniqueCheck(["_id", "partition_date"]), 1),
    (UniqueCheck(["_id", "sgv"]), 0),
    (PatternCheck("dateString", ISO), 2),
    (PatternCheck("dateString", "day"), 3),
    (PatternCheck("dateString", "."), 0),
    (CountCheck(min_rows=5, max_rows=5), 0),
    (CountCheck(min_rows=7), 2),
    (CountCheck(max_rows=2), 3),
    (CountCheck(max_rows=0), 5),
    (FreshnessCheck("partition_date", 2), 1),
    (FreshnessCheck("partition_date", 1e6), 0),
    (FreshnessCheck("at", 1e6), 1),
    (CustomSQLCheck("high", "SELECT * FROM {table} WHERE sgv > 600"), 1),
    (CustomSQLCheck("high", "SELECT _id FROM {table} WHERE sgv > 600;"), 1),
    (CustomSQLCheck("twice", "WITH t AS (SELECT _id FROM {table}) SELECT a._id FROM t a JOIN t b ON a._id = b._id"), 5),
    (CustomSQLCheck("commented", "SELECT * FROM {table} WHERE sgv > 600 -- as a person's can't be"), 1),
    (CustomSQLCheck("braces", r"SELECT * FROM {table} WHERE regexp_like(dateString, '^\d{4}-')"), 3),
]


@pytest.mark.parametrize(("check", "violations"), COUNTED, ids=lambda value: getattr(value, "name", str(value)))
def test_violations_on_a_table_and_on_a_frame_are_the_same(readings: Lake, check: SQLCheck, violations: int) -> None:
    on_table = readings.one(READINGS, check, scope="table")
    assert (on_table.error, on_table.violations, on_table.total) == ("", violations, 5), on_table.message
    assert on_table.passed is (violations == 0)
    rows = readings.engine.query("SELECT * FROM raw.readings", readings.catalog.pin("run-1"))
    on_frame = check.execute(rows)
    assert (on_frame["passed"], on_frame["violations"], on_frame["total"]) == (violations == 0, violations, 5)
    assert len(on_frame.rows) == len(on_table.rows)


@pytest.mark.parametrize("check", [each for each, _ in COUNTED], ids=lambda check: check.name)
def test_a_check_is_a_check_can_be_copied_and_has_a_name(check: SQLCheck) -> None:
    assert isinstance(check, Check)
    assert isinstance(check, SQLCheck)
    assert pickle.loads(pickle.dumps(check)) == copy.copy(check) == check
    assert check.name


@pytest.mark.parametrize("check", [each for each, _ in COUNTED if each.columns], ids=lambda check: check.name)
def test_a_check_means_the_same_in_a_project_whose_dialect_is_duckdb(readings: Lake, check: SQLCheck) -> None:
    rows = {"checked": readings.engine.read(READINGS, readings.catalog.pin("run-1"))}
    sql = f"SELECT count(*) AS total, {check.measure(Scope('checked')).value} AS value FROM checked"
    (trino,), (duckdb,) = (query_arrow(sql, rows, dialect).to_pylist() for dialect in ("trino", "duckdb"))
    assert duckdb == trino


# ── data frames ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_data_frame_is_judged_with_its_failing_rows() -> None:
    frame = pd.DataFrame({"sgv": [110, 700, 5]}, index=[7, 8, 9])
    outcome = RangeCheck(column="sgv", min_value=20, max_value=600).execute(frame)
    assert dict(outcome) == {
        "passed": False,
        "violations": 2,
        "total": 3,
        "message": "2 of 3 rows have a `sgv` that is not 20 to 600",
        "rows": ({"sgv": 700}, {"sgv": 5}),
    }
    with pytest.raises(KeyError):
        outcome["violation"]


def test_an_empty_frame_passes_all_that_looks_at_rows() -> None:
    frame = pd.DataFrame({"sgv": pd.Series([], dtype="int64")})
    for check in (NullCheck("sgv"), RangeCheck("sgv", 1, 2), UniqueCheck("sgv"), CountCheck(max_rows=1)):
        assert check.execute(frame).passed, check
    assert not CountCheck(min_rows=1).execute(frame).passed
    assert FreshnessCheck("sgv", 1).execute(frame).message == "`sgv` has no value"


def test_a_column_that_a_frame_lacks_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownColumn, match=r"no column `svg` in `the rows`; did you mean `sgv`\?"):
        NullCheck("svg").execute(pd.DataFrame({"sgv": [1]}))


def test_only_five_failing_rows_are_shown() -> None:
    outcome = NullCheck("sgv").execute(pa.table({"sgv": pa.nulls(100, pa.int64())}))
    assert (outcome.violations, len(outcome.rows)) == (100, 5)


# ── tolerance ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tolerance", "passed"),
    [(0.0, False), (0.28, False), (0.29, True), (0.3, True), (1.0, True), (1, True), (0, False)],
)
def test_a_share_of_violations_up_to_the_tolerance_passes(tolerance: float, passed: bool) -> None:
    rows = pa.table(
        {"id": pa.array([1] * 30 + list(range(2, 72))), "sgv": pa.array([None] * 29 + [7] * 71, pa.int64())}
    )
    assert NullCheck("sgv", tolerance=tolerance).execute(rows).passed is passed
    assert UniqueCheck("id", tolerance=tolerance).execute(rows).passed is passed
    sql = "SELECT * FROM {table} WHERE sgv IS NULL"
    assert CustomSQLCheck("nulls", sql, tolerance=tolerance).execute(rows).passed is passed


# ── freshness ────────────────────────────────────────────────────────────────────────────────────────────

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
FRESH, STALE = NOW - dt.timedelta(hours=1), NOW - dt.timedelta(hours=3)


def as_held(time: dt.datetime) -> list[pa.Array]:
    """One point in time in every form that a column may hold it."""
    naive = time.replace(tzinfo=None)
    return [
        pa.array([time], pa.timestamp("us", "UTC")),
        pa.array([time], pa.timestamp("us", "Europe/Vienna")),
        pa.array([naive], pa.timestamp("us")),
        pa.array([int(time.timestamp())], pa.int64()),
        pa.array([int(time.timestamp() * 1000)], pa.int64()),
        pa.array([float(time.timestamp() * 1000)], pa.float64()),
        pa.array([time.isoformat()]),
        pa.array([f"{naive.isoformat()}.000Z"]),
        pa.array([naive.isoformat(sep=" ")]),
    ]


@pytest.mark.parametrize(("time", "fresh"), [(FRESH, True), (STALE, False)])
def test_freshness_reads_times_in_every_form(time: dt.datetime, fresh: bool) -> None:
    for column in as_held(time):
        outcome = FreshnessCheck("at", max_age_hours=2).execute(pa.table({"at": column}))
        assert outcome.passed is fresh, (column.type, outcome.message)


def test_freshness_of_a_date_counts_from_its_midnight_in_utc() -> None:
    rows = pa.table({"day": pa.array([NOW.date()])})
    assert FreshnessCheck("day", max_age_hours=24).execute(rows).passed
    assert not FreshnessCheck("day", max_age_hours=24).execute(pa.table({"day": [NOW.date() - dt.timedelta(2)]})).passed
    ahead = FreshnessCheck("at", 2).execute(pa.table({"at": [NOW + dt.timedelta(hours=49.9), NOW]}))
    assert re.search(r" UTC, 4\d\.\d hours in the future$", ahead.message)


def test_freshness_looks_at_the_newest_value_and_says_its_age() -> None:
    outcome = FreshnessCheck("at", 2).execute(pa.table({"at": [None, STALE, STALE - dt.timedelta(days=9)]}))
    # The module's clock stopped when it was imported; a slow suite gets here some minutes later.
    said = re.fullmatch(r"the newest `at` is (.*) UTC, 3\.\d hours old; 2 allowed", outcome.message)
    assert said is not None
    assert said[1] == f"{STALE:%Y-%m-%d %H:%M:%S}"
    assert (outcome.violations, outcome.total) == (1, 3)


@pytest.mark.parametrize("value", ["soon", "", float("nan"), 10**300, True])
def test_what_is_no_time_is_not_fresh(value: object) -> None:
    column = pa.array([float(value)] if value == 10**300 else [value])
    outcome = FreshnessCheck("at", 2).execute(pa.table({"at": column}))
    assert not outcome.passed
    assert "is no time" in outcome.message


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────

WRONG: list[tuple[Any, tuple[Any, ...], dict[str, Any], str]] = [
    (NullCheck, (), {}, "missing a required argument: 'columns'"),
    (NullCheck, ([],), {}, "columns=`[]` is not a list of columns"),
    (NullCheck, (5,), {}, "columns=`5` is not a list of columns"),
    (NullCheck, ([""],), {}, "is not a list of columns"),
    (NullCheck, (["a", "a"],), {}, "names a column twice"),
    (NullCheck, (), {"column": "a"}, "there is no argument `column`; did you mean `columns`?"),
    (NullCheck, ("a", 0, 1), {}, "too many positional arguments"),
    (NullCheck, ("a",), {"tolerance": 5}, "tolerance=`5` is not a share from 0 to 1"),
    (NullCheck, ("a",), {"tolerance": True}, "tolerance=`True` is not a share"),
    (NullCheck, ("a",), {"tolerance": float("nan")}, "tolerance=`nan` is not a share"),
    (UniqueCheck, ({"a"},), {}, "is not a list of columns"),
    (RangeCheck, ("a",), {}, "neither min_value nor max_value is given"),
    (RangeCheck, ("a",), {"min": 3}, "there is no argument `min`; did you mean `min_value`?"),
    (RangeCheck, (["a"], 1), {}, "column=`['a']` is not the name of a column"),
    (RangeCheck, ("a", 5, 3), {}, "min_value=`5` is above max_value=`3`"),
    (RangeCheck, ("a", "5"), {}, "min_value=`5` is not a number"),
    (RangeCheck, ("a", float("nan")), {}, "min_value=`nan` is not a number"),
    (RangeCheck, ("a", float("inf")), {}, "min_value=`inf` is not a number"),
    (RangeCheck, ("a", True), {}, "min_value=`True` is not a number"),
    (RangeCheck, ("a", dt.date(2024, 1, 1), 5), {}, "differ in type"),
    (RangeCheck, ("a", dt.date(2024, 1, 1), dt.datetime(2024, 1, 2)), {}, "differ in type"),
    (PatternCheck, ("a",), {}, "missing a required argument: 'pattern'"),
    (PatternCheck, ("a", "("), {}, "pattern=`(` is not a regular expression"),
    (PatternCheck, ("a", None), {}, "pattern=`None` is not a regular expression"),
    (CountCheck, (), {}, "neither min_rows nor max_rows is given"),
    (CountCheck, (-1,), {}, "min_rows=`-1` is negative"),
    (CountCheck, (1.5,), {}, "min_rows=`1.5` is not a whole number"),
    (CountCheck, (9, 3), {}, "min_rows=`9` is above max_rows=`3`"),
    (FreshnessCheck, ("a",), {"max_age": 2}, "did you mean `max_age_hours`?"),
    (FreshnessCheck, ("a", 0), {}, "max_age_hours=`0` is not positive"),
    (FreshnessCheck, ("a", None), {}, "max_age_hours=`None` is not positive"),
    (FreshnessCheck, ("a", "2"), {}, "max_age_hours=`2` is not a number"),
    (CustomSQLCheck, ("", "SELECT 1"), {}, "name=`` is not a text"),
    (CustomSQLCheck, ("a", " "), {}, "sql=` ` is not a text"),
    (CustomSQLCheck, (), {"name": "a", "query": "b"}, "there is no argument `query`"),
]


@pytest.mark.parametrize(("kind", "args", "kwargs", "complaint"), WRONG)
def test_a_wrong_argument_is_said_where_the_check_is_made(
    kind: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        kind(*args, **kwargs)
    assert str(caught.value).startswith(f"{kind.__name__} at {__file__}:")
    assert complaint in str(caught.value)
    assert caught.value.next_step


def test_checks_with_equal_arguments_are_equal_however_these_are_given() -> None:
    assert NullCheck("a") == NullCheck(["a"]) == NullCheck(columns=("a",))
    assert hash(NullCheck("a")) == hash(NullCheck(["a"]))
    assert RangeCheck("a", 1) != RangeCheck("a", 2)


@pytest.mark.parametrize("column", ['say "hi"', "größe", "dateString", "select", "a b", "x'y"])
def test_any_column_name_can_be_checked(column: str) -> None:
    rows = pa.table({column: [1, None, 3, 3]})
    checks = [NullCheck(column), RangeCheck(column, 1, 2), UniqueCheck(column), FreshnessCheck(column, 1)]
    assert [check.execute(rows).violations for check in checks] == [1, 2, 1, 1]


def test_a_pattern_with_quotes_and_backslashes_reaches_the_engine_whole() -> None:
    rows = pa.table({"note": ["it's 5\\6", "other"]})
    assert PatternCheck("note", r"^it's \d\\\d$").execute(rows).violations == 1
