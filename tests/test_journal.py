"""The journal of a run: what is written as it goes, and what is read of runs that ended, run, or died."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from phlo.declarations import SilentReporter
from phlo.errors import UnknownRef
from phlo.journal import journal, read, runs
from phlo.protocols import Load

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2024, 1, 20)


def test_a_run_keeps_what_it_was_told_and_how_it_ended(tmp_path: Path) -> None:
    told = SilentReporter()
    with journal(tmp_path, "r1", told, selection="readings", partitions=[DAY], tables=["raw.readings"]) as kept:
        kept.step("extracting")
        kept.warn("a field is new")
        kept.records("load", [Load("raw.readings", "2024-01-20", "x", rows_read=3)])
        kept.write("published", seq=7)
    (run,) = runs(tmp_path)
    assert (run.run_id, run.status, run.partitions, run.tables) == ("r1", "success", ("2024-01-20",), ("raw.readings",))
    assert [line["level"] for line in run.of("log")] == ["INFO", "WARNING"]
    assert run.of("load")[0]["rows_read"] == 3
    assert run.of("published")[0]["seq"] == 7
    assert run.seconds is not None
    assert told.messages == ["extracting", "a field is new"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnknownRef(name="x", nearest="."), "failed", "unknown-ref"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_run_that_is_stopped_keeps_the_reason(tmp_path: Path, error: BaseException, status: str, code: str) -> None:
    with (
        pytest.raises(type(error)),
        journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]),
    ):
        raise error
    (run,) = runs(tmp_path)
    assert run.status == status
    assert run.error is not None
    assert run.error["code"] == code
    assert run.error["message"]


def test_a_run_is_running_while_its_process_is_and_died_when_that_is_gone(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept:
        assert runs(tmp_path)[0].status == "running"
        lines = kept.file.read_text()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    began = {**json.loads(lines), "run_id": "r2", "pid": gone.pid}
    (tmp_path / "runs" / "r2.jsonl").write_text(json.dumps(began) + "\n")
    assert {run.run_id: run.status for run in runs(tmp_path)} == {"r1": "success", "r2": "died"}


def test_a_line_that_broke_off_costs_that_line_alone(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept:
        kept.step("one")
        with kept.file.open("a") as file:
            file.write('{"at": "2024-01-2\n')
        kept.step("zwei ✓")
    run = read(kept.file)
    assert run is not None
    assert [line["message"] for line in run.of("log")] == ["one", "zwei ✓"]


def test_a_journal_that_can_not_be_written_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    told = SilentReporter()
    with journal(tmp_path, "r1", told, selection="x", partitions=[], tables=[]) as kept:
        kept.file.unlink()
        kept.file.mkdir()
        kept.step("one")
        kept.step("two")
    assert [message for message in told.messages if "could not be written" in message] == [told.messages[0]]
    assert told.messages[1:] == ["one", "two"]


def test_only_runs_that_wrote_since_a_time_are_read(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]):
        pass
    assert runs(tmp_path, since=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)) == []
    assert len(runs(tmp_path, since=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))) == 1
    assert runs(tmp_path / "nowhere") == []


def test_nothing_follows_the_end(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept:
        pass
    kept.step("a thread of a source speaks late")
    (run,) = runs(tmp_path)
    assert (run.status, run.lines[-1]["event"]) == ("success", "ended")


def test_a_replay_takes_the_place_of_what_was_refused(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept:
        for attempt in (1, 2):
            load = Load("raw.readings", "2024-01-20", "x", rows_read=attempt)
            kept.keep(SimpleNamespace(loads=[load], checks=[], transformed=None, published=None))
    (run,) = runs(tmp_path)
    assert [line["rows_read"] for line in run.of("load")] == [2]


def test_half_a_character_is_written_all_the_same(tmp_path: Path) -> None:
    with journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept:
        kept.step("half \ud83d")
    (run,) = runs(tmp_path)
    assert run.status == "success"
    assert run.of("log")[0]["message"].startswith("half ")


def test_a_journal_without_a_place_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    told = SilentReporter()
    with journal(tmp_path, "r1", told, selection="x", partitions=[], tables=[]) as kept:
        kept.step("one")
    assert "could not be written" in told.messages[0]
    assert told.messages[1] == "one"


def test_secrets_do_not_get_into_a_journal(tmp_path: Path) -> None:
    address = "https://ann:hunter22@host/x?token=abcdef123"
    with (
        pytest.raises(ValueError),
        journal(tmp_path, "r1", SilentReporter(), selection="x", partitions=[], tables=[]) as kept,
    ):
        kept.warn(f"asking {address}")
        raise ValueError(f"no answer from {address}")
    text = kept.file.read_text()
    assert "hunter22" not in text
    assert "abcdef123" not in text
