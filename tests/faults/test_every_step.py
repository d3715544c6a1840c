"""SIGKILL before each step that a command takes on the disk, and a disk that is full from each of them on, or at it.

After each: main is a whole publish, before or after; refs and status name the dead; the same command then does its
work, no row lost or doubled; and maintenance clears all that was left. Beside that, a second command, or a jump of the
clock, at steps of a first. ``SWEEP=every`` tries every single step, some 3,000 of them, which takes hours; without it,
the first of each kind and of some commands the last.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
KILLED = {"merge": "ends", "maintain": "ends", "publish": "ends", "undo": "firsts", "replay": "firsts",
          "first-load": "firsts", "backfill": "firsts", "run": "firsts"}  # fmt: skip
TORN = {"merge": "firsts", "publish": "ends", "backfill": "firsts"}
FULL = {"merge": "firsts", "run": "firsts", "publish": "ends", "backfill": "some"}
SHORT = {"merge": "some", "publish": "firsts"}
BESIDE = [("load-and-load", "killed"), ("maintain-and-load", "goes-on"), ("load-and-maintain-back", "goes-on")]
CLOCK = ["load-later-and-maintain", "load-earlier-and-maintain"]
"""Which steps are tried of each command, where not all are."""


def sweep(scenario: str, fault: str, folder: Path, how: str, script: str = "sweep.py", **more: str) -> dict[str, Any]:
    """Run a sweep in a process of its own; skip where processes can't be stopped."""
    refused = subprocess.run([sys.executable, HERE / "sweep.py"], capture_output=True, text=True, check=True).stdout
    if refused:
        pytest.skip(refused)
    command = [sys.executable, HERE / script, scenario, fault, folder / "sweep", how]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **more})
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scenario", KILLED)
def test_a_command_that_is_killed_at_any_of_its_steps_leaves_main_whole(scenario: str, tmp_path: Path) -> None:
    found = sweep(scenario, "kill", tmp_path, os.environ.get("SWEEP", KILLED[scenario]))
    assert found["problems"] == []
    assert found["tried"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("scenario", TORN)
def test_a_command_that_is_killed_with_a_write_half_done_leaves_main_whole(scenario: str, tmp_path: Path) -> None:
    found = sweep(scenario, "torn", tmp_path, os.environ.get("SWEEP", TORN[scenario]))
    assert found["problems"] == []
    assert found["tried"] >= 3  # only SQLite's log, its shared memory and its file, of a publish


@pytest.mark.slow
@pytest.mark.parametrize("scenario", FULL)
def test_a_disk_that_is_full_from_any_step_on_is_said_and_harms_nothing(scenario: str, tmp_path: Path) -> None:
    assert sweep(scenario, "full", tmp_path, os.environ.get("SWEEP", FULL[scenario]))["problems"] == []


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SHORT)
def test_a_disk_that_is_full_for_one_step_alone_is_said_and_harms_nothing(scenario: str, tmp_path: Path) -> None:
    assert sweep(scenario, "short", tmp_path, os.environ.get("SWEEP", SHORT[scenario]))["problems"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("pair", "ends"), BESIDE)
def test_a_command_that_begins_in_the_middle_of_another_loses_and_doubles_nothing(
    pair: str, ends: str, tmp_path: Path
) -> None:
    found = sweep(pair, ends, tmp_path, os.environ.get("SWEEP", "some"), "beside.py")
    assert found["problems"] == []
    assert found["tried"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("pair", CLOCK)
def test_a_clock_that_jumps_in_the_middle_of_a_load_loses_and_doubles_nothing(pair: str, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("a clock that jumps takes a C compiler")
    library, jump = tmp_path / "clock.so", tmp_path / "jump"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "clock.c"], check=True)
    jump.write_bytes(bytes(8))
    clock = {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(jump)}
    found = sweep(pair, "goes-on", tmp_path, os.environ.get("SWEEP", "some"), "beside.py", **clock)
    assert found["problems"] == []
    assert found["tried"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["merge", "run"])
def test_strace_sees_no_step_that_is_not_swept(scenario: str, tmp_path: Path) -> None:
    found = sweep(scenario, "kill", tmp_path, "none")
    if found["unseen"] is None:
        pytest.skip("no strace, or it may not watch a process")
    assert found["unseen"] == []
    assert found["steps"] > 100
