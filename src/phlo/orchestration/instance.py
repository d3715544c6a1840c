"""The project's Dagster instance: its folder in the state, and the configuration that Phlo writes there."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from dagster import DagsterInstance

if TYPE_CHECKING:
    from phlo.project import Project

OWN = "dagster.yaml"
"""A project's own settings of Dagster, in ``.phlo/``: whole sections of it take the place of Phlo's."""


def open_instance(project: Project) -> DagsterInstance:
    """Open the instance; runs, events and ticks are in ``<state>/dagster``.

    One process at a time: two that make its databases at once leave them unusable.
    """
    folder = project.state / "dagster"
    folder.mkdir(exist_ok=True)
    with (folder / "opening.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(folder / "dagster.yaml", yaml.safe_dump(_configuration(project, folder)))
        return DagsterInstance.from_config(str(folder))


def elsewhere(project: Project) -> DagsterInstance | None:
    """Open the instance that ``DAGSTER_HOME`` names, unless it is the project's own."""
    home = os.environ.get("DAGSTER_HOME")
    if not home or Path(home).resolve() == (project.state / "dagster").resolve():
        return None
    return DagsterInstance.get()


def _configuration(project: Project, folder: Path) -> dict[str, Any]:
    ours: dict[str, Any] = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "storage": _custom("storage", "FastSqliteStorage", base_dir=str(folder)),
        "run_launcher": _class("launcher", "ProcessLauncher"),
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"max_concurrent_runs": project.settings.concurrent_runs, "dequeue_interval_seconds": 1},
        },
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(folder)},
        },
        "freshness": {"enabled": True},
        "retention": {"sensor": {"purge_after_days": {"skipped": 1}}},  # one looks every few seconds
    }
    own = project.root / ".phlo" / OWN
    theirs = yaml.safe_load(own.read_text()) if own.is_file() else None
    return ours | with_driver(theirs or {})


def with_driver(theirs: dict[str, Any]) -> dict[str, Any]:
    """Name the driver that Dagster speaks to Postgres with: SQLAlchemy has come to take another when none is named."""
    postgres = (theirs.get("storage") or {}).get("postgres") or {}
    if "postgres_db" in postgres:
        postgres["postgres_db"].setdefault("scheme", "postgresql+psycopg2")
    url = postgres.get("postgres_url")
    if isinstance(url, str):
        postgres["postgres_url"] = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    return theirs


def _class(module: str, name: str, **config: object) -> dict[str, Any]:
    return {"module": f"phlo.orchestration.{module}", "class": name, "config": config}


def _custom(module: str, name: str, **config: object) -> dict[str, Any]:
    return {"custom": _class(module, name, **config)}


def _write(file: Path, text: str) -> None:
    """Write it at once, and only if it differs: several processes open the instance."""
    if not file.exists() or file.read_text() != text:
        draft = file.with_name(f"{file.name}.draft")
        draft.write_text(text)
        draft.replace(file)
