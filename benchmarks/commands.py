"""What commands cost: CPU seconds of fresh processes, beside a bare interpreter and dbt's own start."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Table, ratio
from phlo.scaffold.nightscout_server import NightscoutServer
from phlo.scaffold.synthetic_cgm import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = date(2024, 1, 20)
PHLO = [sys.executable, "-m", "phlo"]
TIMES = 3


def cpu(command: list[str], cwd: Path, **environment: str) -> float:
    """Run a command and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tables(quick: bool) -> Iterator[Table]:
    """One table: the best of some runs of each command."""
    with tempfile.TemporaryDirectory() as name, NightscoutServer(entries(DAY, 2)) as server:
        folder, site = Path(name), {"NIGHTSCOUT_BASE_URL": server.base_url}
        subprocess.run(
            [*PHLO, "init", "platform", "--template", "glucose"], cwd=folder, check=True, capture_output=True
        )
        project = folder / "platform"
        rows = [
            ("python -c pass", [sys.executable, "-c", "pass"], folder),
            ("import phlo", [sys.executable, "-c", "import phlo"], folder),
            ("phlo --version", [*PHLO, "--version"], folder),
            ("phlo --help", [*PHLO, "--help"], folder),
            ("import dbt.cli.main", [sys.executable, "-c", "import dbt.cli.main"], folder),
            ("phlo materialize, one day", [*PHLO, "materialize", "glucose_entries", "--partition", str(DAY)], project),
            ("phlo run, one day, 5 models, dbt cold", [*PHLO, "run", "--partition", str(DAY)], project),
            ("phlo run, one day, 5 models", [*PHLO, "run", "--partition", str(DAY)], project),
            ("phlo query", [*PHLO, "query", "SELECT count(*) FROM raw.glucose_entries"], project),
            ("phlo history", [*PHLO, "history"], project),
        ]
        if quick:  # dbt takes its time whatever is asked of it
            rows = [row for row in rows if not row[0].startswith(("phlo run", "import dbt"))]
        measured = [(label, best(label, command, where, site, quick)) for label, command, where in rows]
    lines = [(label, round(took, 2), ratio(took, measured[0][1])) for label, took in measured]
    yield Table(
        "Commands", f"CPU seconds of a fresh process, the best of {TIMES}.", ("command", "CPU s", "× bare"), lines
    )


def best(label: str, command: list[str], where: Path, site: dict[str, str], quick: bool) -> float:
    """The least of some runs; what is measured cold runs once."""
    times = 1 if quick or label.endswith("cold") else TIMES
    return min(cpu(command, where, **site) for _ in range(times))
