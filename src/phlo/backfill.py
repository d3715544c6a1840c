"""Backfill: a range of days in chunks, each one run with one publish; models run once, with the last chunk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phlo.declarations import EXTRACTING, today
from phlo.pipeline import execute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phlo.declarations import Quality, Reporter
    from phlo.pipeline import Run
    from phlo.plan import Plan
    from phlo.profiles import Lake
    from phlo.protocols import Publish

CHUNK = 31
"""Days in one run: few commits, and little to do again after a failure."""


@dataclass(frozen=True)
class Backfill:
    """The runs of a backfill, and what main already has."""

    chunks: tuple[Plan, ...]
    skipped: tuple[dt.date, ...]
    """Days of which nothing needs to be loaded."""
    gaps: int = 0
    """Loads left out of days of which others are loaded."""

    @property
    def loads(self) -> int:
        """How many partitions are to be loaded, of all tables."""
        return sum(len(chunk.loads) for chunk in self.chunks)

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The days to load, ascending."""
        return tuple(day for chunk in self.chunks for day in chunk.days)


def plan_backfill(lake: Lake, plan: Plan, *, force: bool = False, chunk: int | None = None) -> Backfill:
    """Split a plan into chunks of so many days, leaving out what main's ledger holds: each table's days by themselves.

    A day that was published before it was over is not left out, and so never today; ``force`` leaves out nothing.
    Ingestions without partitions and models run once, with the last chunk.
    """
    tables = [ingestion.table for ingestion in plan.ingestions if ingestion.partitioned]
    if not tables:
        return Backfill((plan,), ())
    loaded = set() if force else _loaded_when_over(lake)
    done = {(table, day) for table in tables for day in plan.partitions if (table, day) in loaded and day != today()}
    missing = [day for day in plan.partitions if not all((table, day) in done for table in tables)]
    skipped = tuple(day for day in plan.partitions if day not in set(missing))
    plans = [_chunk(plan, days, done) for days in _pieces(missing, chunk or CHUNK)]
    if plans:
        plans[-1] = replace(plan, partitions=plans[-1].partitions, done=plans[-1].done)
    elif plan.models:
        plans = [replace(plan, done=frozenset(done))]
    return Backfill(tuple(plans), skipped, len(done) - len(tables) * len(skipped))


def run_backfill(
    lake: Lake, backfill: Backfill, reporter: Reporter, *, wait: bool = True, parallel: int = 1
) -> Iterator[Run]:
    """Run the chunks one after another; the ones that are published stay when a later one fails."""
    overall = Overall(reporter, backfill.loads)
    for number, chunk in enumerate(backfill.chunks, 1):
        if len(backfill.chunks) > 1:
            first, last = chunk.partitions[0], chunk.partitions[-1]
            reporter.step(f"chunk {number} of {len(backfill.chunks)}: {first} to {last}")
        run = execute(lake, chunk, overall, wait=wait, parallel=parallel)
        overall.add(len(chunk.loads), sum(load.rows_read for load in run.loads))
        yield run


class Overall:
    """Tells the progress of a chunk as that of the whole backfill."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter, self._total = reporter, total
        self._loads = self._rows = 0

    def add(self, loads: int, rows: int) -> None:
        """A chunk is published."""
        self._loads, self._rows = self._loads + loads, self._rows + rows

    def step(self, message: str) -> None:
        """A step began or ended."""
        self._reporter.step(message)

    def warn(self, message: str) -> None:
        """Something a user should see."""
        self._reporter.warn(message)

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """Some of a chunk's loads are extracted."""
        if task == EXTRACTING:
            done, total, rows = done + self._loads, self._total, rows + self._rows
        self._reporter.progress(task, done, total, rows)


def _pieces(days: Sequence[dt.date], chunk: int) -> list[tuple[dt.date, ...]]:
    return [tuple(days[start : start + chunk]) for start in range(0, len(days), chunk)]


def _chunk(plan: Plan, days: tuple[dt.date, ...], done: set[tuple[str, dt.date]]) -> Plan:
    """The loads of some days alone: of the ingestions that lack one of them."""
    had = frozenset((table, day) for table, day in done if day in set(days))
    lacking = tuple(
        each for each in plan.ingestions if each.partitioned and not all((each.table, day) in had for day in days)
    )
    daily = replace(plan, partitions=days, ingestions=lacking, models=(), done=had)
    return replace(daily, qualities=_raw_checks(daily))


def _loaded_when_over(lake: Lake) -> set[tuple[str, dt.date]]:
    """The tables and days of main's ledger whose source was asked after the day had ended."""
    asked = {load.load_id: _began(publish) for publish in lake.catalog.publishes() for load in publish.loads}
    loads = [(load, dt.date.fromisoformat(load.partition)) for load in lake.catalog.loads() if load.partition]
    return {(load.table, day) for load, day in loads if asked[load.load_id].date() > day}


def _began(publish: Publish) -> dt.datetime:
    """When a publish's run began, which its id says: before it asked its sources, unlike the publish itself.

    >>> from phlo.protocols import Publish
    >>> at = dt.datetime(2024, 1, 21, 0, 4, tzinfo=dt.UTC)
    >>> _began(Publish(1, at, "20240120-235000-3fa9", "run-1")).isoformat(), _began(Publish(1, at, "x", "x")) == at
    ('2024-01-20T23:50:00+00:00', True)
    """
    try:
        began = dt.datetime.strptime(publish.run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return publish.at
    return min(began, publish.at)


def _raw_checks(plan: Plan) -> tuple[Quality, ...]:
    raw = {ingestion.table for ingestion in plan.ingestions}
    return tuple(quality for quality in plan.qualities if quality.table in raw)
