"""The ledger: which partitions are loaded, as publishes recorded them and undos took them back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, or_, select

from phlo.iceberg import files, layout, refs
from phlo.iceberg.names import split
from phlo.protocols import MAIN, MAINTENANCE, Load, Newest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Select


def record(connection: Connection, ref: str, loads: Sequence[Load]) -> None:
    """Write loads onto a ref; each replaces the ref's load of the same id, and of the same partition."""
    tables = dict.fromkeys(load.table for load in loads)
    for table in tables:
        split(table)
        refs.writable(connection, ref, table)
    rows = [_ref_row(ref, load) for load in loads]
    for some in _at_once(rows):
        connection.execute(_REPLACED, [{f"same_{name}": row[name] for name in _KEY} for row in some])
        connection.execute(layout.ref_loads.insert(), some)
    refs.record_reads(connection, ref, tables)  # "unchanged" was said of the rows as they were


def loads(connection: Connection, ref: str) -> list[Load]:
    """On main the loads that count now; on a ref its own."""
    if ref == MAIN:
        return list(_effective(connection))
    refs.find(connection, ref)
    row = layout.ref_loads.c
    found = select(layout.ref_loads).where(row.ref == ref).order_by(row.table_name, row.partition)
    return [_load(row) for row in connection.execute(found)]


def newest(connection: Connection) -> dict[str, Newest]:
    """By table the newest publish that loaded it, or, of one that is not loaded, that changed it."""
    row, change = layout.publishes.c, layout.changes.c
    known = {values[0]: values[1:] for values in _tuples(connection, select(row.seq, row.at_utc, row.run_id))}
    loaded, found = _loaded(connection), dict[str, Newest]()
    changed: dict[int, list[str]] = {}
    for seq, name in _tuples(connection, select(change.seq, change.name).where(change.after.is_not(None))):
        changed.setdefault(seq, []).append(name)
    of_loads = {values[1] for rows in loaded.values() for values in rows}
    for seq in _chain(connection):
        at, run_id = known[seq]
        own: dict[str, list[Load]] = {}
        for values in loaded.get(seq, ()):
            load = Load(values[1], values[2] or None, values[3], *values[4:])
            own.setdefault(load.table, []).append(load)
        if not run_id.startswith(MAINTENANCE):
            own |= {name: [] for name in changed.get(seq, ()) if name not in of_loads}
        for name, loads in own.items():
            found.setdefault(name, Newest(datetime.fromisoformat(at), tuple(loads)))
    return found


def forget(connection: Connection, ref: str, table: str) -> None:
    """Take a table's loads off a ref: the table was dropped."""
    row = layout.ref_loads.c
    connection.execute(layout.ref_loads.delete().where(row.ref == ref, row.table_name == table))


def publish(connection: Connection, ref: str, seq: int) -> tuple[Load, ...]:
    """Move a ref's loads into the ledger."""
    own = loads(connection, ref)
    row = layout.ref_loads.c
    columns = ("table_name", "partition", "load_id", *layout.COUNTS)
    rows = connection.execute(select(*(row[column] for column in columns)).where(row.ref == ref))
    values = [{"seq": seq, **values._mapping} for values in rows]
    if values:
        connection.execute(layout.loads.insert(), values)
    return tuple(own)


def of_publishes(connection: Connection, seqs: list[int]) -> dict[int, tuple[Load, ...]]:
    """List the loads of publishes."""
    row = layout.loads.c
    found: dict[int, tuple[Load, ...]] = {}
    among = row.seq.between(min(seqs, default=0), max(seqs, default=0))  # SQLite limits the length of IN
    for values in connection.execute(select(layout.loads).where(among).order_by(row.table_name, row.partition)):
        found[values.seq] = (*found.get(values.seq, ()), _load(values))
    return found


def _effective(connection: Connection) -> Iterator[Load]:
    """Walk the publishes that made today's main, newest first; the first load of a partition is the one that counts."""
    void, seen = set[str](), set[tuple[str, str]]()
    loaded, anew = _loaded(connection), _begun_anew(connection)
    for seq in _chain(connection):
        for row in loaded.get(seq, ()):
            table, partition = key = row[1], row[2]
            if table not in void and key not in seen:
                seen.add(key)
                yield Load(table, partition or None, row[3], *row[4:])
        void |= anew.get(seq, set())


def _chain(connection: Connection) -> Iterator[int]:
    """From the newest publish back; an undo leads to the state that it restored."""
    row = layout.publishes.c
    undos = select(row.seq, row.restores).where(row.restores.is_not(None))
    restores = {undo.seq: undo.restores for undo in connection.execute(undos)}
    seq = refs.head(connection)
    while seq:
        if seq not in restores:
            yield seq
        seq = restores.get(seq, seq - 1)


def _loaded(connection: Connection) -> dict[int, list[Any]]:
    """All loads by publish, as plain rows: most of thousands do not count any more."""
    found: dict[int, list[Any]] = {}
    row = layout.loads.c
    columns = (row.seq, row.table_name, row.partition, row.load_id, *(row[count] for count in layout.COUNTS))
    for values in _tuples(connection, select(*columns)):
        found.setdefault(values[0], []).append(values)
    return found


def _begun_anew(connection: Connection) -> dict[int, set[str]]:
    """The loaded tables that publishes dropped or made again: what was loaded into them before is gone."""
    found: dict[int, set[str]] = {}
    row = layout.changes.c
    of_loaded = row.name.in_(select(layout.loads.c.table_name).distinct())
    changed = select(row.seq, row.name, row.before, row.after).where(
        row.kind == "table", row.before.is_not(None), of_loaded
    )
    for seq, name, before, after in _tuples(connection, changed):
        if after is None or files.location(before) != files.location(after):
            found.setdefault(seq, set()).add(name)
    return found


def _tuples(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(query)]


def _load(row: Any) -> Load:
    counts = {count: getattr(row, count) for count in layout.COUNTS}
    return Load(row.table_name, row.partition or None, row.load_id, **counts)


def _ref_row(ref: str, load: Load) -> dict[str, Any]:
    counts = {count: getattr(load, count) for count in layout.COUNTS}
    return dict(zip(_KEY, (ref, load.table, load.partition or "", load.load_id), strict=True)) | counts


def _at_once(rows: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    """All, or where two replace one another, one after the other."""
    ids = {row["load_id"] for row in rows}
    places = {(row["table_name"], row["partition"]) for row in rows}
    return [rows] if 0 < len(rows) == len(ids) == len(places) else [[row] for row in rows]


_KEY = ("ref", "table_name", "partition", "load_id")
_IS = {name: layout.ref_loads.c[name] == bindparam(f"same_{name}") for name in _KEY}
_REPLACED = layout.ref_loads.delete().where(_IS["ref"], or_(_IS["load_id"], _IS["table_name"] & _IS["partition"]))
