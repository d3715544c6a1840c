"""SQL over Arrow tables in memory: the engine's dialect and guard, without a lake."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from phlo.engine.memory import query_arrow
from phlo.errors import QueryFailed, QueryNotAllowed, QuerySyntax

READINGS = pa.table({"id": [1, 2, None], "sgv": [110, 210, None]})


def test_tables_are_known_by_their_names() -> None:
    sql = "SELECT r.id FROM readings AS r JOIN other ON other.id = r.id"
    assert query_arrow(sql, {"readings": READINGS, "other": pa.table({"id": [2]})}).to_pylist() == [{"id": 2}]


def test_the_dialect_is_trino_s_unless_said_otherwise() -> None:
    sql = "SELECT sgv / 100 AS x FROM readings WHERE id = 2"
    assert query_arrow(sql, {"readings": READINGS}).to_pylist() == [{"x": 2}]
    assert query_arrow(sql, {"readings": READINGS}, "duckdb").to_pylist() == [{"x": 2.1}]


def test_times_without_a_zone_are_utc() -> None:
    rows = {"t": pa.table({"a": [dt.datetime(2024, 1, 20)]})}
    assert query_arrow("SELECT to_unixtime(a) AS x FROM t", rows).to_pylist() == [{"x": 1705708800.0}]


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("DELETE FROM readings", QueryNotAllowed),
        ("CREATE TABLE x AS SELECT 1", QueryNotAllowed),
        ("SELECT * FROM", QuerySyntax),
        ("SELECT nope FROM readings", QueryFailed),
        ("SELECT * FROM nothing", QueryFailed),
    ],
)
def test_what_the_engine_would_refuse_is_refused(sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        query_arrow(sql, {"readings": READINGS})


@pytest.mark.parametrize("dialect", ["trino", "duckdb"])
def test_no_file_can_be_read(dialect: str) -> None:
    with pytest.raises((QueryNotAllowed, QueryFailed)):
        query_arrow("SELECT * FROM read_csv('/etc/passwd')", {}, dialect)
    with pytest.raises((QueryNotAllowed, QueryFailed)):
        query_arrow("SELECT * FROM '/etc/passwd'", {}, dialect)
