"""Upkeep of a project: maintenance of its lake, and of what runs leave in its state folder.

The command line and the weekly schedule are two callers of these functions.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog
    from phlo.iceberg.maintenance import Keep, Maintenance
    from phlo.profiles import Lake

EVENTS, INDEX = Path("dagster", "history", "runs"), "index.db"
"""Where Dagster keeps the events of each run in a file of its own, and those of assets once more in one."""

PRINTED, HELD = Path("dagster", "storage"), Path("dagster", "held")
"""Where it keeps what the code of each run printed, and Phlo what a ref has to tell Dagster when it is published."""


def plan_upkeep(lake: Lake) -> Maintenance:
    """Find out what upkeep would do to the lake, and change nothing."""
    from phlo.iceberg.maintenance import plan

    return plan(_catalog(lake), _keep(lake))


def keep_up(lake: Lake) -> tuple[Maintenance, int]:
    """Do it; return what was done, and how many old files of what runs said were deleted."""
    from phlo.engine.duckdb import DuckDBEngine
    from phlo.iceberg.maintenance import maintain
    from phlo.pipeline import tidy

    engine = lake.engine
    limits = engine.limits() if isinstance(engine, DuckDBEngine) else None
    done = maintain(_catalog(lake), _keep(lake), limits)
    tidy(lake)
    return done, _prune_records(lake)


def _catalog(lake: Lake) -> SqlRefCatalog:
    from phlo.iceberg.catalog import SqlRefCatalog

    assert isinstance(lake.catalog, SqlRefCatalog)  # the only one there is so far
    return lake.catalog


def _keep(lake: Lake) -> Keep:
    from phlo.iceberg.maintenance import Keep

    settings = lake.project.settings
    return Keep(dt.timedelta(days=settings.history_days), settings.keep_failed, settings.keep_failed_days)


def _prune_records(lake: Lake) -> int:
    """Delete what is older than history_days of what runs said: journals, and the events and logs of Dagster's runs.

    The index of Dagster's events stays: it knows which partitions are materialized.
    """
    from phlo.journal import FOLDER

    state = lake.project.state
    oldest = time.time() - dt.timedelta(days=lake.project.settings.history_days).total_seconds()
    events = state / EVENTS
    written = [*state.glob(f"{FOLDER}/*.jsonl"), *(file for file in events.glob("*.db") if file.name != INDEX)]
    written += events.parent.rglob("*.draft")  # of who was killed while a file of events was made
    old = [file for file in written if file.stat().st_mtime < oldest]
    for file in old:
        for each in (file, *file.parent.glob(f"{file.name}-*")):  # SQLite's log lies beside its file
            each.unlink(missing_ok=True)
    for logs in (state / PRINTED).glob("*/compute_logs"):
        if logs.stat().st_mtime < oldest:
            shutil.rmtree(logs.parent, ignore_errors=True)
    refs = {ref.name for ref in lake.catalog.refs()}
    for file in (state / HELD).glob("*.json"):
        if file.stem not in refs and file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
    return len(old)
