"""Replay rejected rows: a run whose rows come from ``rejected.<table>`` instead of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phlo.declarations import RAW, REJECTED
from phlo.errors import UnknownAsset, nearest
from phlo.pipeline import execute
from phlo.plan import Plan

if TYPE_CHECKING:
    import datetime as dt

    from phlo.declarations import Ingestion, Reporter
    from phlo.load.replay import Replayed
    from phlo.pipeline import Run
    from phlo.profiles import Lake


@dataclass
class RejectedReplay:
    """What a replay did, and the run that published it."""

    run: Run
    replayed: list[Replayed] = field(default_factory=list)


def replay_rejected(
    lake: Lake, table: str, reporter: Reporter, *, partition: dt.date | None = None, wait: bool = True
) -> RejectedReplay:
    """Judge a table's rejected rows by today's schema, and publish those that pass once its checks did.

    The ledger stays as it is: no source was asked. Raises ``UnknownAsset``, and what ``execute`` raises.
    """
    ingestion = _ingestion(lake, table)
    found: list[Replayed] = []

    def bring(run: Run) -> None:
        from phlo.load.replay import Replay

        replay = Replay(ingestion, lake.engine, lake.catalog, run.ref, run.id, run.staging)
        found[:] = [replay(run.reporter, partition)]

    plan = Plan(
        selection=f"rejected rows of {ingestion.table_name}",
        partitions=(partition,) if partition else (),  # none: checks look at the whole table
        ingestions=(ingestion,),
        qualities=tuple(each for each in lake.workflows.qualities if each.table == ingestion.table),
    )
    return RejectedReplay(execute(lake, plan, reporter, wait=wait, loading=bring), found)


def _ingestion(lake: Lake, table: str) -> Ingestion:
    known = lake.workflows.ingestions
    short = table.removeprefix(f"{RAW}.").removeprefix(f"{REJECTED}.")
    if short not in known:
        raise UnknownAsset(name=table, nearest=nearest(short, known))
    return known[short]
