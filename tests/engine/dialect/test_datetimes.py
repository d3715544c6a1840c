"""Dates and times: patterns, units, and what carries a time zone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.engine.dialect.patterns import JODA, MYSQL, joda_pattern, mysql_pattern
from phlo.errors import UnsupportedFunction

if TYPE_CHECKING:
    from tests.engine.dialect.conftest import Ask

NOON = "timestamp '2024-01-20 13:00:00'"


@pytest.mark.parametrize(
    ("pattern", "strftime"),
    [
        ("yyyy-MM-dd", "%Y-%m-%d"),
        ("d MMM yy", "%-d %b %y"),
        ("HH 'o''clock'", "%H o'clock"),
        ("100%", "100%%"),
        ("yyyyy", None),
        ("Q", None),
    ],
)
def test_jodas_letters(pattern: str, strftime: str | None) -> None:
    assert joda_pattern(pattern, JODA) == strftime


@pytest.mark.parametrize(
    ("pattern", "strftime"), [("%Y%%", "%Y%%"), ("%T", "%H:%M:%S"), ("%U", None), ("%", None), ("%D", None)]
)
def test_mysqls_specifiers(pattern: str, strftime: str | None) -> None:
    assert mysql_pattern(pattern, MYSQL) == strftime


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT date_trunc(unit, ts) FROM raw.t",
        "SELECT date_add('decade', 1, ts) FROM raw.t",
        "SELECT date_diff('weekday', a, b) FROM raw.t",
        "SELECT format_datetime(ts, 'yyyyy') FROM raw.t",
        "SELECT format_datetime(ts, p) FROM raw.t",
        "SELECT date_format(ts, '%U') FROM raw.t",
        "SELECT date_parse(s, '%H:%i') FROM raw.t",
        "SELECT extract(timezone_hour FROM ts) FROM raw.t",
        "SELECT timezone(ts) FROM raw.t",
        "SELECT cast(x AS timestamp(9)) FROM raw.t",
        "SELECT current_timestamp(9)",
        "SELECT from_unixtime(x, 1, 0) FROM raw.t",
    ],
)
def test_what_has_no_equal_is_refused(sql: str, ask: Ask) -> None:
    with pytest.raises(UnsupportedFunction):
        ask(sql)


def test_the_clock_of_another_zone_can_be_read(ask: Ask) -> None:
    zoned = "from_unixtime(1705755600) AT TIME ZONE 'America/New_York'"
    rows = ask(f"SELECT extract(hour FROM {zoned}), date({zoned}), cast(date_trunc('day', {zoned}) AS timestamp)")
    assert rows == [(8, dt.date(2024, 1, 20), dt.datetime(2024, 1, 20))]


def test_the_instant_of_another_zone_is_kept(ask: Ask) -> None:
    rows = ask("SELECT with_timezone(timestamp '2024-01-20 00:00:00', 'America/Phoenix') AS t")
    assert rows == [(dt.datetime(2024, 1, 20, 7, tzinfo=dt.UTC),)]


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH a AS (SELECT {NOON} AT TIME ZONE 'America/New_York' AS t) SELECT extract(hour FROM t) FROM a",
        f"SELECT date_add('day', 1, {NOON} AT TIME ZONE 'America/New_York')",
        f"SELECT max({NOON} AT TIME ZONE 'Asia/Tokyo')",
        "SELECT x AT TIME ZONE zone FROM raw.t",
        "SELECT x AT TIME ZONE 'nowhere' FROM raw.t",
        "WITH a AS (SELECT timestamp '2024-01-20 00:00:00 +01:00' AS t) SELECT date(t) FROM a",
    ],
)
def test_a_zone_that_would_be_lost_on_the_way_is_refused(sql: str, ask: Ask) -> None:
    with pytest.raises(UnsupportedFunction):
        ask(sql)


def test_an_offset_in_text_is_never_lost_in_silence(ask: Ask) -> None:
    text = "from_iso8601_timestamp('2024-01-20T23:30:00-05:00')"
    assert ask(f"SELECT cast({text} AS date)") == [(dt.date(2024, 1, 20),)]
    assert ask(f"SELECT {text} AS t") == [(dt.datetime(2024, 1, 21, 4, 30, tzinfo=dt.UTC),)]
    with pytest.raises(duckdb.Error, match="right where it is read"):
        ask(f"WITH a AS (SELECT {text} AS t) SELECT cast(t AS date) FROM a")
    assert ask(
        "WITH a AS (SELECT from_iso8601_timestamp('2024-01-20T23:30:00Z') AS t) SELECT cast(t AS date) FROM a"
    ) == [(dt.date(2024, 1, 20),)]


@pytest.mark.parametrize("x", ["1705755600", "1705755600.0", "1705755600e0"])
def test_from_unixtime_takes_any_number(x: str, ask: Ask) -> None:
    assert ask(f"SELECT cast(from_unixtime({x}) AS timestamp)") == [(dt.datetime(2024, 1, 20, 13),)]


def test_a_date_stays_a_date(ask: Ask) -> None:
    sql = """SELECT date_add('month', 1, d), d + interval '1' day, d - interval '1' month, date_trunc('month', d)
             FROM (VALUES date '2024-01-31') t(d)"""
    assert ask(sql) == [(dt.date(2024, 2, 29), dt.date(2024, 2, 1), dt.date(2023, 12, 31), dt.date(2024, 1, 1))]


def test_nulls_pass_through(ask: Ask) -> None:
    sql = """SELECT from_unixtime(x), date_add('day', x, d), date_trunc('day', d), date_diff('day', d, d),
                    day_of_week(d), cast(d AS varchar), date_format(d, '%Y'), d + interval '1' day, to_unixtime(d)
             FROM (VALUES (cast(NULL AS bigint), cast(NULL AS date))) AS t(x, d)"""
    assert ask(sql) == [(None,) * 9]
