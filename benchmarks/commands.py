"""What commands cost: CPU seconds of fresh processes, beside a bare interpreter and dbt's own start.

python benchmarks/commands.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from phlo.scaffold.nightscout_server import NightscoutServer
from phlo.scaffold.synthetic_cgm import entries

DAY = date(2024, 1, 20)
PHLO = [sys.executable, "-m", "phlo"]
TIMES = 3


def cpu(command: list[str], cwd: Path, **environment: str) -> float:
    """Run a command and return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
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
        bare = 0.0
        print(f"{'command':<40} {'CPU s':>7} {'x bare':>7}")
        for label, command, where in rows:
            times = 1 if label.endswith("cold") else TIMES
            best = min(cpu(command, where, **site) for _ in range(times))
            bare = bare or best
            print(f"{label:<40} {best:7.2f} {best / bare:7.1f}")


if __name__ == "__main__":
    main()
