"""Iceberg tables as DuckDB reads them: schemas made and evolved by policy, scans as SQL over the planned files.

A scan is ``read_parquet`` over the files of one pinned snapshot. DuckDB finds columns by their Iceberg field id, so
renamed, added and widened columns come out right whatever the files call them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, In
from pyiceberg.schema import Schema

from phlo.declarations import SYSTEM_COLUMNS
from phlo.errors import AmbiguousColumn, SchemaMismatch, UnknownColumn, UnreadableDeletes, nearest
from phlo.iceberg.manifests import plan_files
from phlo.iceberg.types import duckdb_type, iceberg_type, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from pyiceberg.table import FileScanTask, Table

PARTITION_COLUMN = SYSTEM_COLUMNS[0]

FILE, ROW = "phlo_file", "phlo_row"
"""Where a stored row is: a number that the reader gives its file, and its place in it."""

_WIDENINGS = {(ice.IntegerType, ice.LongType), (ice.FloatType, ice.DoubleType)}


class Connection(Protocol):
    """The part of a DuckDB connection that this package uses; only the merge and the engine open one."""

    def execute(self, query: str, parameters: object = None) -> Any:
        """Run a statement."""

    def register(self, view_name: str, python_object: object) -> Any:
        """Name an Arrow object in SQL."""

    def unregister(self, view_name: str) -> Any:
        """Forget such a name."""


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
    """Make room for rows of ``schema``, or raise ``SchemaMismatch`` and change nothing.

    New columns are added, int widens to long and float to double. Columns that ``schema`` lacks stay; columns of
    Arrow's ``null`` type fit everywhere and add nothing.
    """
    known = {field.name: field.field_type for field in table.schema().fields}
    typed = [field for field in schema if not pa.types.is_null(field.type)]
    given = {field.name: field.field_type for field in iceberg_schema(pa.schema(typed)).fields}
    _check_names([*known, *(name for name in given if name not in known)])
    widened = {name: kind for name, kind in given.items() if name in known and _widens(table, name, known[name], kind)}
    added = {name: kind for name, kind in given.items() if name not in known}
    if widened or added:
        with table.update_schema() as update:
            for name, kind in added.items():
                update.add_column((name,), kind)
            for name, kind in widened.items():
                update.update_column((name,), kind)


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a scan yields, as SQL."""

    schema: Schema

    @property
    def select(self) -> str:
        """The column list."""
        return ", ".join(quoted(field.name) for field in self.schema.fields)

    @property
    def by_id(self) -> str:
        """What ``read_parquet`` takes as ``schema``."""
        entries = (
            f"{field.field_id}: {{name: {literal(field.name)}, type: {literal(duckdb_type(field.field_type))}, "
            "default_value: NULL}"
            for field in self.schema.fields
        )
        return f"MAP {{{', '.join(entries)}}}"

    @property
    def nulls(self) -> str:
        """A column list of typed NULLs, for an empty relation."""
        return ", ".join(
            f"CAST(NULL AS {duckdb_type(field.field_type)}) AS {quoted(field.name)}" for field in self.schema.fields
        )


def scan_sql(
    table: Table, columns: Sequence[str] = (), partitions: Sequence[date] = (), con: Connection | None = None
) -> str:
    """Return a SELECT over the table's current snapshot in DuckDB's SQL.

    ``partitions`` keeps the rows of these ``partition_date``s and leaves out the files that can not hold any. Files
    that DuckDB can not read on its own (with delete files, or without field ids) are read by PyIceberg into a
    temporary table of ``con``. Raises ``UnknownColumn``.
    """
    wanted = Columns(_projection(table, columns))
    needed = Columns(_projection(table, [*columns, PARTITION_COLUMN] if columns and partitions else columns))
    tasks = plan(table, partitions)
    where = f" WHERE {within_sql(partitions)}" if partitions else ""
    return f"SELECT {wanted.select} FROM ({tasks_sql(table, tasks, needed, con)}){where}"


def plan(table: Table, partitions: Sequence[date] = ()) -> list[FileScanTask]:
    """List the files of the current snapshot that can hold rows of some partitions (of all, for none).

    Raises ``UnreadableDeletes`` for what neither PyIceberg nor DuckDB could read right.
    """
    try:
        return plan_files(table, within(partitions))
    except ValueError as error:
        if "equality deletes" not in str(error):
            raise
        raise UnreadableDeletes(table=".".join(table.name())) from error


def tasks_sql(
    table: Table,
    tasks: Sequence[FileScanTask],
    columns: Columns,
    con: Connection | None = None,
    numbers: Sequence[int] | None = None,
) -> str:
    """Return a SELECT over some planned files; with a number for each, also ``FILE`` and ``ROW`` of each row."""
    parts = [
        f"SELECT {columns.select}{_place(numbers and numbers[place], 'rowid')} "
        f"FROM {_read_with_pyiceberg(table, task, columns, con)}"
        for place, task in enumerate(tasks)
        if needs_reader(table, task)
    ]
    plain = [place for place, task in enumerate(tasks) if not needs_reader(table, task)]
    if plain:
        # file_index and file_row_number are DuckDB's virtual columns: places in its own list of files, and in a file.
        file = numbers and f"{[numbers[place] for place in plain]}[CAST(file_index AS BIGINT) + 1]"
        files = _read_parquet([tasks[place] for place in plain], columns)
        parts.append(f"SELECT {columns.select}{_place(file, 'file_row_number')} FROM {files}")
    if not parts:
        null = "CAST(NULL AS BIGINT)"
        return f"SELECT {columns.nulls}{_place(None if numbers is None else null, null)} WHERE false"
    return " UNION ALL ".join(parts)


def needs_reader(table: Table, task: FileScanTask) -> bool:
    """Whether DuckDB would misread a file: rows deleted by other files, or columns that have no ids."""
    return bool(task.delete_files) or table.name_mapping() is not None


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


def local_path(location: str) -> str:
    """Return the path of a file of the table.

    >>> local_path("file:///lake/raw/a.parquet"), local_path("/lake/b.parquet")
    ('/lake/raw/a.parquet', '/lake/b.parquet')
    """
    return location.removeprefix("file://") if location.startswith("file:///") else location.removeprefix("file:")


def as_pattern(path: str) -> str:
    """Write a path so that DuckDB, which takes paths for patterns, finds this file and no other.

    >>> as_pattern("/lake/data[1]/a.parquet")
    '/lake/data[[]1]/a.parquet'
    """
    return re.sub(r"([\[*?])", r"[\1]", path)


def _place(file: object, row: str) -> str:
    return "" if file is None else f", {file} AS {FILE}, {row} AS {ROW}"


def _read_parquet(tasks: Sequence[FileScanTask], columns: Columns) -> str:
    paths = ", ".join(literal(as_pattern(local_path(task.file.file_path))) for task in tasks)
    return f"read_parquet([{paths}], schema = {columns.by_id})"


def _read_with_pyiceberg(table: Table, task: FileScanTask, columns: Columns, con: Connection | None) -> str:
    """Copy the rows of a file into a temporary table; return its name."""
    from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

    if con is None:
        raise ValueError(f"reading {task.file.file_path} takes a connection: it has delete files or no field ids")
    scan = ArrowScan(table.metadata, table.io, columns.schema, AlwaysTrue())
    arrow = schema_to_pyarrow(columns.schema, include_field_ids=False)
    batches = (batch.cast(arrow) for batch in scan.to_record_batches([task]))
    name = quoted(f"{task.file.file_path} {columns.select}")
    con.register("phlo_reader", pa.RecordBatchReader.from_batches(arrow, batches))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM phlo_reader")
    con.unregister("phlo_reader")
    return name


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
