"""Which files the catalog can still reach: from main, every ref and its base, and main's past within retention.

A file is live as long as any snapshot of a live metadata file lists it, so that no table ever names a file that is
gone. What is not live stays so: refs branch off main alone, and main moves to a ref, or back to a state that is kept.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import read_manifest_list
from sqlalchemy import func, select

from phlo.errors import MissingTableFiles
from phlo.iceberg import layout, states
from phlo.iceberg.database import now, stamp
from phlo.iceberg.files import CLOCKS_MAY_DIFFER, location
from phlo.iceberg.handles import table_of
from phlo.iceberg.leases import leased_tables, live_runs
from phlo.iceberg.tables import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection

GRACE = timedelta(hours=1)
"""Younger files are left alone whatever reaches them: somebody may write them without a lease."""


@dataclass(frozen=True)
class Roots:
    """Where reachability begins."""

    pointers: Mapping[str, str]
    """Live metadata files, and the table of each."""
    locations: frozenset[str]
    """Every table folder that this catalog made; others in the warehouse are somebody else's."""
    before: datetime
    """Files written later may belong to a run that goes on."""
    leased: frozenset[str] = frozenset()
    """Folders of tables that a run writes now: after the clock has jumped no time tells which files are its own."""


@dataclass(frozen=True)
class Orphan:
    """A file that nothing reaches."""

    path: Path
    size: int


def roots(connection: Connection, grace: timedelta = GRACE) -> Roots:
    """Read what the catalog points to, all at one time."""
    before = _before(connection, grace)  # first: what is written from here on, which no SELECT sees, is then later
    kept = states.kept_from(connection)
    pointers = dict(_pointers(connection, kept))
    for name, entry in states.at(connection, kept).items():
        if entry.kind == "table":
            pointers[entry.pointer] = name
    known = {location(pointer): name for pointer, name in _pointers(connection, 0)}
    locations = frozenset({*known, *states.dropped(connection)})
    tables = leased_tables(connection)
    leased = frozenset(folder for folder in locations if known.get(folder, table_of(folder)) in tables)
    return Roots(pointers, locations, before, leased)


def orphans(found: Roots) -> list[Orphan]:
    """List the files that nothing reaches; raise ``MissingTableFiles`` if a live one is not there."""
    live = reach(found.pointers)
    oldest = found.before.timestamp()
    missing = dict(found.pointers)
    loose = []
    for folder in sorted(found.locations):
        for path, status in _files(folder):
            missing.pop(path, None)
            if folder not in found.leased and path not in live and status.st_mtime < oldest:
                loose.append(Orphan(Path(path), status.st_size))
    for path, name in missing.items():  # then paths are not spelled as we think, and everything would look loose
        raise MissingTableFiles(name=name, file=path)
    return loose


def reach(pointers: Mapping[str, str]) -> set[str]:
    """List every file that metadata files name: manifest lists, manifests, data, deletes and statistics."""
    walk = _Walk()
    for pointer, name in pointers.items():
        try:
            walk.metadata(pointer)
        except FileNotFoundError as error:
            raise MissingTableFiles(name=name, file=error.filename or pointer) from error
    return walk.seen


@dataclass
class _Walk:
    """Reads each metadata file, manifest list and manifest once."""

    seen: set[str] = field(default_factory=set)
    io: PyArrowFileIO = field(default_factory=PyArrowFileIO)

    def metadata(self, pointer: str) -> None:
        self.seen.add(pointer)
        content: dict[str, Any] = json.loads(Path(pointer).read_text(encoding="utf-8"))
        for kind in ("statistics", "partition-statistics"):
            self.seen |= {local_path(each["statistics-path"]) for each in content.get(kind, [])}
        for snapshot in content.get("snapshots", []):
            self._manifest_list(local_path(snapshot["manifest-list"]))

    def _manifest_list(self, path: str) -> None:
        if path in self.seen:
            return
        self.seen.add(path)
        for manifest in read_manifest_list(self.io.new_input(path)):
            if (own := local_path(manifest.manifest_path)) not in self.seen:
                self.seen.add(own)
                entries = manifest.fetch_manifest_entry(self.io, discard_deleted=True)
                self.seen |= {local_path(entry.data_file.file_path) for entry in entries}


def _pointers(connection: Connection, kept: int) -> Iterator[tuple[str, str]]:
    """Every metadata file, and its table, that refs, their bases, and main after publish ``kept`` point to."""
    table = layout.iceberg_tables.c
    for row in connection.execute(select(table.metadata_location, table.table_namespace, table.table_name)).all():
        yield row[0], f"{row[1]}.{row[2]}"
    base, change = layout.bases.c, layout.changes.c
    for row in connection.execute(select(base.pointer, base.name).where(base.kind == "table")).all():
        yield row[0], row[1]
    later = (change.kind == "table", change.seq > kept)
    for column in (change.before, change.after):
        for row in connection.execute(select(column, change.name).where(*later, column.is_not(None))).all():
            yield row[0], row[1]


def _before(connection: Connection, grace: timedelta) -> datetime:
    """The time before which no run that goes on has written: its lease is older than its files."""
    moment = datetime.fromisoformat(now(connection))
    row, runs = layout.leases.c, sorted(live_runs(connection))
    first = connection.scalar(select(func.min(row.since)).where(row.run_id.in_(runs))) if runs else None
    return min(moment - grace, datetime.fromisoformat(first) - CLOCKS_MAY_DIFFER if first else moment)


def kept_at(connection: Connection, cutoff: datetime) -> int:
    """Tell the last publish at or before a time, whose state is still to be read; 0 before the first."""
    row = layout.publishes.c
    return connection.scalar(select(func.max(row.seq)).where(row.at_utc <= stamp(cutoff))) or 0


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                yield str(path), path.lstat()
            except FileNotFoundError:  # a writer took its draft back
                continue


def _changed(folder: str) -> float:
    """When something was last made in a table's folder, or taken out of it: a run may be making the table."""
    latest = 0.0
    for parent, _, _ in os.walk(folder):
        with suppress(FileNotFoundError):  # another's clean-up took the folder
            latest = max(latest, Path(parent).stat().st_mtime)
    return latest


def is_gone(folder: str) -> bool:
    """Whether a table's folder is not there any more."""
    return not Path(folder).exists()


def remove(loose: Iterable[Orphan], dead: Iterable[str], before: datetime) -> int:
    """Delete orphans, and old folders of tables that nothing reaches any more; return how many bytes that frees."""
    freed = 0
    old = [folder for folder in dead if _changed(folder) < before.timestamp()]
    for orphan in loose:
        orphan.path.unlink(missing_ok=True)
        freed += orphan.size
    for folder in old:
        for parent, _, names in os.walk(folder, topdown=False):
            with suppress(FileNotFoundError):
                if not names and not any(Path(parent).iterdir()):
                    Path(parent).rmdir()
    return freed
