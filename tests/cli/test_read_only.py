"""A project in a folder that can not be written can be read: in a process that modes bind, as they do not bind root."""

from __future__ import annotations

import contextlib
import ctypes
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Shop

DAY = "2024-01-20"
SQL = "SELECT count(*) AS n FROM raw.events"

COMMANDS = """
import contextlib, io, json, os, sys
from phlo.cli.main import main

if os.access(".", os.W_OK):
    sys.exit("skip")
said = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as stop:
            said.append([stop.code, out.getvalue(), err.getvalue()])
print(json.dumps(said))
"""

DROP_FROM_BOUNDING_SET, OVERRIDE_MODES = 24, 1


def bound_by_modes() -> None:
    """Take from root what it is about to be started with: leave to pass over the modes of files."""
    ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, OVERRIDE_MODES, 0, 0, 0)


def told(root: Path, *commands: list[str]) -> list[tuple[int, str, str]]:
    """Run commands in one process that can not write the folder: exit code, stdout and stderr of each."""
    started = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(
        started, cwd=root, preexec_fn=bound_by_modes, capture_output=True, text=True, timeout=120, check=False
    )
    if done.stderr.strip() == "skip":
        pytest.skip("this machine lets root write whatever a folder's mode is")
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def set_modes(root: Path, *, writable: bool) -> None:
    for path in [root, *root.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~0o222)


def close(file: Path) -> None:
    """Leave a catalog as its last process does: without a log."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    Path(f"{file}-wal").unlink()
    Path(f"{file}-shm").unlink()


def kill(file: Path) -> None:
    """Leave a catalog as a copy of the files of a killed process has it: what was published is in the log alone."""
    Path(f"{file}-shm").unlink()
    assert Path(f"{file}-wal").stat().st_size


def keep_open(file: Path) -> None:
    """Leave a catalog as it is while another process, here this one, has it open."""
    assert Path(f"{file}-shm").exists()


@pytest.fixture
def kept(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A project with one published day, that can not be written; a test's parameter says how its catalog was left."""
    lake = open_lake(shop.root)  # holds the log while the command comes and goes
    assert lake.catalog.refs() == []
    assert shop.call("materialize", "events", "--partition", DAY).code == 0
    shutil.rmtree(shop.root / ".phlo" / "state" / "temp", ignore_errors=True)
    getattr(request, "param", close)(shop.root / ".phlo" / "state" / "catalog.db")
    set_modes(shop.root, writable=False)
    yield shop
    set_modes(shop.root, writable=True)


def state(root: Path) -> list[Any]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in (root / ".phlo").rglob("*"))


@pytest.mark.slow
def test_what_is_published_can_be_looked_at_and_a_write_says_why_it_can_not_be(kept: Shop) -> None:
    before = state(kept.root)
    reading = [["query", SQL, "--json"], ["status", "--json"], ["catalog", "tables", "--json"], ["history", "--json"]]
    commands = [*reading, ["doctor"], ["undo", "--yes"], ["materialize", "events"]]
    *read, doctor, refused, publish = told(kept.root, *commands)
    assert [code for code, _, _ in (*read, doctor)] == [0, 0, 0, 0, 0], (read, doctor)
    assert f"! disk: `{kept.root}/.phlo/state` can only be read: queries, status and history work" in doctor[1]
    assert json.loads(read[0][1]) == [{"n": 10}]
    assert json.loads(read[1][1])["assets"][0]["rows"] == 10
    assert refused[0] == 1
    assert f"error[read-only-folder]: The lake in `{kept.root}/.phlo/state` can only be read" in refused[2]
    assert (publish[0], publish[2].splitlines()) == (1, refused[2].splitlines())
    assert state(kept.root) == before


@pytest.mark.slow
@pytest.mark.parametrize("kept", [kill, keep_open], indirect=True)
def test_what_is_in_the_log_alone_is_read_too(kept: Shop) -> None:
    ((code, out, err),) = told(kept.root, ["query", SQL, "--json"])
    assert (code, json.loads(out), err) == (0, [{"n": 10}], "")
