"""Pieces of benchmarks in processes of their own, what they took, and tables of it. Nothing but Python is needed here.

python -m benchmarks.measure MODULE FUNCTION '{"its": "arguments"}'
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Commands are measured alone; what recording them in Dagster adds is a table of benchmarks/dagster.py.
os.environ.setdefault("PHLO_RECORD_COMMANDS", "false")

REPOSITORY = Path(__file__).resolve().parent.parent
WRITTEN = (".parquet", ".avro", ".json", ".ducklake", ".duckdb")
PEERS = ("phlo", "pyiceberg", "duckdb", "deltalake", "dlt", "pyarrow")

Took = dict[str, float]


@dataclass(frozen=True)
class Table:
    """What a benchmark says."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *([shown(cell) for cell in row] for row in self.rows)]
        return f"### {self.title}\n\n{self.note}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


@dataclass
class Clock:
    """Measures a block: CPU seconds of this process and its children, wall seconds, and what it wrote to a folder."""

    folder: Path | None = None
    took: Took = field(default_factory=dict)

    def __enter__(self) -> Clock:
        self._before = files(self.folder)
        gc.collect()
        gc.freeze()  # or, at a moment that nobody can tell, Python looks for garbage in all that imports made: 0.07 s
        self._cpu, self._wall = cpu(), time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self.took |= {"cpu": cpu() - self._cpu, "wall": time.perf_counter() - self._wall, "peak": peak()}
        gc.unfreeze()
        after = files(self.folder)
        self.took["written"] = sum(size for file, size in after.items() if self._before.get(file) != size) / 1e6


def child(module: str, function: str, *, python: str = sys.executable, **case: Any) -> Any:
    """Call a function of a benchmark in a process of its own; its result comes back as JSON."""
    command = [python, "-m", "benchmarks.measure", module, function, json.dumps(case)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def cpu() -> float:
    """CPU seconds so far, of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most / (1024 if sys.platform == "linux" else 1024**2)


def files(folder: Path | None) -> dict[Path, int]:
    """The data and metadata files below a folder, with their sizes."""
    found = folder.rglob("*") if folder else ()
    return {file: file.stat().st_size for file in found if file.suffix in WRITTEN}


def machine() -> str:
    """Where this runs, and with what."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    peers = ", ".join(f"{name} {found}" for name in PEERS if (found := installed(name)))
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs{_processor()}, {memory:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {peers}"
    )


def _processor() -> str:
    """What the CPUs are called, where the system says it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return f" ({', '.join(sorted(names))})" if names else ""


def installed(package: str) -> str:
    """A package's version, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def shown(cell: object) -> str:
    """A cell as people read it: numbers with as many digits as matter."""
    if isinstance(cell, float):
        return f"{cell:.2f}" if cell < 10 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def ratio(one: float, other: float) -> str:
    """How many times the other."""
    return f"{one / other:.1f}" if other else ""


if __name__ == "__main__":
    _, name, called, arguments = sys.argv
    print(json.dumps(getattr(importlib.import_module(f"benchmarks.{name}"), called)(**json.loads(arguments))))
