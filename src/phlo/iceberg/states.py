"""The state of a ref: what each name points to; how two states differ, and what main's state was earlier."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import and_, literal, select

from phlo.errors import HistoryExpired
from phlo.iceberg import layout
from phlo.iceberg.files import location
from phlo.iceberg.names import split
from phlo.protocols import MAIN, Change, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

Kind = Literal["table", "view"]

KEPT_FROM = "kept_from"
DROPPED = "dropped "
"""Keys of what the catalog knows of itself."""


@dataclass(frozen=True)
class Entry:
    """What a name points to: a table's metadata location, or a view's definition."""

    kind: Kind
    pointer: str


State = dict[str, Entry]


@dataclass(frozen=True)
class Move:
    """One name whose entry changes; None where there was or will be nothing."""

    name: str
    before: Entry | None
    after: Entry | None


def current(connection: Connection, ref: str, *, lock: bool = False) -> State:
    """Read the state of a ref; with ``lock`` nobody can commit to it until the transaction ends (Postgres)."""
    table, view = layout.iceberg_tables.c, layout.views.c
    tables = (
        select(table.table_namespace, table.table_name, table.metadata_location)
        .where(table.catalog_name == ref)
        .order_by(table.table_namespace, table.table_name)
    )
    views = select(view.name, view.definition).where(view.ref == ref).order_by(view.name)
    if lock:
        tables, views = tables.with_for_update(), views.with_for_update()
    state = {f"{row.table_namespace}.{row.table_name}": Entry("table", row[2]) for row in connection.execute(tables)}
    return state | {row.name: Entry("view", row.definition) for row in connection.execute(views)}


def find(connection: Connection, ref: str, name: str) -> Entry | None:
    """Read what one name on a ref points to."""
    table, view = layout.iceberg_tables.c, layout.views.c
    pointer = connection.scalar(select(table.metadata_location).where(_is(ref, name)))
    if pointer is not None:
        return Entry("table", pointer)
    found = connection.scalar(select(view.definition).where(view.ref == ref, view.name == name))
    return None if found is None else Entry("view", found)


def base(connection: Connection, ref: str) -> State:
    """Read the state of main that a ref branched from."""
    rows = connection.execute(select(layout.bases).where(layout.bases.c.ref == ref))
    return {row.name: Entry(row.kind, row.pointer) for row in rows}


def at(connection: Connection, seq: int) -> State:
    """Walk main back to the state that publish ``seq`` left; raise ``HistoryExpired`` where its files may be gone."""
    kept = kept_from(connection)
    if seq < kept:
        raise HistoryExpired(seq=seq, first=kept)
    state, row = current(connection, MAIN), layout.changes.c
    later = select(layout.changes).where(row.seq > seq).order_by(row.seq.desc())
    for change in connection.execute(later):
        if change.before is not None:
            state[change.name] = Entry(change.kind, change.before)
        elif state.get(change.name) == Entry(change.kind, change.after):
            del state[change.name]  # unless it is already what its other kind was before
    return state


def kept_from(connection: Connection) -> int:
    """The first publish whose state is kept; maintenance deletes the files of those before."""
    value = connection.scalar(select(layout.meta.c.value).where(layout.meta.c.key == KEPT_FROM))
    return int(value or 0)


def expire(connection: Connection, seq: int) -> None:
    """Keep main's past from publish ``seq`` on; it never comes back."""
    if seq > kept_from(connection):
        connection.execute(layout.meta.delete().where(layout.meta.c.key == KEPT_FROM))
        connection.execute(layout.meta.insert(), {"key": KEPT_FROM, "value": str(seq)})


def dropped(connection: Connection) -> list[str]:
    """The folders of tables that no log remembers: of refs dropped without a publish, and of tables half made."""
    row = layout.meta.c
    return list(connection.scalars(select(row.value).where(row.key.startswith(DROPPED, autoescape=True))))


def remember(connection: Connection, folders: Sequence[str]) -> None:
    """Note folders of tables that maintenance is to look into."""
    if folders:
        rows = [{"key": f"{DROPPED}{uuid.uuid4().hex}", "value": folder} for folder in folders]
        connection.execute(layout.meta.insert(), rows)


def forget_dropped(connection: Connection, folders: Iterable[str]) -> None:
    """Stop remembering such folders: they are gone, or a ref has their tables."""
    row = layout.meta.c
    for folder in folders:
        connection.execute(
            layout.meta.delete().where(row.key.startswith(DROPPED, autoescape=True), row.value == folder)
        )


def moves(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[Move]:
    """List the names that differ between two states, by name."""
    names = sorted(before.keys() | after.keys())
    pairs = [Move(name, before.get(name), after.get(name)) for name in names]
    return [move for move in pairs if move.before != move.after]


def changes(moved: Iterable[Move]) -> tuple[Change, ...]:
    """Say it as a publish log does: a table that becomes a view is one change of each kind."""
    found = []
    for move in moved:
        for kind in ("table", "view"):
            before = _pointer(move.before, kind)
            after = _pointer(move.after, kind)
            if before is not None or after is not None:
                found.append(Change(move.name, kind, before, after))
    return tuple(found)


def shown(change: Change) -> Change:
    """Show a view's change as its SQL."""
    if change.kind == "table":
        return change
    before, after = (pointer and view(pointer).sql for pointer in (change.before, change.after))
    return replace(change, before=before, after=after)


def apply(connection: Connection, ref: str, moved: Iterable[Move]) -> None:
    """Write moves to a ref's rows."""
    for move in moved:
        if move.before and (not move.after or move.after.kind != move.before.kind):
            remove(connection, ref, move.name, move.before.kind)
        if move.after:
            put(connection, ref, move.name, move.after)


def put(connection: Connection, ref: str, name: str, entry: Entry) -> None:
    """Make a name on a ref point to an entry, whether or not the name is there."""
    if entry.kind == "view":
        remove(connection, ref, name, "view")
        connection.execute(layout.views.insert(), {"ref": ref, "name": name, "definition": entry.pointer})
        return
    table, (namespace, short) = layout.iceberg_tables, split(name)
    moved = table.update().where(_is(ref, name))
    pointers = {"metadata_location": entry.pointer, "previous_metadata_location": table.c.metadata_location}
    if not connection.execute(moved.values(**pointers)).rowcount:
        row = {"catalog_name": ref, "table_namespace": namespace, "table_name": short, "iceberg_type": "TABLE"}
        connection.execute(table.insert(), row | {"metadata_location": entry.pointer})


def remove(connection: Connection, ref: str, name: str, kind: Kind) -> None:
    """Take a name off a ref."""
    row = layout.views.c
    if kind == "view":
        connection.execute(layout.views.delete().where(row.ref == ref, row.name == name))
    else:
        _remember(connection, layout.iceberg_tables.c.metadata_location, _is(ref, name))
        connection.execute(layout.iceberg_tables.delete().where(_is(ref, name)))


def branch(connection: Connection, ref: str) -> None:
    """Copy main to a new ref, and remember it as the ref's base."""
    table, view = layout.iceberg_tables.c, layout.views.c
    columns = [column for column in layout.iceberg_tables.columns if column.name != "catalog_name"]
    name = table.table_namespace + "." + table.table_name
    tables = select(literal(ref), *columns).where(table.catalog_name == MAIN)
    views = select(literal(ref), view.name, view.definition).where(view.ref == MAIN)
    of_tables = select(literal(ref), name, literal("table"), table.metadata_location).where(table.catalog_name == MAIN)
    of_views = select(literal(ref), view.name, literal("view"), view.definition).where(view.ref == MAIN)
    _copy(connection, layout.bases, ("ref", "name", "kind", "pointer"), of_tables)
    _copy(connection, layout.bases, ("ref", "name", "kind", "pointer"), of_views)
    _copy(connection, layout.iceberg_tables, ("catalog_name", *(column.name for column in columns)), tables)
    _copy(connection, layout.views, ("ref", "name", "definition"), views)


def forget(connection: Connection, ref: str) -> None:
    """Take every name off a ref, and its base."""
    _remember(connection, layout.iceberg_tables.c.metadata_location, layout.iceberg_tables.c.catalog_name == ref)
    connection.execute(layout.iceberg_tables.delete().where(layout.iceberg_tables.c.catalog_name == ref))
    connection.execute(layout.views.delete().where(layout.views.c.ref == ref))
    connection.execute(layout.bases.delete().where(layout.bases.c.ref == ref))


def definition(view: View) -> str:
    """Write a view as its pointer."""
    return json.dumps({"sql": view.sql, "columns": [list(column) for column in view.columns]}, ensure_ascii=False)


def view(pointer: str) -> View:
    """Read a view from its pointer.

    >>> view(definition(View("SELECT 1 AS a", (("a", "integer"),))))
    View(sql='SELECT 1 AS a', columns=(('a', 'integer'),))
    """
    read = json.loads(pointer)
    return View(read["sql"], tuple((name, kind) for name, kind in read["columns"]))


def _remember(connection: Connection, pointer: ColumnElement[str], which: ColumnElement[bool]) -> None:
    """Note where tables that leave a ref have their files, unless main has them there: maintenance looks for them."""
    found = {location(path) for path in connection.scalars(select(pointer).where(which))}
    main = select(pointer).where(layout.iceberg_tables.c.catalog_name == MAIN)
    new = found - {location(path) for path in connection.scalars(main)} - set(dropped(connection) if found else ())
    remember(connection, sorted(new))


def _pointer(entry: Entry | None, kind: str) -> str | None:
    return entry.pointer if entry and entry.kind == kind else None


def _is(ref: str, name: str) -> ColumnElement[bool]:
    row, (namespace, table) = layout.iceberg_tables.c, split(name)
    return and_(row.catalog_name == ref, row.table_namespace == namespace, row.table_name == table)


def _copy(connection: Connection, into: Table, columns: Sequence[str], rows: Select[Any]) -> None:
    connection.execute(into.insert().from_select(list(columns), rows))
