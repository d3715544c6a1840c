"""Maintenance: forget what retention no longer keeps, write small files together, delete what nothing reaches.

    settle (refs, history) → tidy tables (compact, expire snapshots; one publish) → delete orphans

Each step is whole or nothing and finds again what an earlier one that was killed has left. Runs may go on beside it:
tables that one holds a lease on are left for the next time, whatever the clock says of their files' age, and files
that one may have written elsewhere are too young.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from phlo.errors import PublishConflict, TableLeased, UnreadableFile
from phlo.iceberg import liveness, refs, states
from phlo.iceberg.database import hold
from phlo.iceberg.files import location
from phlo.iceberg.leases import live_runs
from phlo.iceberg.rewrite import SMALL_FILE
from phlo.iceberg.tables import WRITTEN_VERSION
from phlo.iceberg.tables import plan as plan_files
from phlo.protocols import MAINTENANCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.typedef import Record
    from sqlalchemy import Connection

    from phlo.iceberg.catalog import SqlRefCatalog
    from phlo.iceberg.liveness import Orphan, Roots
    from phlo.iceberg.merge import Limits

ENOUGH = 4
"""So many small files of one partition are worth writing together; loads fold in eight of them by themselves."""


@dataclass(frozen=True)
class Keep:
    """What is not to be forgotten."""

    history: timedelta = timedelta(days=30)
    """How far back main is to be read."""
    failed: int = 3
    failed_days: int = 7
    grace: timedelta = liveness.GRACE


@dataclass(frozen=True)
class Tidying:
    """What one table of main would gain."""

    table: str
    small_files: int
    """Files to be written together."""
    snapshots: int
    """Snapshots to be expired."""


@dataclass(frozen=True)
class Maintenance:
    """What maintenance does, or would do."""

    refs: tuple[str, ...]
    """Failed refs to be dropped."""
    kept_from: int
    """The publish that main's past begins with; 0 while all of it is kept."""
    tables: tuple[Tidying, ...]
    files: int
    """Files that nothing reaches."""
    bytes: int
    left: tuple[str, ...] = ()
    """Tables that a run writes just now."""


def plan(catalog: SqlRefCatalog, keep: Keep) -> Maintenance:
    """Find out what maintenance would do, and change nothing."""
    with _rolled_back(catalog) as connection:
        dropped, kept = _settle(connection, keep)
        found = liveness.roots(connection, keep.grace)
    loose = liveness.orphans(found)
    return _told(dropped, kept, _tidyings(catalog, keep), loose)


def maintain(catalog: SqlRefCatalog, keep: Keep, limits: Limits | None = None) -> Maintenance:
    """Do it, and tell what was done."""
    with catalog.database.write() as connection:
        dropped, kept = _settle(connection, keep)
    tidied, left = _tidy(catalog, _tidyings(catalog, keep), keep, limits)
    with catalog.database.read() as connection:
        found = liveness.roots(connection, keep.grace)
    loose = liveness.orphans(found)
    _remove(catalog, found, loose)
    return _told(dropped, kept, tidied, loose, left)


def _told(
    dropped: Sequence[str], kept: int, tables: Sequence[Tidying], loose: Sequence[Orphan], left: Sequence[str] = ()
) -> Maintenance:
    return Maintenance(
        tuple(dropped), kept, tuple(tables), len(loose), sum(orphan.size for orphan in loose), tuple(left)
    )


@contextmanager
def _rolled_back(catalog: SqlRefCatalog) -> Iterator[Connection]:
    """Let a plan do what maintenance does, in a transaction that ends as if it had not been."""
    with catalog.database.writer.connect() as connection:
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def _settle(connection: Connection, keep: Keep) -> tuple[list[str], int]:
    """Drop the failed refs, and say which publish main's past begins with from now on."""
    hold(connection, "main")
    alive = live_runs(connection)
    abandoned = [
        ref for ref in refs.all_refs(connection) if ref.name.startswith(MAINTENANCE) and ref.run_id not in alive
    ]
    for ref in abandoned:  # of a maintenance that was killed: all it holds is on main as well
        refs.drop(connection, ref.name)
    dropped = [ref.name for ref in refs.prune(connection, keep.failed, keep.failed_days)]
    # A query that was begun a while ago still reads what main was then.
    cutoff = datetime.now(UTC) - max(keep.history, keep.grace)
    states.expire(connection, liveness.kept_at(connection, cutoff))
    return dropped, states.kept_from(connection)


def _tidyings(catalog: SqlRefCatalog, keep: Keep) -> list[Tidying]:
    pin = catalog.pin()
    found = [_tidying(name, catalog.open_pinned(name, pin), keep) for name in sorted(pin.tables)]
    return [each for each in found if each.small_files or each.snapshots]


def _tidying(name: str, table: Table, keep: Keep) -> Tidying:
    if table.format_version > WRITTEN_VERSION:
        return Tidying(name, 0, 0)
    return Tidying(name, len(_small(table)), len(_expired(table, keep)))


def _small(table: Table) -> list[FileScanTask]:
    """The small files of partitions that have several."""
    partitions: dict[Record, list[FileScanTask]] = {}
    for task in plan_files(table):
        ours = task.file.spec_id == table.spec().spec_id
        if ours and task.file.file_size_in_bytes < SMALL_FILE:
            partitions.setdefault(task.file.partition, []).append(task)
    return [task for group in partitions.values() if len(group) >= ENOUGH for task in group]


def _expired(table: Table, keep: Keep) -> list[int]:
    """The snapshots that are older than main's past; those that a branch or a tag names stay."""
    oldest = int((datetime.now(UTC) - max(keep.history, keep.grace)).timestamp() * 1000)
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    current = table.metadata.current_snapshot_id
    return [
        snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if snapshot.timestamp_ms < oldest and snapshot.snapshot_id != current and snapshot.snapshot_id not in named
    ]


def _tidy(
    catalog: SqlRefCatalog, tidyings: Sequence[Tidying], keep: Keep, limits: Limits | None
) -> tuple[list[Tidying], list[str]]:
    """Write the tables that nobody else writes on a ref, and publish it; tell which, and which were left."""
    waiting, left = list(tidyings), list[str]()
    while waiting:
        run_id = f"{MAINTENANCE}{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        try:
            with catalog.lease([each.table for each in waiting], run_id, wait=False):
                _publish(catalog, run_id, [each.table for each in waiting], keep, limits)
            return waiting, left
        except TableLeased as held:
            left.append(str(held.values["table"]))
        except PublishConflict:
            return [], [*left, *(each.table for each in waiting)]
        waiting = [each for each in waiting if each.table not in left]
    return [], left


def _publish(catalog: SqlRefCatalog, run_id: str, names: Sequence[str], keep: Keep, limits: Limits | None) -> None:
    catalog.create_ref(run_id, run_id=run_id, selection="maintain")
    try:
        for name in names:
            _write_together(catalog.load(name, run_id), limits)
            table = catalog.load(name, run_id)
            if expired := _expired(table, keep):
                table.maintenance.expire_snapshots().by_ids(expired).commit()
        catalog.publish(run_id)
    except BaseException:
        catalog.drop_ref(run_id)
        raise


def _write_together(table: Table, limits: Limits | None) -> None:
    from phlo.iceberg.merge import compact

    if small := _small(table):
        with suppress(UnreadableFile):  # such a table stays as it is; who reads it is told why
            compact(table, small, limits=limits)


def _remove(catalog: SqlRefCatalog, found: Roots, loose: Sequence[Orphan]) -> None:
    dead = found.locations - found.leased - {location(pointer) for pointer in found.pointers}
    liveness.remove(loose, dead, found.before)
    with catalog.database.write() as connection:
        gone = [folder for folder in states.dropped(connection) if liveness.is_gone(folder)]
        states.forget_dropped(connection, gone)
