"""Which files a write makes: those it changes again, and new rows together with the small files beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from phlo.iceberg.parquet import Partitioning, Writer, remove
from phlo.iceberg.tables import FILE, ROW, Columns, tasks_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.typedef import Record

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

    def rewrite(self, touched: Sequence[FileScanTask]) -> Rewrite:
        """Large files are written again one by one; small ones together with the new rows of their partition."""
        spec_id = self.table.spec().spec_id
        pool = self._pool([task for task in touched if task.file.spec_id != spec_id])
        ours = [task for task in touched if task.file.spec_id == spec_id]
        large = [task for task in ours if task.file.file_size_in_bytes >= SMALL_FILE]
        selects = [(self._survivors([task]), task.file.partition) for task in large]
        small = [task for task in ours if task.file.file_size_in_bytes < SMALL_FILE]
        partitioning = Partitioning.of(self.table)
        partitions = dict.fromkeys([*partitioning.values(self.con, pool), *(task.file.partition for task in small)])
        folded = self._foldable(touched, set(partitions))
        for partition in partitions:
            rows = f"SELECT {self._columns.select} FROM {pool} WHERE {partitioning.condition(partition)}"
            kept = [task for task in [*folded, *small] if task.file.partition == partition]
            selects.append((f"{self._survivors(kept)} UNION ALL {rows}" if kept else rows, partition))
        return Rewrite([task.file for task in [*touched, *folded]], self._write(selects))

    def _write(self, selects: Sequence[tuple[str, Record]]) -> list[DataFile]:
        """Write files; when one fails (a full disk), those before it are deleted."""
        writer = Writer(self.con, self.table)
        new: list[DataFile] = []
        try:
            for select, partition in selects:
                new += writer.write(select, partition)
        except BaseException:
            remove([file.file_path for file in new])
            raise
        return new

    @property
    def _columns(self) -> Columns:
        return Columns(self.table.schema())

    def _survivors(self, tasks: Sequence[FileScanTask]) -> str:
        numbers = [self._numbers.get(task.file.file_path, -1) for task in tasks]
        if max(numbers, default=-1) < 0:
            return tasks_sql(self.table, tasks, self._columns, self.con)
        rows = tasks_sql(self.table, tasks, self._columns, self.con, numbers)
        gone = f"SELECT * FROM gone WHERE {FILE} IN ({', '.join(map(str, numbers))})"
        return f"SELECT {self._columns.select} FROM ({rows}) ANTI JOIN ({gone}) USING ({FILE}, {ROW})"

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {task.file.file_path: number for number, task in enumerate(self.losing)}

    def _pool(self, foreign: Sequence[FileScanTask]) -> str:
        """New rows, and the survivors of files from before the table's partitioning changed."""
        if not foreign:
            return "batch"
        self.con.execute(f"CREATE TABLE pool AS FROM batch UNION ALL {self._survivors(foreign)}")
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
