"""Backfill: a range of days in chunks, each one run with one publish; models run once, with the last chunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phlo.declarations import today
from phlo.pipeline import execute

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from phlo.declarations import Quality, Reporter
    from phlo.pipeline import Run
    from phlo.plan import Plan
    from phlo.profiles import Lake

CHUNK = 31
"""Days in one run: few commits, and little to do again after a failure."""


@dataclass(frozen=True)
class Backfill:
    """The runs of a backfill, and the days that main already has."""

    chunks: tuple[Plan, ...]
    skipped: tuple[dt.date, ...]


def plan_backfill(lake: Lake, plan: Plan, *, force: bool = False, chunk: int = CHUNK) -> Backfill:
    """Split a plan into chunks, leaving out the days that main's ledger holds for every one of its ingestions.

    A day that was published before it was over is not left out, and so never today; ``force`` leaves out nothing.
    Ingestions without partitions and models run once, with the last chunk.
    """
    loaded = set() if force else _loaded_when_over(lake)
    tables = [ingestion.table for ingestion in plan.ingestions if ingestion.partitioned]

    def is_done(day: dt.date) -> bool:
        return day != today() and all((table, day.isoformat()) in loaded for table in tables)

    missing = [day for day in plan.partitions if not is_done(day)]
    if not tables:
        return Backfill((plan,), ())
    pieces = [missing[start : start + chunk] for start in range(0, len(missing), chunk)]
    daily = replace(plan, ingestions=tuple(each for each in plan.ingestions if each.partitioned), models=())
    plans = [replace(daily, partitions=tuple(piece), qualities=_raw_checks(daily)) for piece in pieces]
    if plans:
        plans[-1] = replace(plan, partitions=tuple(pieces[-1]))
    elif plan.models:
        plans = [replace(plan, ingestions=tuple(each for each in plan.ingestions if not each.partitioned))]
    return Backfill(tuple(plans), tuple(day for day in plan.partitions if is_done(day)))


def run_backfill(
    lake: Lake, backfill: Backfill, reporter: Reporter, *, wait: bool = True, parallel: int = 1
) -> Iterator[Run]:
    """Run the chunks one after another; the ones that are published stay when a later one fails."""
    for number, chunk in enumerate(backfill.chunks, 1):
        if len(backfill.chunks) > 1:
            first, last = chunk.partitions[0], chunk.partitions[-1]
            reporter.step(f"chunk {number} of {len(backfill.chunks)}: {first} to {last}")
        yield execute(lake, chunk, reporter, wait=wait, parallel=parallel)


def _loaded_when_over(lake: Lake) -> set[tuple[str, str]]:
    """The days of main's ledger that were published after they had ended, by table."""
    ended = {load.load_id: publish.at.date() for publish in lake.catalog.publishes() for load in publish.loads}
    return {
        (load.table, load.partition)
        for load in lake.catalog.loads()
        if load.partition and ended[load.load_id].isoformat() > load.partition
    }


def _raw_checks(plan: Plan) -> tuple[Quality, ...]:
    raw = {ingestion.table for ingestion in plan.ingestions}
    return tuple(quality for quality in plan.qualities if quality.table in raw)
