"""What Dagster adds: to a run, its partitions and a command; what the server costs until its first page, and idle.

python -m benchmarks dagster
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Clock, Table, child, cpu
from phlo.scaffold.init import init_project
from phlo.scaffold.nightscout_server import NightscoutServer
from phlo.scaffold.synthetic_cgm import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKFLOW = """
import phlo


@phlo.ingestion(unique_key="id", partition_start="2023-01-01")
def readings(partition_date: str):
    return [{"id": f"{partition_date}-{n}", "value": n} for n in range(288)]
"""
FIRST, DAY = "2023-01-01", dt.date(2024, 1, 20)
ISOLATED = "phlo dev --isolated (dagster dev)"
SETTLED = 30
MODULE = "dagster"


def tables(quick: bool) -> Iterator[Table]:
    """Runs of a day, a month and a year; then the first page."""
    counts = (1, 3) if quick else (1, 31, 366)
    plain = {days: child(MODULE, "plainly", days=days) for days in counts}
    steps = {days: child(MODULE, "by_dagster", days=days) for days in counts}
    shown = {days: child(MODULE, "shown", days=days) for days in counts}
    yield Table(
        "One run over so many days of 288 rows",
        "CPU s with everything imported: as a command runs it, as the server does, and for showing the command's run "
        "in the server's UI.",
        ("days", "pipeline", "as a run of Dagster", "more", "shown from its journal"),
        [(n, plain[n]["cpu"], steps[n]["cpu"], steps[n]["cpu"] - plain[n]["cpu"], shown[n]["cpu"]) for n in counts],
    )
    yield Table(
        "A command, and its run in Dagster's instance",
        "Seconds of the command and the process beside it, the best of two; the instance is there, no server is.",
        ("command", "CPU", "recorded", "more", "wall", "recorded", "more"),
        list(beside(quick)),
    )
    yield Table(
        "The server until its first page",
        "A project of one ingestion, its instance new. Memory is the sum of the proportional set sizes.",
        ("", "wall s", "CPU s", "processes", "MB", "idle CPU s of a minute"),
        [served("phlo dev", settled=0)] if quick else [served("phlo dev"), served(ISOLATED, "--isolated")],
    )


def plainly(days: int) -> dict[str, float]:
    """Run the pipeline as a command does."""
    with project() as root:
        from phlo.declarations import SilentReporter
        from phlo.pipeline import execute
        from phlo.plan import make_plan
        from phlo.profiles import open_lake

        execute(open_lake(root), make_plan(open_lake(root), ["readings"], _days(1)), SilentReporter())
        lake = open_lake(root)
        plan = make_plan(lake, ["readings"], _days(days))
        with Clock() as clock:
            execute(lake, plan, SilentReporter())
    return clock.took


def by_dagster(days: int) -> dict[str, float]:
    """Run the same as the server's worker does."""
    with project() as root:
        from dagster._core.definitions.job_base import InMemoryJob
        from dagster._core.execution.api import execute_run

        from phlo.orchestration.definitions import definitions
        from phlo.orchestration.instance import open_instance
        from phlo.orchestration.tags import RANGE_TAGS
        from phlo.profiles import open_lake

        lake = open_lake(root)
        job = definitions(lake).get_repository_def().get_job("__ASSET_JOB")
        with open_instance(lake.project) as instance:
            for count in (1, days):
                chosen = _days(count)
                tags = dict(zip(RANGE_TAGS, (str(chosen[0]), str(chosen[-1])), strict=True))
                with Clock() as clock:
                    run = instance.create_run_for_job(job, tags=tags)
                    assert execute_run(InMemoryJob(job), run, instance).success
    return clock.took


def shown(days: int) -> dict[str, float]:
    """Read a command's journal into the instance."""
    with project() as root:
        from phlo.declarations import SilentReporter
        from phlo.orchestration.instance import open_instance
        from phlo.orchestration.jobs import served_code
        from phlo.orchestration.journals import Reader
        from phlo.orchestration.place import VARIABLE
        from phlo.orchestration.workspace import workspace
        from phlo.pipeline import execute
        from phlo.plan import make_plan
        from phlo.profiles import open_lake

        os.environ[VARIABLE] = str(root)
        lake = open_lake(root)
        execute(lake, make_plan(lake, ["readings"], _days(days)), SilentReporter())
        with open_instance(lake.project) as instance, workspace(instance) as context, Clock() as clock:
            assert Reader(lake).read(instance, lambda: served_code(context), print) == 1
    return clock.took


def beside(quick: bool) -> Iterator[tuple[object, ...]]:
    """Run commands with and without the process that records them."""
    with project() as root:
        days = ["--start-date", FIRST, "--end-date", str(_days(366)[-1]), "--force"]
        materialize, backfill = ["materialize", "readings", "--partition", FIRST], ["backfill", "readings", *days]
        yield "materialize, one day", *_compared(root, materialize)
        if quick:
            return
        yield "backfill, 366 days in chunks of 31", *_compared(root, backfill)
    with tempfile.TemporaryDirectory() as name, NightscoutServer(entries(DAY, 2)) as site:
        os.environ["NIGHTSCOUT_BASE_URL"] = site.base_url
        init_project("platform", Path(name), "glucose")
        yield "run, one day, 5 models", *_compared(Path(name) / "platform", ["run", "--partition", str(DAY)])


def _compared(root: Path, command: list[str]) -> tuple[float, ...]:
    _took(root, command, "true")  # what is made once: dbt's answer, the instance
    without, recorded = ([_took(root, command, on) for _ in range(2)] for on in ("false", "true"))
    (cpu, wall), (more_cpu, more_wall) = (tuple(map(min, *found)) for found in (without, recorded))
    return cpu, more_cpu, more_cpu - cpu, wall, more_wall, more_wall - wall


def _took(root: Path, command: list[str], recorded: str) -> tuple[float, float]:
    """CPU seconds of a command and the process beside it, and the wall seconds until the prompt is back."""
    environment = {**os.environ, "PHLO_RECORD_COMMANDS": recorded}
    before, began = cpu(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "phlo", *command], cwd=root, env=environment, check=True, capture_output=True)
    return cpu() - before, time.perf_counter() - began


def served(title: str, *options: str, settled: int = SETTLED) -> tuple[object, ...]:
    """Start the server and ask for a page."""
    with project() as root, closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        began = time.perf_counter()
        command = [sys.executable, "-m", "phlo", "dev", "--port", str(port), *options]
        server = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not _answers(port):
                time.sleep(0.05)
            wall = time.perf_counter() - began
            pids = _below(server.pid)
            found = wall, sum(map(_cpu, pids)), len(pids), sum(map(_memory, pids))
            return title, *found, _idle(server.pid, settled) if settled else "-"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


class project:  # noqa: N801  used like a function
    """A project in a folder that goes again."""

    def __enter__(self) -> Path:
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "workflows").mkdir()
        (self.folder / "workflows" / "readings.py").write_text(WORKFLOW)
        (self.folder / "pyproject.toml").write_text('[project]\nname = "bench"\n[tool.phlo]\n')
        return self.folder

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _days(count: int) -> tuple:  # type: ignore[type-arg]
    first = dt.date.fromisoformat(FIRST)
    return tuple(first + dt.timedelta(days=n) for n in range(count))


def _idle(pid: int, seconds: int) -> float:
    """CPU seconds of a minute in which nobody asks for anything, once it has settled."""
    time.sleep(seconds)
    before = sum(map(_cpu, _below(pid)))
    time.sleep(seconds)
    return (sum(map(_cpu, _below(pid))) - before) * 60 / seconds


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
    except OSError:
        return False
    return True


def _below(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _below(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
