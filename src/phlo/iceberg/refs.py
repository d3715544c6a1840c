"""Refs: branches of the whole catalog, kept as rows; main is the one that is never a row here."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from phlo.errors import ReadOnlyTable, RefExists, UnknownRef, UnknownTable, nearest
from phlo.iceberg import layout, states
from phlo.iceberg.database import hold, now
from phlo.iceberg.leases import live_runs
from phlo.iceberg.names import check_ref_name, split
from phlo.protocols import MAIN, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from phlo.iceberg.states import Entry, Kind


DIED = "its process ended before the run did"
"""Why the ref of a run that died is kept."""


def all_refs(connection: Connection) -> list[Ref]:
    """List the refs, newest first."""
    row = layout.refs.c
    rows = connection.execute(select(layout.refs).order_by(row.created_at.desc(), row.name))
    return [_ref(row) for row in rows]


def find(connection: Connection, name: str, *, lock: bool = False) -> Ref:
    """Return a ref; with ``lock`` it can not be dropped or published meanwhile (Postgres)."""
    query = select(layout.refs).where(layout.refs.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        known = [ref.name for ref in all_refs(connection)]
        raise UnknownRef(name=name, nearest=nearest(name, [MAIN, *known]))
    return _ref(row)


def check(connection: Connection, name: str) -> None:
    """Raise ``UnknownRef`` unless the ref is there or is main."""
    if name != MAIN:
        find(connection, name)


def writable(connection: Connection, name: str, what: str) -> Ref:
    """Lock a ref to change ``what`` on it; main is refused."""
    if name == MAIN:
        raise ReadOnlyTable(name=what, ref=MAIN)
    return find(connection, name, lock=True)


def lookup(connection: Connection, name: str, asset: str, kind: Kind) -> Entry:
    """Read what a table or a view points to, or raise ``UnknownTable`` with the nearest names."""
    split(asset)
    check(connection, name)
    entry = states.find(connection, name, asset)
    if entry is None or entry.kind != kind:
        known = [other for other, found in states.current(connection, name).items() if found.kind == kind]
        raise UnknownTable(name=asset, ref=name, nearest=nearest(asset, known))
    return entry


def create(connection: Connection, name: str, run_id: str, selection: str) -> Ref:
    """Branch off main."""
    check_ref_name(name)
    hold(connection, "main")
    if connection.execute(select(layout.refs.c.name).where(layout.refs.c.name == name)).first():
        raise RefExists(name=name)
    values: dict[str, Any] = {
        "name": name,
        "state": "open",
        "created_at": now(connection),
        "run_id": run_id,
        "selection": selection,
    }
    values |= {"base_seq": head(connection), "reason": "", "blocked": False}
    connection.execute(layout.refs.insert(), values)
    states.branch(connection, name)
    return find(connection, name)


def fail(connection: Connection, name: str, reason: str, *, blocked: bool) -> None:
    """Mark a ref as failed."""
    find(connection, name, lock=True)
    row = layout.refs.update().where(layout.refs.c.name == name)
    connection.execute(row.values(state="failed", reason=reason, blocked=blocked))


def reopen(connection: Connection, name: str) -> None:
    """Let a run go on with a ref that was kept as failed."""
    find(connection, name, lock=True)
    row = layout.refs.update().where(layout.refs.c.name == name)
    connection.execute(row.values(state="open", reason="", blocked=False))


def drop(connection: Connection, name: str) -> None:
    """Forget a ref and all that is kept of it."""
    find(connection, name, lock=True)
    states.forget(connection, name)
    for table in (layout.reads, layout.ref_loads):
        connection.execute(table.delete().where(table.c.ref == name))
    connection.execute(layout.refs.delete().where(layout.refs.c.name == name))


def standing(connection: Connection, found: Sequence[Ref]) -> list[Ref]:
    """Tell which of the refs are of runs that died: those that are open and whose run holds no lease any more.

    What such a run has left is like what a failed one has: publishing it takes force.
    """
    opened = any(ref.state == "open" and ref.run_id for ref in found)
    alive = live_runs(connection) if opened else set()  # after the refs: a run leases before it opens its ref
    return [
        replace(ref, state="died", reason=DIED, blocked=True)
        if ref.state == "open" and ref.run_id and ref.run_id not in alive
        else ref
        for ref in found
    ]


def reap(connection: Connection) -> list[Ref]:
    """Mark the refs of runs that died as failed."""
    dead = [ref for ref in standing(connection, all_refs(connection)) if ref.state == "died"]
    for ref in dead:
        fail(connection, ref.name, ref.reason, blocked=True)
    return [find(connection, ref.name) for ref in dead]


def prune(connection: Connection, keep: int, days: int) -> list[Ref]:
    """Drop the failed refs beyond the newest ``keep`` of their selection, and those older than ``days`` days."""
    oldest = datetime.fromisoformat(now(connection)) - timedelta(days=days)
    seen = Counter[str]()
    dropped = []
    for ref in all_refs(connection):
        if ref.state == "failed":
            seen[ref.selection] += 1
            if seen[ref.selection] > keep or ref.created_at < oldest:
                drop(connection, ref.name)
                dropped.append(ref)
    return dropped


def record_reads(connection: Connection, name: str, names: Iterable[str]) -> None:
    """Add names to a ref's read set; main has none, as it is not published."""
    if name == MAIN:
        return
    find(connection, name, lock=True)
    known = set(reads(connection, name))
    rows = [{"ref": name, "name": read} for read in sorted(set(names) - known)]
    if rows:
        connection.execute(layout.reads.insert(), rows)


def reads(connection: Connection, name: str) -> list[str]:
    """List a ref's read set."""
    row = layout.reads.c
    return list(connection.scalars(select(row.name).where(row.ref == name).order_by(row.name)))


def head(connection: Connection) -> int:
    """Tell the newest publish; 0 before the first."""
    return connection.scalar(select(func.max(layout.publishes.c.seq))) or 0


def _ref(row: Any) -> Ref:
    values = dict(row._mapping)
    return Ref(**values | {"created_at": datetime.fromisoformat(values["created_at"]).astimezone(UTC)})
