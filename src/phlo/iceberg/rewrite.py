"""Which files a write makes: those it changes again, and new rows together with the small files beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from phlo.iceberg.parquet import Partitioning, Writer, remove
from phlo.iceberg.small_files import SmallFiles
from phlo.iceberg.tables import FILE, ROW, Columns, tasks_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.typedef import Record

    from phlo.iceberg.plain_files import PlainFile
    from phlo.iceberg.tables import Connection

SMALL_FILE = 16 * 1024 * 1024
"""Files below this are written together with a partition's new rows, when they have to be written at all."""

TINY = 1024 * 1024
MANY_SMALL_FILES = 8
"""Small files that a write need not touch are folded in when they are together tiny or this many."""


@dataclass(frozen=True)
class Rewrite:
    """Files that leave the table and files that come."""

    gone: list[DataFile]
    new: list[DataFile]


@dataclass(frozen=True)
class Rewriter:
    """Writes the batch, and what is left of the files it changes: the rows that are not in ``gone``."""

    con: Connection
    table: Table
    tasks: Sequence[FileScanTask]
    losing: Sequence[FileScanTask] = ()
    """The files that ``gone`` numbers; in no others a row goes."""
    held: Sequence[PlainFile] = ()
    """The same, where their rows are in memory."""

    def rewrite(self, touched: Sequence[FileScanTask]) -> Rewrite:
        """Large files are written again one by one; small ones together with the new rows of their partition."""
        spec_id = self.table.spec().spec_id
        pool = self._pool([task for task in touched if task.file.spec_id != spec_id])
        ours = [task for task in touched if task.file.spec_id == spec_id]
        large = [task for task in ours if task.file.file_size_in_bytes >= SMALL_FILE]
        small = [task for task in ours if task.file.file_size_in_bytes < SMALL_FILE]
        fresh = self._partitioning.counts(self.con, pool)
        kept: dict[Record, list[FileScanTask]] = {
            partition: [] for partition in [*fresh, *(task.file.partition for task in small)]
        }
        folded = self._foldable(touched, set(kept))
        for task in [*folded, *small]:
            kept[task.file.partition].append(task)
        small_files = self._small_files(pool, fresh) if large or any(kept.values()) else None
        new = _all_or_none(chain(self._again(large, small_files), self._together(kept, pool, small_files)))
        return Rewrite([task.file for task in [*touched, *folded]], new)

    def _again(self, tasks: Sequence[FileScanTask], through: SmallFiles | None) -> Iterator[list[DataFile]]:
        for task in tasks:
            partition = task.file.partition
            written = through.write([task], self._places([task]), partition, again=True) if through else None
            yield self._writer.write(self._survivors([task]), partition) if written is None else written

    def _together(
        self, kept: Mapping[Record, Sequence[FileScanTask]], pool: str, through: SmallFiles | None
    ) -> Iterator[list[DataFile]]:
        """Write each partition's new rows with what stays of some of its files."""
        for partition, tasks in kept.items():
            written = through.write(tasks, self._places(tasks), partition) if through else None
            if written is None:
                rows = f"SELECT {self._columns.select} FROM {pool} WHERE {self._partitioning.condition(partition)}"
                select = f"{self._survivors(tasks)} UNION ALL {rows}" if tasks else rows
                written = self._writer.write(select, partition)
            yield written

    def _small_files(self, pool: str, fresh: Mapping[Record, int]) -> SmallFiles | None:
        order = [*self._partitioning.expressions, self._columns.rowid]
        return SmallFiles.of(self._writer, pool, order, fresh, losing=bool(self.losing), held=self.held)

    @cached_property
    def _writer(self) -> Writer:
        return Writer(self.con, self.table)

    @cached_property
    def _partitioning(self) -> Partitioning:
        return Partitioning.of(self.table)

    @property
    def _columns(self) -> Columns:
        return Columns(self.table.schema())

    def _survivors(self, tasks: Sequence[FileScanTask]) -> str:
        numbers = self._places(tasks)
        if max(numbers, default=-1) < 0:
            return tasks_sql(self.table, tasks, self._columns, self.con)
        rows = tasks_sql(self.table, tasks, self._columns, self.con, numbers)
        gone = f"SELECT * FROM gone WHERE {FILE} IN ({', '.join(map(str, numbers))})"
        return f"SELECT {self._columns.select} FROM ({rows}) ANTI JOIN ({gone}) USING ({FILE}, {ROW})"

    def _places(self, tasks: Sequence[FileScanTask]) -> list[int]:
        """The numbers that ``gone`` gives files; -1 for one that loses no row."""
        return [self._numbers.get(task.file.file_path, -1) for task in tasks]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {task.file.file_path: number for number, task in enumerate(self.losing)}

    def _pool(self, foreign: Sequence[FileScanTask]) -> str:
        """New rows, and the survivors of files from before the table's partitioning changed."""
        if not foreign:
            return "batch"
        rows = f"SELECT {self._columns.select} FROM batch UNION ALL {self._survivors(foreign)}"
        self.con.execute(f"CREATE TABLE pool AS SELECT *{self._columns.numbered} FROM ({rows})")
        return "pool"

    def _foldable(self, touched: Sequence[FileScanTask], partitions: set[Record]) -> list[FileScanTask]:
        """Small files beside the ones that have to be written: tiny ones, or so many that reading suffers."""
        leaving = {task.file.file_path for task in touched}
        found: dict[Record, list[FileScanTask]] = {}
        for task in self.tasks:
            file = task.file
            near = file.spec_id == self.table.spec().spec_id and file.partition in partitions
            if near and file.file_size_in_bytes < SMALL_FILE and file.file_path not in leaving:
                found.setdefault(file.partition, []).append(task)
        return [
            task
            for tasks in found.values()
            if len(tasks) >= MANY_SMALL_FILES or sum(task.file.file_size_in_bytes for task in tasks) < TINY
            for task in tasks
        ]


def _all_or_none(writes: Iterable[list[DataFile]]) -> list[DataFile]:
    """Collect what is written; when a write fails (a full disk), the files of those before it are deleted."""
    new: list[DataFile] = []
    try:
        for written in writes:
            new += written
    except BaseException:
        remove([file.file_path for file in new])
        raise
    return new
