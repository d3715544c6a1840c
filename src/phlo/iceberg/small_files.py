"""Small files written again through Arrow: DuckDB's setting up of a scan, a join and a writer is most of their cost.

116 files of 90 kB took 1.4 s of CPU as so many ``COPY`` statements, and take 0.5 s here. What is not plain (nested
columns, NaN, files from before the schema changed, much to hold in memory) is left to DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg import types as ice
from pyiceberg.io.pyarrow import schema_to_pyarrow

from phlo.iceberg.tables import FILE, ROW, local_path, needs_reader
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask
    from pyiceberg.typedef import Record

    from phlo.iceberg.parquet import Writer

MOST_STORED = 4 * 1024 * 1024
"""Bytes of a partition's files, compressed; above, DuckDB's writing is the larger part, and it needs less memory."""

MOST_MEMORY = 64 * 1024 * 1024
"""Bytes, uncompressed, of the rows of a partition, and of all new rows together."""

NUMBER_BYTES = 8
"""Of memory, for a value that is no text."""

MOST_ROWS = 250_000
"""New rows, and rows that go, of all partitions together."""

PLAIN = (
    *(ice.BooleanType, ice.IntegerType, ice.LongType, ice.FloatType, ice.DoubleType, ice.DecimalType),
    *(ice.DateType, ice.TimestampType, ice.TimestamptzType, ice.StringType, ice.BinaryType),
)


@dataclass(frozen=True)
class SmallFiles:
    """New rows by partition, and the places of the rows that go, by the number of their file."""

    writer: Writer
    fresh: Mapping[Record, pa.Table]
    gone: Mapping[int, NDArray[np.int64]]

    @classmethod
    def of(
        cls, writer: Writer, pool: str, order: Sequence[str], counts: Mapping[Record, int], *, losing: bool
    ) -> SmallFiles | None:
        """Take both out of DuckDB; ``None`` where they are more than memory should hold, or not plain.

        ``order`` is that of ``counts``, the numbers of new rows.
        """
        con = writer.con
        if not all(isinstance(field.field_type, PLAIN) for field in writer.schema.fields) or _large(writer, pool):
            return None
        gone: dict[int, NDArray[np.int64]] = {}
        if losing:
            if con.execute("SELECT count(*) FROM gone").fetchall()[0][0] > MOST_ROWS:
                return None
            found = con.execute(f"SELECT {FILE}, {ROW} FROM gone ORDER BY ALL").fetchnumpy()
            files, starts = np.unique(found[FILE], return_index=True)
            gone = dict(zip(files.tolist(), np.split(found[ROW], starts[1:]), strict=True)) if len(files) else {}
        return cls(writer, _by_partition(writer, pool, order, counts), gone)

    def write(self, tasks: Sequence[FileScanTask], numbers: Sequence[int], partition: Record) -> list[DataFile] | None:
        """Write what stays of some files of a partition, and its new rows; ``None`` where DuckDB has to."""
        table = self.writer.table
        small = sum(task.file.file_size_in_bytes for task in tasks) <= MOST_STORED
        if not tasks or not small or any(needs_reader(table, task) for task in tasks):
            return None
        files = [pq.ParquetFile(local_path(task.file.file_path)) for task in tasks]
        if not all(map(self._fits, files)) or sum(map(_uncompressed, files)) > MOST_MEMORY:
            return None
        kept = self._kept(files, numbers)
        if kept is None:
            return None
        rows = pa.concat_tables([*kept, self.fresh.get(partition, self.schema.empty_table())])
        if _has_nan(rows):
            return None
        return self.writer.write_arrow(rows, partition, dictionaries=_dictionaries(files[-1]))

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the new files."""
        return arrow_schema(self.writer)

    def _fits(self, file: pq.ParquetFile) -> bool:
        """Whether a file has the table's columns of today, by id and type, in their order."""
        stored, wanted = (
            [(_short(field), field.metadata) for field in schema] for schema in (file.schema_arrow, self.schema)
        )
        return stored == wanted

    def _kept(self, files: Sequence[pq.ParquetFile], numbers: Sequence[int]) -> list[pa.Table] | None:
        """The rows that stay; ``None`` for many: what repeats takes no room in a file, and all of it in memory."""
        kept, room = [], MOST_MEMORY
        for file, number in zip(files, numbers, strict=True):
            rows = _read(file, room)
            if rows is None:
                return None
            room -= rows.nbytes
            if (gone := self.gone.get(number)) is not None:
                stays = np.ones(rows.num_rows, dtype=bool)
                stays[gone] = False
                rows = rows.filter(pa.array(stays))
            kept.append(rows.rename_columns(self.schema.names).cast(self.schema))
        return kept


def arrow_schema(writer: Writer) -> pa.Schema:
    """Return the columns of a table's files in Arrow, with their field ids."""
    fields = schema_to_pyarrow(writer.schema)
    return pa.schema([field.with_type(_short(field)).with_nullable(True) for field in fields])


def _short(field: pa.Field) -> pa.DataType:
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(field.type, field.type)


def _read(file: pq.ParquetFile, room: int) -> pa.Table | None:
    """Read a file's rows, unless they are more bytes than there is room for."""
    groups: list[pa.Table] = []
    for group in range(file.num_row_groups):
        groups.append(file.read_row_group(group, use_threads=False))
        room -= groups[-1].nbytes
        if room < 0:
            return None
    return pa.concat_tables(groups) if groups else file.read(use_threads=False)


def _large(writer: Writer, pool: str) -> bool:
    lengths = {str(ice.StringType()): "strlen", str(ice.BinaryType()): "octet_length"}
    texts = [
        f"coalesce({lengths[str(field.field_type)]}({quoted(field.name)}), 0)"
        for field in writer.table.schema().fields
        if str(field.field_type) in lengths
    ]
    rows, size = writer.con.execute(f"SELECT count(*), sum({' + '.join(texts) or '0'}) FROM {pool}").fetchall()[0]
    numbers = int(rows) * NUMBER_BYTES * (len(writer.schema.fields) - len(texts))
    return int(rows) > MOST_ROWS or numbers + int(size or 0) > MOST_MEMORY


def _by_partition(
    writer: Writer, pool: str, order: Sequence[str], counts: Mapping[Record, int]
) -> dict[Record, pa.Table]:
    select = f"SELECT {writer.select} FROM {pool} ORDER BY {', '.join(order)}"
    rows = writer.con.sql(select).to_arrow_table().cast(arrow_schema(writer))
    ends = np.cumsum([0, *counts.values()]).tolist()
    return {
        partition: rows.slice(start, count) for (partition, count), start in zip(counts.items(), ends[:-1], strict=True)
    }


def _uncompressed(file: pq.ParquetFile) -> int:
    return sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))


def _has_nan(rows: pa.Table) -> bool:
    """Whether a bound would not cover a row: Arrow leaves out NaN, which readers may hold for the greatest number."""
    floats = (column for column in rows.columns if pa.types.is_floating(column.type))
    return any(pc.any(pc.is_nan(column)).as_py() for column in floats)


def _dictionaries(file: pq.ParquetFile) -> list[str]:
    """The columns for which DuckDB found a dictionary worth its while, when it first wrote the rows."""
    if not file.metadata.num_row_groups:
        return []
    group = file.metadata.row_group(0)
    chunks = map(group.column, range(group.num_columns))
    return [chunk.path_in_schema for chunk in chunks if chunk.has_dictionary_page]
