"""`phlo demo`: one command from nothing to published marts."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from phlo.cli.demo import plot

if TYPE_CHECKING:
    from pathlib import Path

Done = subprocess.CompletedProcess[str]


def phlo(*arguments: str, cwd: Path, **environment: str) -> Done:
    command = [sys.executable, "-m", "phlo", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A demo in a folder with a space in its path, behind a proxy that is not there."""
    folder = tmp_path_factory.mktemp("some where")
    done = phlo(
        "demo", "--until", "2024-01-30", cwd=folder, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9"
    )
    assert done.returncode == 0, done.stderr
    return folder / "demo", done


def test_it_makes_the_project_and_publishes_once(demo: tuple[Path, Done]) -> None:
    root, done = demo
    assert (root / "workflows/ingestion/nightscout/readings.py").exists()
    history = phlo("history", "--json", cwd=root)
    assert history.stdout.count('"run_id"') == 1
    assert "Published 7 tables in one step after 5 models and 7 checks" in done.stderr


def test_every_row_that_it_served_is_accounted_for(demo: tuple[Path, Done]) -> None:
    served = re.search(r"synthetic entries, ([\d,]+) of them readings of the sensor", demo[1].stderr)
    counted = re.search(
        r"([\d,]+) rows read, ([\d,]+) new, 0 updated, (\d+) rejected, (\d+) came twice", demo[1].stderr
    )
    assert served
    assert counted
    read, new, rejected, twice = (int(number.replace(",", "")) for number in counted.groups())
    assert int(served[1].replace(",", "")) == read == new + rejected + twice


def test_it_shows_every_day(demo: tuple[Path, Done]) -> None:
    days = re.findall(r"^2024-01-(\d\d) +\d+ +\d+\.\d", demo[1].stdout, re.MULTILINE)
    assert days == [f"{day:02d}" for day in range(1, 31)]


def test_it_draws_the_hours_of_the_day(demo: tuple[Path, Done]) -> None:
    assert "0  1  2  3  4" in demo[1].stdout
    assert "██" in demo[1].stdout


def test_it_says_what_was_rejected_and_why(demo: tuple[Path, Done]) -> None:
    rejected = demo[1].stdout.partition("Rejected")[2]
    for sign in ("`LOW`", "`5000`", "`Sideways`", "null"):
        assert sign in rejected


def test_what_it_says_to_try_works(demo: tuple[Path, Done]) -> None:
    root, done = demo
    commands = re.findall(r"^  (phlo .+)$", done.stdout.partition("Try next:")[2], re.MULTILINE)
    assert len(commands) >= 6
    for command in commands:
        if not command.startswith(("phlo materialize", "phlo undo")):
            arguments = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command)][1:]
            tried = phlo(*arguments, cwd=root)
            assert tried.returncode == 0, command + tried.stderr
            assert tried.stdout


def test_the_figures_are_what_a_query_says(demo: tuple[Path, Done]) -> None:
    root, done = demo
    sql = "select reading_count from marts.mrt_glucose_overview where reading_date = date '2024-01-20'"
    count = re.search(r"^2024-01-20 +(\d+)", done.stdout, re.MULTILINE)
    assert count is not None
    assert f'"reading_count": {count[1]}' in phlo("query", sql, "--json", cwd=root).stdout


@pytest.mark.slow
def test_a_second_demo_in_the_same_folder_loads_nothing_again(demo: tuple[Path, Done]) -> None:
    root, done = demo
    again = phlo("demo", "--until", "2024-01-30", cwd=root.parent)
    assert again.returncode == 0, again.stderr
    assert "30 days already published" in again.stderr
    assert "Nothing changed after 5 models and 7 checks" in again.stderr
    assert again.stdout == done.stdout


def test_the_project_keeps_to_the_demos_site(demo: tuple[Path, Done]) -> None:
    """No real person's readings get among the synthetic ones."""
    assert "NIGHTSCOUT_BASE_URL=http://127.0.0.1:1337/api/v1" in (demo[0] / ".env").read_text()


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine")
    done = phlo("demo", cwd=tmp_path)
    assert done.returncode == 1
    assert "error[project-exists]" in done.stderr
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["mine.txt"]


def test_a_bad_date_is_an_error_before_anything_is_made(tmp_path: Path) -> None:
    done = phlo("demo", "--until", "yesterday", cwd=tmp_path)
    assert done.returncode == 2
    assert "error[invalid-date]" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_extreme_day_still_makes_a_plot() -> None:
    assert plot({}).splitlines()[-2].strip() == "└─"
    tall = plot({0: 400.0, 1: 20.0, 2: 40.0})
    assert tall.startswith(" 400 │")
    assert len(tall.splitlines()) == 20


def test_nothing_is_left_listening(demo: tuple[Path, Done]) -> None:
    port = re.search(r"http://127\.0\.0\.1:(\d+)", demo[1].stderr)
    assert port is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port[1]))) != 0
