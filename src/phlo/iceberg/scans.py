"""Files of a table as DuckDB reads them: by field ids, whatever the files call their columns.

``read_parquet`` finds columns by their Iceberg field id, so renamed, added and widened columns come out right. What it
would misread goes through PyIceberg. Rows that delete files name are still there: see ``undeleted.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import FileFormat
from pyiceberg.schema import Schema, index_by_id
from pyiceberg.table import FileScanTask, TableProperties

from phlo.errors import UnreadableFile
from phlo.iceberg.types import duckdb_type, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.types import NestedField

FILE, ROW = "phlo_file", "phlo_row"
"""Where a stored row is: a number that the reader gives its file, and its place in it."""

NUMBER = "phlo_number"
"""Numbers the rows of a DuckDB table that has a column ``rowid``, which hides DuckDB's own."""


class Connection(Protocol):
    """The part of a DuckDB connection that this package uses; only the merge and the engine open one."""

    def execute(self, query: str, parameters: object = None) -> Any:
        """Run a statement."""

    def sql(self, query: str) -> Any:
        """Make a relation of a query, which runs when its rows are asked for."""

    def register(self, view_name: str, python_object: object) -> Any:
        """Name an Arrow object in SQL."""

    def unregister(self, view_name: str) -> Any:
        """Forget such a name."""


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
            f"{field.field_id}: {{name: {literal(_unhidden(field))}, type: {literal(duckdb_type(field.field_type))}, "
            "default_value: NULL}"
            for field in self.schema.fields
        )
        return f"MAP {{{', '.join(entries)}}}"

    @property
    def found(self) -> str:
        """The column list, of what ``read_parquet`` yields by that."""
        names = ((_unhidden(field), field.name) for field in self.schema.fields)
        return ", ".join(quoted(name) if name == own else f"{quoted(name)} AS {quoted(own)}" for name, own in names)

    @property
    def rowid(self) -> str:
        """What numbers the rows of a DuckDB table with these columns: its ``rowid``, unless a column has that name."""
        return NUMBER if any(field.name.lower() == "rowid" for field in self.schema.fields) else "rowid"

    @property
    def numbered(self) -> str:
        """What has to be selected beside the columns for that."""
        return "" if self.rowid == "rowid" else f", row_number() OVER () AS {NUMBER}"

    @property
    def nulls(self) -> str:
        """A column list of typed NULLs, for an empty relation."""
        return ", ".join(
            f"CAST(NULL AS {duckdb_type(field.field_type)}) AS {quoted(field.name)}" for field in self.schema.fields
        )


def files_sql(
    table: Table,
    files: Sequence[DataFile],
    columns: Columns,
    con: Connection | None = None,
    numbers: Sequence[int] | None = None,
) -> str:
    """Return a SELECT over all rows of files; with a number for each, also ``FILE`` and ``ROW`` of each row."""
    odd = _is_misread(table)
    misread = [odd or file.file_format != FileFormat.PARQUET for file in files]
    parts = [
        f"SELECT {columns.select}{_place(numbers and numbers[place], ROW)} "
        f"FROM {_read_with_pyiceberg(table, file, columns, con)}"
        for place, file in enumerate(files)
        if misread[place]
    ]
    plain = [place for place in range(len(files)) if not misread[place]]
    if plain:
        # file_index and file_row_number are DuckDB's virtual columns: places in its own list of files, and in a file.
        number = numbers and f"{[numbers[place] for place in plain]}[CAST(file_index AS BIGINT) + 1]"
        parts.append(
            f"SELECT {columns.found}{_place(number, 'file_row_number')} "
            f"FROM read_parquet({paths_sql([files[place] for place in plain])}, schema = {columns.by_id})"
        )
    if not parts:
        null = "CAST(NULL AS BIGINT)"
        return f"SELECT {columns.nulls}{_place(None if numbers is None else null, null)} WHERE false"
    return " UNION ALL ".join(parts)


def is_misread(table: Table, file: DataFile) -> bool:
    """Whether DuckDB would misread a file's columns, or can not read them at all.

    It knows files without field ids, values of columns that were added with one, and names inside of structs, not.
    """
    return file.file_format != FileFormat.PARQUET or _is_misread(table)


def paths_sql(files: Sequence[DataFile]) -> str:
    """Return the files' paths as DuckDB's readers take them."""
    return f"[{', '.join(literal(as_pattern(local_path(file.file_path))) for file in files)}]"


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


def _unhidden(field: NestedField) -> str:
    """A name for a column that hides none of DuckDB's virtual ones."""
    hides = field.name.lower() in ("file_index", "file_row_number")
    return f"phlo_column_{field.field_id}" if hides else field.name


def _place(file: object, row: str) -> str:
    return "" if file is None else f", {file} AS {FILE}, {row} AS {ROW}"


def _is_misread(table: Table) -> bool:
    schema = table.schema()
    return (
        TableProperties.DEFAULT_NAME_MAPPING in table.properties
        or (table.format_version > 2 and _has_defaults(table))
        or (any(not field.field_type.is_primitive for field in schema.fields) and _is_renamed_inside(table))
    )


def _has_defaults(table: Table) -> bool:
    return any(field.initial_default is not None for field in index_by_id(table.schema()).values())


def _is_renamed_inside(table: Table) -> bool:
    """Whether a name inside of a struct was ever another field's, or a field's name another."""
    schemas = table.metadata.schemas
    named = {(each, schema.find_column_name(each)) for schema in schemas for each in index_by_id(schema)}
    inside = [(each, name) for each, name in named if "." in (name or "")]
    return not len(inside) == len({each for each, _ in inside}) == len({name for _, name in inside})


def _read_with_pyiceberg(table: Table, file: DataFile, columns: Columns, con: Connection | None) -> str:
    """Copy the rows of a file, in their order, into a temporary table, each with its place; return its name."""
    from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

    if con is None:
        raise ValueError(f"reading {file.file_path} takes a connection, as DuckDB would misread it")
    if file.file_format == FileFormat.AVRO:
        raise UnreadableFile(table=".".join(table.name()), detail=f"`{file.file_path}` is {file.file_format.value}")
    scan = ArrowScan(table.metadata, table.io, columns.schema, AlwaysTrue())
    arrow = schema_to_pyarrow(columns.schema, include_field_ids=False)
    batches = (batch.cast(arrow) for batch in scan.to_record_batches([FileScanTask(file)]))
    name = quoted(f"{file.file_path} {columns.select}")
    con.register("phlo_reader", pa.RecordBatchReader.from_batches(arrow, batches))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT *, row_number() OVER () - 1 AS {ROW} FROM phlo_reader")
    con.unregister("phlo_reader")
    return name
