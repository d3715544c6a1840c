"""Fixtures that more than one package of tests uses: the real data, a clean environment, and a small project."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# A shell starts what it puts into the background with Ctrl-C ignored, and so would be what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A command of a test does not record its run in Dagster, which costs two CPU seconds; what that does has its own tests.
UNRECORDED = "PHLO_RECORD_COMMANDS"
os.environ[UNRECORDED] = "false"

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

WORKFLOW = """
import json
from pathlib import Path

import phlo
from phlo.quality import NullCheck

SOURCE = Path(__file__).resolve().parents[2] / "source"


@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    file = SOURCE / f"{partition_date}.json"
    return json.loads(file.read_text()) if file.exists() else []


@phlo.ingestion()
def events(partition_date: str):
    return [{"day": partition_date, "n": n} for n in range(10)]


@phlo.quality(table="raw.readings", checks=[NullCheck(columns=["id"])])
def readings_have_an_id(): ...
"""


def environ(more: dict[str, str]) -> dict[str, str]:
    """The environment with more in it; a PYTHONPATH that is there stays."""
    paths = [path for path in (more.get("PYTHONPATH"), os.environ.get("PYTHONPATH")) if path]
    return {**os.environ, **more, **({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})}


@dataclass(frozen=True)
class Called:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> Any:
        """Its output as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass
class Shop:
    """A project, its source, and how a user runs it."""

    root: Path

    def deliver(self, day: str, rows: list[dict[str, Any]]) -> None:
        """What the source says of a day from now on."""
        (self.root / "source" / f"{day}.json").write_text(json.dumps(rows))

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the user's command."""
        return subprocess.Popen(
            [sys.executable, "-m", "phlo", *arguments],
            cwd=self.root,
            env=environ(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the user's command to its end; ``code`` is what it must exit with (None: whatever)."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        assert code is None or process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def call(self, *arguments: str) -> Called:
        """Call the command in this process: quicker, where a process of its own does not matter."""
        from phlo.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main(["--project", str(self.root), *arguments])
        assert isinstance(stop.value.code, int)
        return Called(stop.value.code, out.getvalue(), err.getvalue())

    def read(self, sql: str, *options: str) -> list[dict[str, Any]]:
        """What a query says of main."""
        rows: list[dict[str, Any]] = self.call("query", sql, "--json", *options).records
        return rows


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A project with two ingestions, one check and no models."""
    root = tmp_path / "shop"
    (root / "workflows" / "ingestion").mkdir(parents=True)
    (root / "source").mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.phlo]\n')
    (root / "workflows" / "ingestion" / "shop.py").write_text(WORKFLOW)
    return Shop(root)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data (../shared) is not beside this checkout")
    return SHARED


COSTLY = {"demo", "environment", "platform", "shared_lake"}
"""Fixtures of a module that take seconds to make."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the tests of a module that share a costly fixture to one worker, which makes it once."""
    for item in items:
        if COSTLY & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("PHLO_", "NIGHTSCOUT_", "DBT_")) and name != UNRECORDED:
            monkeypatch.delenv(name)
