"""Upkeep of a project: maintenance of its lake, and of what runs leave in its state folder.

The command line and the weekly schedule are two callers of these functions.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog
    from phlo.iceberg.maintenance import Keep, Maintenance
    from phlo.profiles import Lake


def plan_upkeep(lake: Lake) -> Maintenance:
    """Find out what upkeep would do to the lake, and change nothing."""
    from phlo.iceberg.maintenance import plan

    return plan(_catalog(lake), _keep(lake))


def keep_up(lake: Lake) -> tuple[Maintenance, int]:
    """Do it; return what was done, and how many journals of runs beyond history_days were deleted."""
    from phlo.iceberg.maintenance import maintain
    from phlo.iceberg.merge import Limits
    from phlo.pipeline import tidy

    settings = lake.project.settings
    limits = Limits(settings.memory_limit, settings.threads, lake.project.state / "temp")
    done = maintain(_catalog(lake), _keep(lake), limits)
    tidy(lake)
    return done, _prune_journals(lake)


def _catalog(lake: Lake) -> SqlRefCatalog:
    from phlo.iceberg.catalog import SqlRefCatalog

    assert isinstance(lake.catalog, SqlRefCatalog)  # the only one there is so far
    return lake.catalog


def _keep(lake: Lake) -> Keep:
    from phlo.iceberg.maintenance import Keep

    settings = lake.project.settings
    return Keep(dt.timedelta(days=settings.history_days), settings.keep_failed, settings.keep_failed_days)


def _prune_journals(lake: Lake) -> int:
    from phlo.journal import FOLDER

    oldest = time.time() - dt.timedelta(days=lake.project.settings.history_days).total_seconds()
    folder = lake.project.state / FOLDER
    old = [file for file in folder.glob("*.jsonl") if file.stat().st_mtime < oldest] if folder.is_dir() else []
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)
