"""What a user sees of a project, and what is wrong with what a command said or left."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from steps import Outcome

FULL = ("No space left on device", "database or disk is full", "such as of a disk that was full for a moment")


def badly_said(done: Outcome) -> Iterator[str]:
    """What is wrong with how a full disk was told."""
    if "Traceback" in done.err:
        yield f"a traceback: {done.err}"
    if done.code == 0:
        return
    said = done.err.partition("\nhint: ")[0]
    if done.code != 1 or "error[" not in said or "\nhint: " not in done.err:
        yield f"no error with a hint: {done.code} {done.err}"
    elif not any(words in said.partition("error[")[2] for words in FULL):
        yield f"does not say that the disk is full: {done.err}"


def not_named(found: dict[str, Any], unpublished: int) -> Iterator[str]:
    """Whether refs and status tell of the run that died."""
    for ref in found["refs"]:
        if ref["name"].startswith("run-") and ref["state"] == "open":
            yield f"{ref['name']} is said to be open"
    if found["journals"] - found["seq"] > unpublished and "died" not in found["last"]:
        yield f"status does not tell of the run that died: {found['last']}"


def seen(project: Path) -> dict[str, Any]:
    """What the commands tell."""
    history, status = command("history", "--json"), command("status", "--json")
    return {
        "main": main_of(project),
        "seq": len(history),
        "refs": command("ref", "list", "--json"),
        "last": sorted({asset["last_status"] for asset in status["assets"]}),
        "journals": sum(b"\n" in file.read_bytes() for file in (project / ".phlo" / "state" / "runs").glob("*.jsonl")),
    }


def main_of(project: Path, seq: int | None = None) -> dict[str, Any]:
    """All rows of all tables and views of main, but for what tells when and by which run."""
    from phlo.profiles import open_lake

    lake = open_lake(project)
    pin = lake.catalog.pin(seq=seq)
    found = {}
    for name in sorted({*pin.tables, *pin.views}):
        rows = lake.engine.query(f"SELECT * FROM {name}", pin).to_pylist()
        shown = [{key: value for key, value in row.items() if key not in TIMES} for row in rows]
        found[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in shown)
    return found


TIMES = {"_phlo_load_id", "_phlo_loaded_at", "load_id", "loaded_at", "rejected_at"}


def command(*words: str) -> Any:
    """What a command prints as JSON."""
    from phlo.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(words))
        except SystemExit as stop:
            assert stop.code == 0, err.getvalue()
    return json.loads(out.getvalue())


def like(path: str) -> str:
    """A path without the names that differ between runs."""
    for pattern in (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", r"\d{8}-\d{6}-[0-9a-f]{4}", r"[0-9a-f]{8,}", r"\d+"):
        path = re.sub(pattern, "*", path)
    return path


def leave(code: Any) -> NoReturn:
    """End without taking the interpreter apart, which takes longer than the work."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
