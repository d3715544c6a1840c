"""The files of events: a run's is a copy of an empty one, and the same as Dagster's own."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from phlo.orchestration.storage import FastEventLog, draft_of

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


@pytest.mark.parametrize("meanwhile", [False, True])
def test_on_a_disk_without_hard_links_a_file_does_not_take_the_place_of_one_that_another_process_made_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: bool
) -> None:
    file = tmp_path / "one.db"

    def refused(*_: object) -> None:
        if meanwhile:
            file.write_text("theirs")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with draft_of(file) as draft:
        draft.write_text("ours")
    assert file.read_text() == ("theirs" if meanwhile else "ours")
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_that_fails_for_another_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space left"), draft_of(tmp_path / "one.db") as draft:
        draft.write_text("ours")
    assert list(tmp_path.iterdir()) == []


def inside(file: Path) -> tuple[object, ...]:
    """Its tables, their revision, and how it is written."""
    with closing(sqlite3.connect(file)) as found:
        return tuple(
            sorted(map(str, found.execute(query).fetchall()))
            for query in ("SELECT sql FROM sqlite_master", "SELECT * FROM alembic_version", "PRAGMA journal_mode")
        )


def test_a_file_whose_making_failed_leaves_none_of_its_parts(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full"), draft_of(tmp_path / "a.db") as draft:
        made = sqlite3.connect(draft)  # it stays open, as an engine whose statement failed
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE t (a)")
        assert len(list(tmp_path.glob("*.draft*"))) == 3
        raise OSError("full")
    made.close()
    assert not list(tmp_path.glob("a.db*"))
