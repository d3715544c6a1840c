"""Which rows of a batch are stored already, where, and whether just so: notes in DuckDB tables beside ``batch``.

``hits`` has the places of all stored rows with a key of the batch, ``gone`` of those that the batch replaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.schema import Schema

from phlo.iceberg.tables import FILE, ROW, Columns, compared, tasks_sql
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.prune import BatchKeys
    from phlo.iceberg.tables import Connection


@dataclass(frozen=True)
class Located:
    """How many rows of the batch are stored, and just so; the files in which stored ones go."""

    stored: int = 0
    unchanged: int = 0
    touched: Sequence[FileScanTask] = ()


def locate(con: Connection, table: Table, tasks: Sequence[FileScanTask], batch: BatchKeys) -> Located:
    """Note which stored rows of some files go, and drop from the batch what is stored just so, and once."""
    if not tasks:
        return Located()
    if not _look(con, table, tasks, batch):
        return Located()
    # Of rows that are stored more than once, one stays, whatever they hold.
    stored = _made(con, "known", "SELECT row, count(*) = 1 AND bool_and(same) AS same FROM hits GROUP BY row")
    unchanged = int(con.execute("SELECT count(*) FROM known WHERE same").fetchall()[0][0])
    _made(con, "gone", f"SELECT {FILE}, {ROW} FROM hits SEMI JOIN (FROM known WHERE NOT same) USING (row)")
    if unchanged:
        number = Columns(table.schema()).rowid
        con.execute(f"DELETE FROM batch WHERE {number} IN (SELECT row FROM known WHERE same)")
    return Located(stored, unchanged, files_of(con, tasks, "gone"))


def files_of(con: Connection, tasks: Sequence[FileScanTask], rows: str) -> list[FileScanTask]:
    """The files that some rows are from."""
    return [tasks[position] for (position,) in con.execute(f"SELECT DISTINCT {FILE} FROM {rows} ORDER BY 1").fetchall()]


def _look(con: Connection, table: Table, tasks: Sequence[FileScanTask], batch: BatchKeys) -> int:
    """Read just the keys of the files, then what else counts of those that have some of the batch's."""
    number, on = Columns(table.schema()).rowid, _on(batch)
    keys = tasks_sql(table, tasks, Columns(table.schema().select(*batch.ranges)), con, range(len(tasks)))
    hits = _made(
        con,
        "hits",
        f"SELECT b.{number} AS row, s.{FILE}, s.{ROW}, false AS same FROM ({keys}) s JOIN batch b ON {on}",
    )
    if hits:
        content = Schema(*(field for field in table.schema().fields if field.name in compared(table)))
        stored = tasks_sql(table, files_of(con, tasks, "hits"), Columns(content), con)
        same = f"SELECT b.{number} AS row FROM ({stored}) s JOIN batch b ON {on} WHERE {_same(table, batch)}"
        if _made(con, "same", same):
            con.execute("UPDATE hits SET same = true WHERE row IN (FROM same)")
    return hits


def _same(table: Table, batch: BatchKeys) -> str:
    """Whether a stored row and a batch's with its key are the same, but for the load's id and time."""
    names = [name for name in compared(table) if name not in batch.ranges]
    return " AND ".join(f"s.{quoted(name)} IS NOT DISTINCT FROM b.{quoted(name)}" for name in names) or "true"


def _on(batch: BatchKeys) -> str:
    """Join on the keys; NULLs, which have no place in keys but must not double, are equal and cost speed."""
    return " AND ".join(
        f"s.{quoted(key)} {'IS NOT DISTINCT FROM' if found.nulls else '='} b.{quoted(key)}"
        for key, found in batch.ranges.items()
    )


def _made(con: Connection, name: str, select: str) -> int:
    """Keep what a query finds in a table; return how many rows that are."""
    return int(con.execute(f"CREATE TABLE {name} AS {select}").fetchall()[0][0])
