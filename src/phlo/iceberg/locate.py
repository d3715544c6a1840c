"""Which rows of a batch are stored already, where, and whether just so: notes in DuckDB tables beside ``batch``.

``hits`` has the places of all stored rows with a key of the batch, ``gone`` of those that the batch replaces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyiceberg.schema import Schema

from phlo.declarations import SYSTEM_COLUMNS
from phlo.iceberg.parquet import stored_schema
from phlo.iceberg.plain_files import (
    MOST_MEMORY,
    NotPlain,
    PlainFile,
    arrow_schema,
    conformed,
    or_not_plain,
    with_dictionaries,
)
from phlo.iceberg.tables import FILE, ROW, Columns, needs_reader, tasks_sql
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.types import NestedField

    from phlo.iceberg.prune import BatchKeys
    from phlo.iceberg.tables import Connection

MOST_HELD = 8 * 1024 * 1024
"""Bytes of files, compressed, that are read once for all, and held; of more, just the keys are read first."""


@dataclass(frozen=True)
class Located:
    """How many rows of the batch are stored, and just so; the files in which stored ones go."""

    stored: int = 0
    unchanged: int = 0
    touched: Sequence[FileScanTask] = ()
    held: Sequence[PlainFile] = ()
    """The files that were looked into, where their rows are in memory."""


def locate(con: Connection, table: Table, tasks: Sequence[FileScanTask], batch: BatchKeys) -> Located:
    """Note which stored rows of some files go, and drop from the batch what is stored just so, and once."""
    if not tasks:
        return Located()
    held = _held(table, tasks)
    found = _among(con, table, held, batch) if held else _in_files(con, table, tasks, batch)
    if not found:
        return Located()
    # Of rows that are stored more than once, one stays, whatever they hold.
    stored = _made(con, "known", "SELECT row, count(*) = 1 AND bool_and(same) AS same FROM hits GROUP BY row")
    unchanged = int(con.execute("SELECT count(*) FROM known WHERE same").fetchall()[0][0])
    _made(con, "gone", f"SELECT {FILE}, {ROW} FROM hits SEMI JOIN (FROM known WHERE NOT same) USING (row)")
    if unchanged:
        number = Columns(table.schema()).rowid
        con.execute(f"DELETE FROM batch WHERE {number} IN (SELECT row FROM known WHERE same)")
    return Located(stored, unchanged, files_of(con, tasks, "gone"), held)


def files_of(con: Connection, tasks: Sequence[FileScanTask], rows: str) -> list[FileScanTask]:
    """The files that some rows are from."""
    return [tasks[position] for (position,) in con.execute(f"SELECT DISTINCT {FILE} FROM {rows} ORDER BY 1").fetchall()]


def _in_files(con: Connection, table: Table, tasks: Sequence[FileScanTask], batch: BatchKeys) -> int:
    """Read just the keys of the files, then what else counts of those that have some of the batch's."""
    number, on = Columns(table.schema()).rowid, _on(batch)
    keys = tasks_sql(table, tasks, Columns(table.schema().select(*batch.ranges)), con, range(len(tasks)))
    hits = _made(
        con,
        "hits",
        f"SELECT b.{number} AS row, s.{FILE}, s.{ROW}, false AS same FROM ({keys}) s JOIN batch b ON {on}",
    )
    if hits:
        stored = tasks_sql(table, files_of(con, tasks, "hits"), Columns(Schema(*_content(table))), con)
        same = f"SELECT b.{number} AS row FROM ({stored}) s JOIN batch b ON {on} WHERE {_same(table, batch)}"
        if _made(con, "same", same):
            con.execute("UPDATE hits SET same = true WHERE row IN (FROM same)")
    return hits


def _among(con: Connection, table: Table, held: Sequence[PlainFile], batch: BatchKeys) -> int:
    """Look among rows that are in memory."""
    con.register("held", pa.concat_tables(_numbered(file.held, number) for number, file in enumerate(held)))
    place = f"b.{Columns(table.schema()).rowid} AS row, s.{FILE}, s.{ROW}"
    select = f"SELECT {place}, {_same(table, batch)} AS same FROM held s JOIN batch b ON {_on(batch)}"
    hits = _made(con, "hits", select)
    con.unregister("held")
    return hits


def _held(table: Table, tasks: Sequence[FileScanTask]) -> list[PlainFile]:
    """Read the files, all or none: few and plain."""
    schema, names = arrow_schema(stored_schema(table)), [field.name for field in table.schema().fields]
    small = sum(task.file.file_size_in_bytes for task in tasks) <= MOST_HELD
    if schema is None or not small or any(needs_reader(table, task) for task in tasks):
        return []
    try:
        files = [PlainFile.of(task.file, schema) for task in tasks]
        if sum(file.size for file in files) > MOST_MEMORY:
            return []
        repeat = {place for file in files for place in file.dictionaries}
        return [replace(file, held=_rows(file, with_dictionaries(schema, repeat), names)) for file in files]
    except NotPlain:
        return []


def _rows(file: PlainFile, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    groups = [conformed(group, schema) for group in file.row_groups()]
    rows = pa.concat_tables(groups) if groups else schema.empty_table()
    with or_not_plain():
        return rows.rename_columns(names).unify_dictionaries()


def _numbered(rows: pa.Table, number: int) -> pa.Table:
    places = pa.array(np.arange(rows.num_rows, dtype=np.int64))
    files = pa.array(np.full(rows.num_rows, number, dtype=np.int64))
    return rows.append_column(FILE, files).append_column(ROW, places)


def _same(table: Table, batch: BatchKeys) -> str:
    """Whether a stored row and a batch's with its key are the same, but for the load's id and time."""
    names = [field.name for field in _content(table) if field.name not in batch.ranges]
    return " AND ".join(f"s.{quoted(name)} IS NOT DISTINCT FROM b.{quoted(name)}" for name in names) or "true"


def _content(table: Table) -> list[NestedField]:
    return [field for field in table.schema().fields if field.name not in SYSTEM_COLUMNS[1:]]


def _on(batch: BatchKeys) -> str:
    """Join on the keys; NULLs, which have no place in keys but must not double, are equal and cost speed."""
    return " AND ".join(
        f"s.{quoted(key)} {'IS NOT DISTINCT FROM' if found.nulls else '='} b.{quoted(key)}"
        for key, found in batch.ranges.items()
    )


def _made(con: Connection, name: str, select: str) -> int:
    """Keep what a query finds in a table; return how many rows that are."""
    return int(con.execute(f"CREATE TABLE {name} AS {select}").fetchall()[0][0])
