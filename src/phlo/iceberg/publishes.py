"""Publish: the one way main moves; its log, which gives history, as-of and undo."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from phlo.errors import (
    BeforeFirstPublish,
    NothingPublished,
    PublishBlocked,
    PublishConflict,
    UnknownPublish,
)
from phlo.iceberg import layout, ledger, refs, states
from phlo.iceberg.database import hold, now, stamp
from phlo.protocols import MAIN, Change, Publish

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from phlo.iceberg.states import Move, State
    from phlo.protocols import Ref


def publish(connection: Connection, name: str, *, force: bool) -> Publish:
    """Move main to a ref, if all that the ref read and wrote is still on main as it was."""
    hold(connection, "main")
    (ref,) = refs.standing(connection, [refs.find(connection, name, lock=True)])
    if ref.blocked and not force:
        raise PublishBlocked(ref=name, reason=ref.reason or "a blocking check failed")
    base, main = states.base(connection, name), states.current(connection, MAIN, lock=True)
    moved = states.moves(base, states.current(connection, name, lock=True))
    _check(ref, moved, refs.reads(connection, name), base, main)
    states.apply(connection, MAIN, moved)
    entry = _enter(connection, moved, run_id=ref.run_id, ref=name, forced=ref.blocked)
    loads = ledger.publish(connection, name, entry.seq)
    refs.drop(connection, name)
    return replace(entry, loads=loads)


def undo(connection: Connection, seq: int | None) -> Publish:
    """Move main back to the state before a publish, in a publish of its own."""
    hold(connection, "main")
    newest = refs.head(connection)
    if not newest:
        raise NothingPublished()
    undone = newest if seq is None else seq
    check_seq(undone, newest)
    moved = states.moves(states.current(connection, MAIN, lock=True), states.at(connection, undone - 1))
    states.apply(connection, MAIN, moved)
    return _enter(connection, moved, run_id="", ref=MAIN, forced=False, restores=undone - 1)


def log(connection: Connection, limit: int | None = None, run_id: str | None = None) -> list[Publish]:
    """List publishes, newest first."""
    row = layout.publishes.c
    query = select(layout.publishes).order_by(row.seq.desc()).limit(limit)
    rows = connection.execute(query if run_id is None else query.where(row.run_id == run_id)).all()
    seqs = [row.seq for row in rows]
    loads, changes = ledger.of_publishes(connection, seqs), _changes(connection, seqs)
    return [
        Publish(
            seq=row.seq,
            at=datetime.fromisoformat(row.at_utc),
            run_id=row.run_id,
            ref=row.ref,
            changes=changes.get(row.seq, ()),
            loads=loads.get(row.seq, ()),
            forced=row.forced,
            restores=row.restores,
        )
        for row in rows
    ]


def seq_at(connection: Connection, as_of: datetime) -> int:
    """Find the last publish at or before a time; a naive time is UTC."""
    row, time = layout.publishes.c, stamp(as_of)
    seq = connection.scalar(select(func.max(row.seq)).where(row.at_utc <= time))
    if seq is None:
        first = connection.scalar(select(func.min(row.at_utc))) or "no time yet"
        raise BeforeFirstPublish(as_of=time, first=first)
    return int(seq)


def check_seq(seq: int, newest: int) -> None:
    """Raise ``UnknownPublish`` for a number that no publish has."""
    if not 1 <= seq <= newest:
        raise UnknownPublish(seq=seq, newest=newest)


def _check(ref: Ref, moved: Iterable[Move], reads: Iterable[str], base: State, main: State) -> None:
    """Raise ``PublishConflict`` unless main still is, for every name the ref read or wrote, what it branched from."""
    written = {move.name for move in moved}
    stale = {name for name in written | set(reads) if base.get(name) != main.get(name)}
    folded = {name.lower(): name for name in main}
    stale |= {name for name in written if folded.get(name.lower(), name) != name}  # made here and there
    if stale:
        tables = ", ".join(f"`{name}`" for name in sorted(stale))
        raise PublishConflict(ref=ref.name, tables=tables, names=sorted(stale))


def _enter(
    connection: Connection,
    moved: Iterable[Move],
    *,
    run_id: str,
    ref: str,
    forced: bool,
    restores: int | None = None,
) -> Publish:
    latest = connection.scalar(select(func.max(layout.publishes.c.at_utc))) or ""
    time = max(now(connection), latest)  # clocks may step back, the log may not
    values: dict[str, Any] = {
        "seq": refs.head(connection) + 1,
        "run_id": run_id,
        "ref": ref,
        "forced": forced,
        "restores": restores,
    }
    connection.execute(layout.publishes.insert(), values | {"at_utc": time})
    changes = states.changes(moved)
    rows = [{"seq": values["seq"], **asdict(change)} for change in changes]
    if rows:
        connection.execute(layout.changes.insert(), rows)
    shown = tuple(map(states.shown, changes))
    return Publish(at=datetime.fromisoformat(time), changes=shown, **values)


def _changes(connection: Connection, seqs: Sequence[int]) -> dict[int, tuple[Change, ...]]:
    found: dict[int, tuple[Change, ...]] = {}
    row = layout.changes.c
    among = row.seq.between(min(seqs, default=0), max(seqs, default=0))  # SQLite limits the length of IN
    for values in connection.execute(select(layout.changes).where(among).order_by(row.name, row.kind)):
        change = states.shown(Change(values.name, values.kind, values.before, values.after))
        found[values.seq] = (*found.get(values.seq, ()), change)
    return found
