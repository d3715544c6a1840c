"""The files of events: a run's is a copy of an empty one, and the same as Dagster's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from phlo.orchestration.storage import FastEventLog

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_runs_file_is_as_dagster_makes_it_and_one_of_dagsters_own_is_read(tmp_path: Path) -> None:
    own, fast = SqliteEventLogStorage(str(tmp_path / "own")), FastEventLog(str(tmp_path / "fast"))
    for storage in (own, fast):
        assert list(storage.get_logs_for_run("one")) == []
    assert inside(tmp_path / "own" / "one.db") == inside(tmp_path / "fast" / "one.db")
    again = FastEventLog(str(tmp_path / "own"))
    assert list(again.get_logs_for_run("one")) == []
    (tmp_path / "fast" / "two.db").touch()  # somebody was killed while it was made
    assert list(fast.get_logs_for_run("two")) == []
    assert inside(tmp_path / "fast" / "two.db") == inside(tmp_path / "own" / "one.db")
    assert not list(tmp_path.rglob("*.draft*"))
    for each in (fast, again):
        each.dispose()


def inside(file: Path) -> tuple[object, ...]:
    """Its tables, their revision, and how it is written."""
    with closing(sqlite3.connect(file)) as found:
        return tuple(
            sorted(map(str, found.execute(query).fetchall()))
            for query in ("SELECT sql FROM sqlite_master", "SELECT * FROM alembic_version", "PRAGMA journal_mode")
        )
