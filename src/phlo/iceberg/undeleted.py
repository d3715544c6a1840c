"""The rows of files that no delete file names: by positions, by vectors of positions, or by the values of some columns.

What delete files hold goes into temporary tables of the connection, each once; the files' rows pass them by.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg import types as ice
from pyiceberg.manifest import FileFormat
from pyiceberg.schema import Schema

from phlo.errors import UnreadableFile
from phlo.iceberg.deletes import LENGTH, OFFSET
from phlo.iceberg.scans import FILE, ROW, Columns, files_sql, paths_sql
from phlo.iceberg.types import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.typedef import Record

    from phlo.iceberg.deletes import DeletesTask, EqualityDelete
    from phlo.iceberg.scans import Connection

VECTOR_MAGIC = b"\xd1\xd3\x39\x64"


def undeleted_sql(
    table: Table,
    tasks: Sequence[DeletesTask],
    columns: Columns,
    con: Connection | None,
    numbers: Sequence[int] | None = None,
) -> str:
    """Return a SELECT over the rows that are left; with a number for each file, also ``FILE`` and ``ROW`` of each."""
    if con is None:
        raise ValueError(f"reading {tasks[0].file.file_path} takes a connection: it has delete files")
    rows = _Rows(table, tasks, columns, con)
    names = ", ".join(f"s.{quoted(field.name)}" for field in columns.schema.fields)
    place = f", {list(numbers)}[s.{FILE} + 1] AS {FILE}, s.{ROW} AS {ROW}" if numbers is not None else ""
    return f"SELECT {names}{place} FROM ({rows.select}) s {' '.join([*rows.by_position(), *rows.by_value()])}"


@dataclass(frozen=True)
class _Rows:
    """All rows of some files, and the joins that leave out the deleted ones."""

    table: Table
    tasks: Sequence[DeletesTask]
    columns: Columns
    con: Connection

    @property
    def select(self) -> str:
        """The rows, with the columns that delete files compare beside those that are asked for."""
        known = {field.field_id for field in self.columns.schema.fields}
        ids = {each for task in self.tasks for delete in task.equality for each in _ids(delete)}
        beside = [self._compared(field_id) for field_id in sorted(ids - known)]
        wide = Columns(Schema(*self.columns.schema.fields, *beside))
        return files_sql(self.table, [task.file for task in self.tasks], wide, self.con, range(len(self.tasks)))

    def by_position(self) -> Iterator[str]:
        """Join with the positions that are deleted."""
        files = {file.file_path: file for task in self.tasks for file in task.positions}
        vectors = {number: task.vector for number, task in enumerate(self.tasks) if task.vector}
        if not files and not vectors:
            return
        places = {task.file.file_path: number for number, task in enumerate(self.tasks)}
        name = _named("positions", places, files, [_blob(vector) for vector in vectors.values()])
        if not _is_there(self.con, name):
            self._keep_positions(name, places, list(files.values()), vectors)
        yield f"ANTI JOIN {quoted(name)} p ON p.file = s.{FILE} AND p.row = s.{ROW}"

    def by_value(self) -> Iterator[str]:
        """Join with the values that are deleted: once for each choice of columns, within a partition or everywhere."""
        groups: dict[tuple[tuple[int, ...], bool], dict[str, EqualityDelete]] = {}
        for task in self.tasks:
            for delete in task.equality:
                group = groups.setdefault((_ids(delete), delete.partition is None), {})
                group[delete.file.file_path] = delete
        sequences = f"{[task.sequence for task in self.tasks]}[s.{FILE} + 1]"
        partitions = {task.partition: None for task in self.tasks}
        numbers = {partition: number for number, partition in enumerate(partitions)}
        near = f"{[numbers[task.partition] for task in self.tasks]}[s.{FILE} + 1]"
        for (ids, everywhere), deletes in groups.items():
            name = self._values(ids, list(deletes.values()), numbers)
            tests = [f"s.{quoted(self._name(each))} IS NOT DISTINCT FROM d.{quoted(f'{each}')}" for each in ids]
            tests += [] if everywhere else [f"d.partition = {near}"]
            yield f"ANTI JOIN {quoted(name)} d ON {' AND '.join(tests)} AND d.sequence > {sequences}"

    def _keep_positions(
        self, name: str, places: dict[str, int], files: Sequence[DataFile], vectors: dict[int, DataFile]
    ) -> None:
        if strange := [file for file in files if file.file_format != FileFormat.PARQUET]:
            raise self._unreadable(f"`{strange[0].file_path}` is {strange[0].file_format.value}")
        kept = [pa.table({"file": pa.array([], pa.int64()), "row": pa.array([], pa.int64())})]
        for number, vector in vectors.items():
            rows = self._vector(vector)
            kept.append(pa.table({"file": pa.repeat(pa.scalar(number, pa.int64()), len(rows)), "row": rows}))
        select = "SELECT file, row FROM phlo_vectors"
        if files:
            paths = ", ".join(f"({literal(path)}, {number})" for path, number in places.items())
            select += (
                f" UNION ALL SELECT t.number, d.pos FROM read_parquet({paths_sql(files)}) d "
                f"JOIN (VALUES {paths}) t(path, number) ON t.path = d.file_path"
            )
        self.con.register("phlo_vectors", pa.concat_tables(kept))
        self.con.execute(f"CREATE TEMP TABLE {quoted(name)} AS {select}")
        self.con.unregister("phlo_vectors")

    def _values(
        self, ids: tuple[int, ...], deletes: Sequence[EqualityDelete], numbers: dict[tuple[int, Record], int]
    ) -> str:
        """Keep the values that are deleted, each with the newest file that says so; return the table's name."""
        if not ids:
            raise self._unreadable("rows are deleted by the values of no column")
        fields = [self._compared(each, f"{each}") for each in ids]
        sequences = [delete.sequence for delete in deletes]
        partitions = [numbers[delete.partition] if delete.partition else -1 for delete in deletes]
        files = [delete.file for delete in deletes]
        name = _named("values", fields, sequences, partitions, [file.file_path for file in files])
        if not _is_there(self.con, name):
            self._check_columns(ids, files)
            columns = Columns(Schema(*fields))
            rows = files_sql(self.table, files, columns, self.con, range(len(files)))
            self.con.execute(
                f"CREATE TEMP TABLE {quoted(name)} AS SELECT {columns.select}, {partitions}[{FILE} + 1] AS partition, "
                f"max({sequences}[{FILE} + 1]) AS sequence FROM ({rows}) GROUP BY ALL"
            )
        return name

    def _check_columns(self, ids: tuple[int, ...], files: Sequence[DataFile]) -> None:
        """A file without one of its columns would seem to say NULL."""
        parquet = [file for file in files if file.file_format == FileFormat.PARQUET]
        if not parquet:
            return
        found = self.con.execute(
            f"SELECT count(DISTINCT (file_name, field_id)) FROM parquet_schema({paths_sql(parquet)}) "
            f"WHERE field_id IN ({', '.join(map(str, ids))})"
        ).fetchall()
        if found[0][0] != len(parquet) * len(ids):
            raise self._unreadable(f"a file of deletes has not the columns {list(ids)} that it is to have")

    def _vector(self, file: DataFile) -> pa.Array:
        """Read the positions of a vector: its length, a mark, 64-bit Roaring bitmaps, and their checksum."""
        from pyroaring import BitMap64

        path, offset, length = _blob(file)
        with self.table.io.new_input(path).open() as stream:
            stream.seek(offset)
            blob = stream.read(length)
        marked, checksum = blob[4:-4], blob[-4:]
        if not marked.startswith(VECTOR_MAGIC) or zlib.crc32(marked) != int.from_bytes(checksum, "big"):
            raise self._unreadable(f"`{path}` has no vector of deletes at {offset}")
        return pa.array(BitMap64.deserialize(marked[4:]), pa.int64())

    def _compared(self, field_id: int, name: str = "") -> ice.NestedField:
        """A column that a delete file compares, as the newest schema that has it says."""
        newest = sorted(self.table.metadata.schemas, key=lambda schema: schema.schema_id, reverse=True)
        for schema in (self.table.schema(), *newest):
            for field in schema.fields:
                if field.field_id == field_id:
                    return self._comparable(field, name or self._name(field_id))
        raise self._unreadable(f"rows are deleted by the column {field_id}, which is inside of another or unknown")

    def _comparable(self, field: ice.NestedField, name: str) -> ice.NestedField:
        if not field.field_type.is_primitive or isinstance(field.field_type, (ice.FloatType, ice.DoubleType)):
            raise self._unreadable(f"rows are deleted by the column `{field.name}` of type `{field.field_type}`")
        return ice.NestedField(field.field_id, name, field.field_type, required=False)

    def _name(self, field_id: int) -> str:
        """What a column is called in the rows that are read."""
        names = {field.field_id: field.name for field in self.columns.schema.fields}
        return names.get(field_id, f"phlo_compared_{field_id}")

    def _unreadable(self, detail: str) -> UnreadableFile:
        return UnreadableFile(table=".".join(self.table.name()), detail=detail)


def _ids(delete: EqualityDelete) -> tuple[int, ...]:
    return tuple(sorted(delete.file.equality_ids or ()))


def _is_there(con: Connection, name: str) -> bool:
    found = con.execute(f"SELECT count(*) FROM duckdb_tables() WHERE temporary AND table_name = {literal(name)}")
    return bool(found.fetchall()[0][0])


def _blob(file: DataFile) -> tuple[str, int, int]:
    """Where a vector is."""
    return file.file_path, file._data[OFFSET], file._data[LENGTH]


def _named(kind: str, *contents: object) -> str:
    """A name that tells what a temporary table holds, so that it is filled once."""
    return f"phlo {kind} {hashlib.sha256(repr(contents).encode()).hexdigest()}"
