"""Tools of the tests of the two documents: what is printed, shells that run it, and projects that hold it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phlo.scaffold.nightscout_server import NightscoutServer

PRINTED = Path(__file__).resolve().parent / "printed"
REPOSITORY = PRINTED.parents[2]
PRINTED_URL = "https://gwp-diabetes.fly.dev/api/v1"
DIRECTIONS = {
    "Flat", "FortyFiveUp", "SingleUp", "DoubleUp", "FortyFiveDown", "SingleDown", "DoubleDown", "NONE",
}  # fmt: skip

NIGHTSCOUT_ANSWERS = ("ingestion", "nightscout", "glucose_entries", "_id", "0 */1 * * *", PRINTED_URL)
"""What the documents answer to the prompts of `phlo create-workflow`."""


def printed(name: str) -> str:
    """The text of a block of the documents."""
    return (PRINTED / name).read_text(encoding="utf-8")


def said(name: str) -> list[str]:
    """The lines of a sample output that stands in comments, under Phlo's present name."""
    lines = [line.removeprefix("#").removeprefix(" ").rstrip() for line in printed(name).splitlines()]
    return [line.replace("Cascade", "Phlo") for line in lines if line not in ("", "Output:", "Prompts:")]


def paths(tree: Iterable[str]) -> list[str]:
    """The paths in a picture of folders; a folder ends with a slash.

    >>> paths(["  shop/   <- Yours", "  ├── workflows/", "  │   └── ingestion/", "  └── pyproject.toml  # Project"])
    ['workflows/', 'workflows/ingestion/', 'pyproject.toml']
    """
    found: list[str] = []
    above: list[str] = []
    for line in tree:
        branch = re.match(r"(?:  )?((?:│   |    )*)(?:├|└)── (\S+)", line)
        if branch:
            above = [*above[: len(branch[1]) // 4], branch[2]]
            found.append("".join(above))
    return found


@dataclass(frozen=True)
class Shell:
    """A user's shell in a folder: runs printed lines with the commands of this environment."""

    folder: Path
    settings: Mapping[str, str]

    def run(self, lines: str, *answers: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run lines; ``answers`` are typed at the prompts; ``code`` is what they must exit with."""
        typed = "".join(f"{answer}\n" for answer in answers)
        done = subprocess.run(
            ["bash", "-ec", lines],
            cwd=self.folder,
            env=environment(self.settings),
            input=typed,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == code, f"{lines}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def lines(self, lines: str, *answers: str) -> list[str]:
        """Run lines and return what a user sees, without the blank lines."""
        done = self.run(f"({lines}\n) 2>&1", *answers)
        return [line.rstrip() for line in done.stdout.splitlines() if line.strip()]

    def at(self, folder: str | Path, **settings: str) -> Shell:
        """A shell in another folder, with more settings."""
        return Shell(self.folder / folder, {**self.settings, **settings})


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment without settings of Phlo and of what it stands on, and with this Python first."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PHLO_", "NIGHTSCOUT_", "DBT_"))}
    first = str(Path(sys.executable).parent)
    return {**mine, "PATH": f"{first}{os.pathsep}{os.environ['PATH']}", **settings}


def rows(project: Path, sql: str) -> list[dict[str, Any]]:
    """What main holds."""
    from phlo.profiles import open_lake

    found: list[dict[str, Any]] = open_lake(project).query(sql).to_pylist()
    return found


def number(project: Path, table: str) -> int:
    """How many rows a table has on main."""
    return int(rows(project, f"select count(*) as n from {table}")[0]["n"])


def valid(server: NightscoutServer, day: str, *more_directions: str) -> dict[str, int]:
    """What the printed schema accepts of a day (or month): each `_id` with its last good value, in order of arrival."""
    directions = {None, *DIRECTIONS, *more_directions}
    found: dict[str, int] = {}
    for entry in server.entries.rows:
        value = entry.get("sgv")
        good = isinstance(value, int) or (isinstance(value, str) and value.isdigit())
        known = entry.get("direction") in directions
        if entry["dateString"].startswith(day) and known and good and 1 <= int(value) <= 1000:
            found[entry["_id"]] = int(value)
    return found


def put(file: Path, text: str) -> Path:
    """Write a file of a project."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
