"""SIGKILL before each step that a command takes on the disk, and a disk that is full from each of them on.

After each: main is a whole publish, before or after; refs and status name the dead; the same command then does its
work, no row lost or doubled; and maintenance clears all that was left. ``SWEEP=every`` tries every single step, some
1,800 of them, which takes an hour; without it, the first of each kind and of most commands the last.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SWEEP = Path(__file__).with_name("sweep.py")
KILLED = {"merge": "ends", "maintain": "ends", "publish": "ends", "undo": "ends",
          "first-load": "firsts", "backfill": "firsts", "run": "firsts"}  # fmt: skip
TORN = {"merge": "firsts", "publish": "firsts"}
FULL = {"merge": "firsts", "run": "firsts", "publish": "ends"}
"""Which steps are tried of each command, where not all are."""


def sweep(scenario: str, fault: str, folder: Path, how: str) -> dict[str, Any]:
    """Run a sweep in a process of its own; skip where processes can't be stopped."""
    refused = subprocess.run([sys.executable, SWEEP], capture_output=True, text=True, check=True).stdout
    if refused:
        pytest.skip(refused)
    done = subprocess.run(
        [sys.executable, SWEEP, scenario, fault, folder / "sweep", how], capture_output=True, text=True, check=False
    )
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
    assert found["tried"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("scenario", FULL)
def test_a_disk_that_is_full_from_any_step_on_is_said_and_harms_nothing(scenario: str, tmp_path: Path) -> None:
    assert sweep(scenario, "full", tmp_path, os.environ.get("SWEEP", FULL[scenario]))["problems"] == []


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["merge", "run"])
def test_strace_sees_no_step_that_is_not_swept(scenario: str, tmp_path: Path) -> None:
    found = sweep(scenario, "kill", tmp_path, "none")
    if found["unseen"] is None:
        pytest.skip("no strace, or it may not watch a process")
    assert found["unseen"] == []
    assert found["steps"] > 100
