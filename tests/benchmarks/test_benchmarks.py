"""Every benchmark runs, small; what it measures is for people to read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["append", "backfill", "commands", "dialect", "merge", "publish", "queries", "scale", "stream"]
)
def test_a_benchmark_runs_and_prints_its_tables(name: str) -> None:
    out = run(name, "--quick")
    assert re.match(r"\w+ \w+, \d+ CPUs( \(.+?\))?, \d+ GiB, load ", out)
    tables = out.split("### ")[1:]
    assert tables
    for table in tables:
        head, ruler, *rows = [line for line in table.splitlines() if line.startswith("|")]
        assert rows
        assert {line.count("|") for line in rows} == {head.count("|")} == {ruler.count("|")}
        assert all(re.search(r"\| [\d,.]+ \|", row) for row in rows)


@pytest.mark.slow
def test_a_name_that_no_benchmark_has_is_told_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "merg"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no benchmark merg; there are append, backfill, " in done.stderr
