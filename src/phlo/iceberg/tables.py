"""Iceberg tables as DuckDB reads them: schemas made and evolved by policy, scans as SQL over the planned files.

A scan is of the files of one pinned snapshot (``scans.py``), without the rows that other engines have deleted by files
of their own (``undeleted.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pyarrow as pa
from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, In
from pyiceberg.schema import Schema

from phlo.declarations import SYSTEM_COLUMNS
from phlo.errors import AmbiguousColumn, FormatNotWritable, SchemaMismatch, UnknownColumn, nearest
from phlo.iceberg.manifests import plan_files
from phlo.iceberg.scans import FILE, ROW, Columns, Connection, as_pattern, files_sql, is_misread, local_path
from phlo.iceberg.types import duckdb_type, iceberg_type, quoted
from phlo.iceberg.undeleted import undeleted_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.deletes import DeletesTask

__all__ = [
    "FILE",
    "PARTITION_COLUMN",
    "ROW",
    "WRITTEN_VERSION",
    "Columns",
    "Connection",
    "as_pattern",
    "changes",
    "check_writable",
    "compared",
    "evolve",
    "iceberg_schema",
    "local_path",
    "needs_reader",
    "plan",
    "scan_sql",
    "tasks_sql",
    "within",
    "within_sql",
]

PARTITION_COLUMN = SYSTEM_COLUMNS[0]

WRITTEN_VERSION = 2
"""The newest version of Iceberg's format that PyIceberg writes; of version 3 it reads what is needed here."""

_WIDENINGS = {(ice.IntegerType, ice.LongType), (ice.FloatType, ice.DoubleType)}


def iceberg_schema(schema: pa.Schema) -> Schema:
    """Return the Iceberg schema of a new table for Arrow rows: fresh ids, every column optional.

    A column of Arrow's ``null`` type becomes a string. Raises ``UnsupportedType`` for types that no table holds and
    ``AmbiguousColumn`` for names that SQL can not tell apart.

    >>> print(iceberg_schema(pa.schema([("sgv", pa.int16()), ("at", pa.timestamp("ms", "UTC"))])))
    table {
      1: sgv: optional int
      2: at: optional timestamptz
    }
    """
    _check_names(schema.names)
    ids = iter(range(len(schema) + 1, 1_000_000))
    fields = [
        ice.NestedField(position, field.name, iceberg_type(field.name, field.type, ids))
        for position, field in enumerate(schema, 1)
    ]
    return Schema(*fields)


def evolve(table: Table, schema: pa.Schema) -> None:
    """Make room for rows of ``schema``, or raise ``SchemaMismatch`` or ``FormatNotWritable`` and change nothing.

    New columns are added, int widens to long and float to double. Columns that ``schema`` lacks stay; columns of
    Arrow's ``null`` type fit everywhere and add nothing.
    """
    added, widened = changes(table, schema)
    if widened or added:
        with table.update_schema() as update:
            for name, kind in added.items():
                update.add_column((name,), kind)
            for name, kind in widened.items():
                update.update_column((name,), kind)


def changes(table: Table, schema: pa.Schema) -> tuple[dict[str, ice.IcebergType], dict[str, ice.IcebergType]]:
    """The columns that ``evolve`` would add, and those that it would widen; raises what it raises."""
    check_writable(table)
    known = {field.name: field.field_type for field in table.schema().fields}
    typed = [field for field in schema if not pa.types.is_null(field.type)]
    given = {field.name: field.field_type for field in iceberg_schema(pa.schema(typed)).fields}
    _check_names([*known, *(name for name in given if name not in known)])
    widened = {name: kind for name, kind in given.items() if name in known and _widens(table, name, known[name], kind)}
    added = {name: kind for name, kind in given.items() if name not in known}
    return added, widened


def scan_sql(
    table: Table, columns: Sequence[str] = (), partitions: Sequence[date] = (), con: Connection | None = None
) -> str:
    """Return a SELECT over the table's current snapshot in DuckDB's SQL.

    ``partitions`` keeps the rows of these ``partition_date``s and leaves out the files that can not hold any. Files
    that DuckDB would misread, and what delete files hold, go into temporary tables of ``con``. Raises
    ``UnknownColumn`` and ``UnreadableFile``.
    """
    wanted = Columns(_projection(table, columns))
    needed = Columns(_projection(table, [*columns, PARTITION_COLUMN] if columns and partitions else columns))
    tasks = plan(table, partitions)
    where = f" WHERE {within_sql(partitions)}" if partitions else ""
    return f"SELECT {wanted.select} FROM ({tasks_sql(table, tasks, needed, con)}){where}"


def plan(table: Table, partitions: Sequence[date] = ()) -> list[FileScanTask]:
    """List the files of the current snapshot that can hold rows of some partitions (of all, for none)."""
    return plan_files(table, within(partitions))


def tasks_sql(
    table: Table,
    tasks: Sequence[FileScanTask],
    columns: Columns,
    con: Connection | None = None,
    numbers: Sequence[int] | None = None,
) -> str:
    """Return a SELECT over the rows of some planned files that no delete file names.

    With a number for each file, it yields also ``FILE`` and ``ROW`` of each row: the file's number, and the row's place
    in the file, where deleted rows count. Raises ``UnreadableFile``.
    """
    deleted = [place for place, task in enumerate(tasks) if task.delete_files]
    plain = [place for place, task in enumerate(tasks) if not task.delete_files]
    parts = []
    if plain or not deleted:
        files, given = [tasks[place].file for place in plain], numbers and [numbers[place] for place in plain]
        parts.append(files_sql(table, files, columns, con, given))
    if deleted:
        some, given = [tasks[place] for place in deleted], numbers and [numbers[place] for place in deleted]
        parts.append(undeleted_sql(table, cast("list[DeletesTask]", some), columns, con, given))
    return " UNION ALL ".join(parts)


def check_writable(table: Table) -> None:
    """Raise ``FormatNotWritable`` for a table of a version of the format that PyIceberg does not write."""
    if table.format_version > WRITTEN_VERSION:
        raise FormatNotWritable(table=".".join(table.name()), version=table.format_version)


def compared(table: Table) -> list[str]:
    """The columns that tell whether two rows are the same: all but the load's id and time."""
    return [field.name for field in table.schema().fields if field.name not in SYSTEM_COLUMNS[1:]]


def needs_reader(table: Table, task: FileScanTask) -> bool:
    """Whether a file's rows are not just what DuckDB reads: some are deleted by other files, or it would misread it."""
    return bool(task.delete_files) or is_misread(table, task.file)


def within(partitions: Sequence[date]) -> BooleanExpression:
    """Return the filter for rows of some partitions (of all, for none), for planning."""
    is_in: Callable[..., BooleanExpression] = In
    return is_in(PARTITION_COLUMN, set(partitions)) if partitions else AlwaysTrue()


def within_sql(partitions: Sequence[date]) -> str:
    """Return the same filter in SQL.

    >>> from datetime import date
    >>> print(within_sql([date(2024, 1, 20)]))
    "partition_date" IN (DATE '2024-01-20')
    """
    days = ", ".join(f"DATE '{day.isoformat()}'" for day in partitions)
    return f"{quoted(PARTITION_COLUMN)} IN ({days})" if partitions else "true"


def _projection(table: Table, columns: Sequence[str]) -> Schema:
    schema = table.schema()
    if not columns:
        return schema
    by_name = {field.name: field for field in schema.fields}
    for name in columns:
        if name not in by_name:
            raise UnknownColumn(name=name, table=".".join(table.name()), nearest=nearest(name, by_name))
    return Schema(*(by_name[name] for name in dict.fromkeys(columns)))


def _widens(table: Table, name: str, stored: ice.IcebergType, given: ice.IcebergType) -> bool:
    """Whether ``stored`` has to widen; raise where the two do not meet."""
    pair = (type(stored), type(given))
    if duckdb_type(stored) == duckdb_type(given) or pair[::-1] in _WIDENINGS:
        return False
    if pair in _WIDENINGS:
        return True
    raise SchemaMismatch(table=".".join(table.name()), column=name, stored=str(stored), given=str(given))


def _check_names(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise AmbiguousColumn(one=seen[name.lower()], other=name)
        seen[name.lower()] = name
