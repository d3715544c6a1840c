"""Files written again through Arrow, a row group at a time: for DuckDB, setting up and writing cost more.

116 files of 90 kB took 1.4 s of CPU as so many ``COPY`` statements, and take 0.5 s here; one of 17 MB took 0.47, and
takes 0.29. What is not plain (nested columns, NaN, files from before columns came or changed their type, much to hold
in memory) is left to DuckDB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg import types as ice

from phlo.iceberg.parquet import ROW_GROUP
from phlo.iceberg.plain_files import (
    MOST_MEMORY,
    NUMBER_BYTES,
    NotPlain,
    PlainFile,
    arrow_schema,
    conformed,
    or_not_plain,
    with_dictionaries,
)
from phlo.iceberg.tables import FILE, ROW, needs_reader
from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask
    from pyiceberg.typedef import Record

    from phlo.iceberg.parquet import Writer
    from phlo.iceberg.rewrite import Job
    from phlo.iceberg.tables import Connection

MOST_STORED = 64 * 1024 * 1024
"""Bytes of a partition's files, compressed; above, that DuckDB works in several threads saves seconds."""

DISTINCT = 5
"""Of so many rows, one may have a value of its own for a dictionary of the values to be worth its while."""

MOST_ROWS = 250_000
"""New rows, and rows that go, of all partitions together."""


@dataclass(frozen=True)
class SmallFiles:
    """New rows by partition, and the places of the rows that go, by the number of their file."""

    writer: Writer
    fresh: Mapping[Record, pa.Table]
    gone: Mapping[int, NDArray[np.int64]]
    held: Sequence[PlainFile] = ()
    """The numbered files, where they are in memory."""

    @classmethod
    def of(
        cls,
        con: Connection,
        writer: Writer,
        pool: str,
        order: Sequence[str],
        counts: Mapping[Record, int],
        *,
        losing: bool,
    ) -> SmallFiles | None:
        """Take both out of DuckDB; ``None`` where they are more than memory should hold, or not plain.

        ``order`` is that of ``counts``, the numbers of new rows.
        """
        if arrow_schema(writer.schema) is None or _large(con, writer, pool):
            return None
        gone: dict[int, NDArray[np.int64]] = {}
        if losing:
            if con.execute("SELECT count(*) FROM gone").fetchall()[0][0] > MOST_ROWS:
                return None
            found = con.execute(f"SELECT {FILE}, {ROW} FROM gone ORDER BY ALL").fetchnumpy()
            files, starts = np.unique(found[FILE], return_index=True)
            gone = dict(zip(files.tolist(), np.split(found[ROW], starts[1:]), strict=True)) if len(files) else {}
        return cls(writer, _by_partition(con, writer, pool, order, counts), gone)

    def write(self, job: Job, numbers: Sequence[int]) -> list[DataFile] | None:
        """Do a job, its files numbered so; ``None`` where DuckDB has to."""
        table, tasks = self.writer.table, job.tasks
        small = sum(task.file.file_size_in_bytes for task in tasks) <= MOST_STORED
        if not small or any(needs_reader(table, task) for task in tasks):
            return None
        try:
            files = [self._file(task, number) for task, number in zip(tasks, numbers, strict=True)]
            fresh = self.fresh.get(job.partition, self.schema.empty_table())
            dictionaries = self._dictionaries(files, fresh)
            kept = chain.from_iterable(map(self._kept, files, numbers))
            new = [] if job.again else [fresh]
            schema = with_dictionaries(self.schema, dictionaries)
            groups = _grouped(chain(kept, new), schema)
            names = [self.schema.names[place] for place in sorted(dictionaries)]
            return self.writer.write_arrow(groups, schema, job.partition, names)
        except NotPlain:
            return None

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the new files."""
        return arrow_schema(self.writer.schema)

    def _dictionaries(self, files: Sequence[PlainFile], fresh: pa.Table) -> set[int]:
        """Take those that the files have, or that the new rows call for, whichever are more."""
        if fresh.num_rows > sum(file.footer.num_rows for file in files):
            return _that_repeat(fresh)
        return {place for file in files for place in file.dictionaries}

    def _file(self, task: FileScanTask, number: int) -> PlainFile:
        return self.held[number] if self.held and number >= 0 else PlainFile.of(task.file, self.schema)

    def _kept(self, file: PlainFile, number: int) -> Iterator[pa.Table]:
        """The rows of a file that stay."""
        gone, first = self.gone.get(number, np.empty(0, dtype=np.int64)), 0
        for rows in file.row_groups():
            start, end = np.searchsorted(gone, (first, first + rows.num_rows))
            if start < end:
                stays = np.ones(rows.num_rows, dtype=bool)
                stays[gone[start:end] - first] = False
                yield rows.filter(pa.array(stays))
            else:
                yield rows
            first += rows.num_rows


def memory_of(rows: pa.Table) -> int:
    """Bytes that rows take in memory, texts that repeat unpacked."""
    return sum(max(column.nbytes, len(column) * NUMBER_BYTES) for column in rows.columns)


def _that_repeat(rows: pa.Table) -> set[int]:
    """The columns for which a dictionary is worth its while, by the measure that DuckDB takes of a row group."""
    rows = rows.slice(0, ROW_GROUP)
    return {
        place
        for place, column in enumerate(rows.columns)
        if pc.count_distinct(column).as_py() * DISTINCT <= rows.num_rows
    }


def _grouped(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Put few rows together with the next; of a schema, and plain."""
    waiting: list[pa.Table] = []
    for rows in tables:
        waiting.append(rows)
        if sum(each.num_rows for each in waiting) >= ROW_GROUP // 2:
            yield _joined(waiting, schema)
            waiting = []
    if any(each.num_rows for each in waiting):
        yield _joined(waiting, schema)


def _joined(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    rows = pa.concat_tables([conformed(table, schema) for table in tables])
    for place, column in enumerate(rows.columns):
        if pa.types.is_dictionary(column.type):
            with or_not_plain():
                rows = rows.set_column(place, schema.field(place), _without_unused(column.unify_dictionaries()))
        elif pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
            raise NotPlain  # Arrow leaves NaN out of a bound; readers may hold it for the greatest number
    return rows


def _without_unused(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Drop values that no row has any more, which would stay in the file; raise where all together are too large."""
    values = column.combine_chunks()
    used = pc.unique(values.indices).drop_null()
    if len(used) < len(values.dictionary):
        values = pa.DictionaryArray.from_arrays(pc.index_in(values.indices, used), values.dictionary.take(used))
    if (pc.max(pc.binary_length(values.dictionary)).as_py() or 0) * len(values) > MOST_MEMORY:
        raise NotPlain  # where there are many, Arrow writes them one by one, and holds them so
    return values


def _large(con: Connection, writer: Writer, pool: str) -> bool:
    lengths = {str(ice.StringType()): "strlen", str(ice.BinaryType()): "octet_length"}
    texts = [
        f"coalesce({lengths[str(field.field_type)]}({quoted(field.name)}), 0)"
        for field in writer.table.schema().fields
        if str(field.field_type) in lengths
    ]
    rows, size = con.execute(f"SELECT count(*), sum({' + '.join(texts) or '0'}) FROM {pool}").fetchall()[0]
    numbers = int(rows) * NUMBER_BYTES * (len(writer.schema.fields) - len(texts))
    return int(rows) > MOST_ROWS or numbers + int(size or 0) > MOST_MEMORY


def _by_partition(
    con: Connection, writer: Writer, pool: str, order: Sequence[str], counts: Mapping[Record, int]
) -> dict[Record, pa.Table]:
    select = f"SELECT {writer.select} FROM {pool} ORDER BY {', '.join(order)}"
    rows = con.sql(select).to_arrow_table().cast(arrow_schema(writer.schema))
    ends = np.cumsum([0, *counts.values()]).tolist()
    return {
        partition: rows.slice(start, count) for (partition, count), start in zip(counts.items(), ends[:-1], strict=True)
    }
