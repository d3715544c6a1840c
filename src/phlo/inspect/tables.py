"""Tables and views of a pinned state: sizes, columns, partitioning and snapshots, read off Iceberg's metadata."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

from phlo.errors import UnknownNamespace, UnknownTable, nearest
from phlo.protocols import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.partitioning import PartitionField
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

    from phlo.protocols import Catalog, Change, View

FREQUENCIES = {"hour": "hourly", "day": "daily", "month": "monthly", "year": "yearly"}


@dataclass(frozen=True)
class TableInfo:
    """One table or view in a list; a view has neither files nor rows of its own."""

    name: str
    kind: Literal["table", "view"]
    rows: int | None = None
    files: int | None = None
    bytes: int | None = None
    modified: dt.datetime | None = None


@dataclass(frozen=True)
class ColumnInfo:
    """One column; ``type`` is Iceberg's name of it, or the engine's on a view."""

    name: str
    type: str


@dataclass(frozen=True)
class Snapshot:
    """One state of a table's rows: what one write left behind."""

    id: int
    at: dt.datetime
    operation: str
    rows: int | None
    """In the table, after it; None where other engines' delete files leave that to be counted."""
    added: int
    deleted: int
    """A row that was updated counts as deleted and added, as do its neighbours in a rewritten file."""
    files: int
    parent: int | None = None


@dataclass(frozen=True)
class Description:
    """Everything about one table or view."""

    name: str
    namespace: str
    kind: Literal["table", "view"]
    format: str
    columns: tuple[ColumnInfo, ...]
    location: str = ""
    metadata: str = ""
    """The file that says which data files are the table in this state: what other engines open; empty for a view."""
    files: int | None = None
    rows: int | None = None
    bytes: int | None = None
    modified: dt.datetime | None = None
    partitioning: tuple[str, ...] = ()
    """Like ``partition_date (monthly)``."""
    snapshot: Snapshot | None = None
    """The current one; None before the first write, and on a view."""
    sql: str = ""
    """What a view selects."""


def tables(catalog: Catalog, pin: Pin, namespace: str = "") -> list[TableInfo]:
    """List the tables and views of a state by name; raise ``UnknownNamespace`` for a namespace that holds none."""
    names = [name for name in sorted([*pin.tables, *pin.views]) if not namespace or name.split(".")[0] == namespace]
    if namespace and not names:
        known = {name.split(".")[0] for name in (*pin.tables, *pin.views)}
        raise UnknownNamespace(name=namespace, ref=pin.ref, nearest=nearest(namespace, known))
    return [_info(catalog, pin, name) for name in names]


def describe(catalog: Catalog, pin: Pin, name: str) -> Description:
    """Describe a table or view, by its full name or by a short one that only one table has."""
    full = resolve(pin, name)
    if full in pin.views:
        return _describe_view(full, pin.views[full])
    table = catalog.open_pinned(full, pin)
    snapshot = _current(table)
    rows = _rows(table, snapshot)
    return Description(
        name=full,
        namespace=full.split(".")[0],
        kind="table",
        format="Iceberg",
        columns=tuple(ColumnInfo(field.name, str(field.field_type)) for field in table.schema().fields),
        location=table.location(),
        metadata=pin.tables[full],
        files=snapshot.files if snapshot else 0,
        rows=rows,
        bytes=_bytes(table),
        modified=snapshot.at if snapshot else _time(table.metadata.last_updated_ms),
        partitioning=tuple(_partitioning(table, field) for field in table.spec().fields),
        snapshot=replace(snapshot, rows=rows) if snapshot else None,
    )


def history(catalog: Catalog, pin: Pin, name: str, limit: int | None = None) -> list[Snapshot]:
    """List the snapshots that led to a table's state, newest first; a view has none."""
    full = resolve(pin, name)
    if full in pin.views:
        return []
    return [_snapshot(each) for each in islice(_lineage(catalog.open_pinned(full, pin)), limit)]


def rows_of(catalog: Catalog, change: Change) -> tuple[int | None, int | None]:
    """Count the rows of a changed table before and after; None where it is not, and for views."""
    if change.kind == "view":
        return None, None
    before, after = (
        _info(catalog, Pin("", {change.name: location}), change.name).rows if location else None
        for location in (change.before, change.after)
    )
    return before, after


def resolve(pin: Pin, name: str) -> str:
    """Find a table's full name; raise ``UnknownTable`` with the nearest ones.

    >>> from phlo.protocols import Pin
    >>> resolve(Pin("main", {"raw.glucose_entries": "…"}), "glucose_entries")
    'raw.glucose_entries'
    """
    known = sorted([*pin.tables, *pin.views])
    if name in known:
        return name
    short = [full for full in known if full.split(".", 1)[1] == name]
    if len(short) == 1:
        return short[0]
    near = "; did you mean " + " or ".join(f"`{full}`" for full in short) + "?" if short else nearest(name, known)
    raise UnknownTable(name=name, ref=pin.ref, nearest=near)


def _info(catalog: Catalog, pin: Pin, name: str) -> TableInfo:
    if name in pin.views:
        return TableInfo(name, "view")
    table = catalog.open_pinned(name, pin)
    current = _current(table)
    if current is None:
        return TableInfo(name, "table", 0, 0, 0, _time(table.metadata.last_updated_ms))
    return TableInfo(name, "table", _rows(table, current), current.files, _bytes(table), current.at)


def _describe_view(name: str, view: View) -> Description:
    columns = tuple(ColumnInfo(column, kind) for column, kind in view.columns)
    return Description(name, name.split(".")[0], "view", "View", columns, sql=view.sql)


def _current(table: Table) -> Snapshot | None:
    current = table.current_snapshot()
    return _snapshot(current) if current else None


def _rows(table: Table, current: Snapshot | None) -> int | None:
    """How many rows a table has: off its metadata if that can tell, else counted."""
    if current is None or current.rows is not None:
        return current.rows if current else 0
    from phlo.iceberg.merge import count_rows  # a second of imports, which tables of ours need not pay

    return count_rows(table)


def _lineage(table: Table) -> Iterator[IcebergSnapshot]:
    """Walk from the current snapshot to its ancestors, as far as they are kept."""
    current = table.current_snapshot()
    while current is not None:
        yield current
        parent = current.parent_snapshot_id
        current = table.snapshot_by_id(parent) if parent is not None else None


def _snapshot(snapshot: IcebergSnapshot) -> Snapshot:
    return Snapshot(
        id=snapshot.snapshot_id,
        at=_time(snapshot.timestamp_ms),
        operation=snapshot.summary.operation.value if snapshot.summary else "",
        rows=None if _count(snapshot, "total-delete-files") else _count(snapshot, "total-records"),
        added=_count(snapshot, "added-records"),
        deleted=_count(snapshot, "deleted-records"),
        files=_count(snapshot, "total-data-files"),
        parent=snapshot.parent_snapshot_id,
    )


def _bytes(table: Table) -> int:
    current = table.current_snapshot()
    return _count(current, "total-files-size") if current else 0


def _count(snapshot: IcebergSnapshot, key: str) -> int:
    # Summary keys are absent where they would be 0.
    return int(snapshot.summary.get(key) or 0) if snapshot.summary else 0


def _partitioning(table: Table, field: PartitionField) -> str:
    column = table.schema().find_column_name(field.source_id) or field.name
    transform = str(field.transform)
    return column if transform == "identity" else f"{column} ({FREQUENCIES.get(transform, transform)})"


def _time(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
