"""Copy-on-write merges and replacements: one snapshot, and only files that change are written again.

    stage → dedupe → prune → locate → rewrite → commit

A batch is staged in a DuckDB database of its own, which spills to disk past its memory limit; of the table only small
files pass through memory as a whole. Stored rows that the batch repeats are left alone, and where nothing changes there
is no snapshot. PyIceberg commits with compare-and-swap: a concurrent commit surfaces as ``CommitFailedException``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue

from phlo.errors import PhloError, UnreadableFile, WriteFailed
from phlo.iceberg import in_memory
from phlo.iceberg.commit import swap
from phlo.iceberg.damaged import damaged
from phlo.iceberg.interrupts import StoppableConnection
from phlo.iceberg.locate import files_of, locate
from phlo.iceberg.prune import BatchKeys, key_range, may_hold
from phlo.iceberg.rewrite import Rewrite, Rewriter
from phlo.iceberg.tables import FILE, ROW, Columns, check_writable, compared, plan, tasks_sql, within, within_sql
from phlo.iceberg.types import duckdb_type, quoted
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.tables import Connection


UNWRITTEN = (
    *(duckdb.IOException, duckdb.OutOfMemoryException, duckdb.ConversionException),
    *(duckdb.InvalidInputException, duckdb.NotImplementedException),  # a file that is damaged, or a type (float16)
)
"""What is told as a write that failed; so is an error of no kind, which a damaged page of a file makes."""

# In notebooks the progress bar goes to stdout. A scan by field ids does not tell how many rows it has: DuckDB would
# take it for the smaller side of a join, and hold the table in memory. As written here, the batch is on the right, and
# that is what is held.
SESSION = """
SET TimeZone = 'UTC'; SET enable_progress_bar = false; SET disabled_optimizers = 'join_order,build_side_probe_side'
"""


@dataclass(frozen=True)
class Limits:
    """What a write may use of the machine."""

    memory: str = "2GB"
    threads: int = 0
    temp: Path | None = None
    connect: Callable[[], AbstractContextManager[Connection]] | None = None
    """Yields a connection, whose tables go with it, to a DuckDB that is open; its limits are what counts then. To
    open one takes 24 ms of CPU, half of a small write."""


def merge(
    table: Table,
    rows: pa.Table | pa.RecordBatchReader,
    keys: Sequence[str],
    *,
    deduplication: str = "last",
    limits: Limits | None = None,
) -> Written:
    """Update the stored rows that have a key of ``rows``, insert the rest, in one snapshot.

    Of rows with one key the last counts (``deduplication="first"``: the first; ``"hash"`` is ``"last"``, as identical
    rows are one either way). A row is unchanged when all its columns but the load's id and time are: NULLs are
    equal, and so are NaNs, and -0.0 and 0.0. The table has to have the rows' columns already (see ``evolve``).
    """
    check_writable(table)
    rows = in_memory.at_hand(rows)
    if (written := in_memory.merge(table, rows, keys, first=deduplication == "first")) is not None:
        return written
    with _staged(table, rows, limits) as con:
        batch = BatchKeys.read(con, table, keys)
        if not batch.rows:
            return Written()
        _dedupe(con, table, batch, first=deduplication == "first")
        tasks = plan(table)
        candidates = may_hold(table, tasks, batch)
        found = locate(con, table, candidates, batch)
        fresh = batch.distinct - found.unchanged
        if fresh:
            losing = candidates if found.stored else ()
            swap(table, Rewriter(con, table, tasks, losing).rewrite(found.touched), key_range(table, batch))
        inserted = batch.distinct - found.stored
        return Written(inserted=inserted, updated=fresh - inserted, unchanged=found.unchanged)


def append(table: Table, rows: pa.Table | pa.RecordBatchReader, *, limits: Limits | None = None) -> Written:
    """Add rows, in one snapshot."""
    check_writable(table)
    rows = in_memory.at_hand(rows)
    if (written := in_memory.append(table, rows)) is not None:
        return written
    with _staged(table, rows, limits) as con:
        total = _count(con, "batch")
        if total:
            swap(table, Rewriter(con, table, plan(table)).rewrite([]), AlwaysTrue())
        return Written(inserted=total)


def replace(
    table: Table,
    rows: pa.Table | pa.RecordBatchReader,
    partitions: Sequence[date] = (),
    *,
    limits: Limits | None = None,
) -> Written:
    """Put rows in the place of all rows, or of those of some ``partition_date``s, in one snapshot."""
    replaced = within_sql(partitions)
    with _staged(table, rows, limits) as con:
        tasks = plan(table, partitions)
        stored = tasks_sql(table, tasks, Columns(table.schema()), con, range(len(tasks)))
        old = f"(SELECT * FROM ({stored}) WHERE {replaced})"
        total, removed = _count(con, "batch"), _count(con, old)
        if total == removed and _same_rows(con, table, old):
            return Written(unchanged=total)
        swap(table, _replaced(con, table, tasks, old if partitions else ""), within(partitions))
        return Written(inserted=total, deleted=removed)


def compact(table: Table, tasks: Sequence[FileScanTask], *, limits: Limits | None = None) -> None:
    """Write files of the current snapshot together, their rows as they are, in one snapshot."""
    with _staged(table, table.schema().as_arrow().empty_table(), limits) as con:
        swap(table, Rewriter(con, table, tasks).rewrite(tasks), AlwaysTrue())


def count_rows(table: Table) -> int | None:
    """Count the rows that no delete file names; ``None`` where these can not be read.

    Only files with deletes are read: a snapshot's summary counts deletes that delete nothing, or one row twice.
    """
    tasks = plan(table)
    deleted = [task for task in tasks if task.delete_files]
    with duckdb.connect(config=settings(Limits())) as con:
        try:
            left = _count(con, f"({tasks_sql(table, deleted, Columns(table.schema()), con)})") if deleted else 0
        except UnreadableFile:
            return None
    return left + sum(task.file.record_count for task in tasks if not task.delete_files)


# ── the batch ────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _staged(table: Table, rows: pa.Table | pa.RecordBatchReader, limits: Limits | None) -> Iterator[Connection]:
    """Open a database that holds the rows as ``batch``, with the table's columns and types, in order of arrival."""
    check_writable(table)
    try:
        with _connected(limits or Limits()) as opened:
            con = StoppableConnection(opened)
            con.execute(SESSION)
            _stage(con, table, rows)
            yield con
    except duckdb.Error as error:
        of_no_kind = type(error) is duckdb.Error
        if not (of_no_kind or isinstance(error, UNWRITTEN)):
            raise
        detail = str(error).partition("\n")[0] + (": a file of the table may be damaged" if of_no_kind else "")
        raise damaged(str(error)) or WriteFailed(table=".".join(table.name()), detail=detail) from error


def _stage(con: Connection, table: Table, rows: pa.Table | pa.RecordBatchReader) -> None:
    given = set(rows.schema.names)
    columns = ", ".join(
        f"CAST({quoted(field.name) if field.name in given else 'NULL'} AS {duckdb_type(field.field_type)}) "
        f"AS {quoted(field.name)}"
        for field in table.schema().fields
    )
    source = _Source(rows)
    con.register("arrived", source.rows)
    try:
        con.execute(f"CREATE TABLE batch AS SELECT {columns}{Columns(table.schema()).numbered} FROM arrived")
    except duckdb.Error:
        # DuckDB tells of an error in the stream as one of its own; the caller is to see what he raised.
        if isinstance(source.error, PhloError) or (source.error and not isinstance(source.error, Exception)):
            raise source.error from None
        raise
    con.unregister("arrived")


class _Source:
    """Rows on their way in, and the error that ended them."""

    def __init__(self, rows: pa.Table | pa.RecordBatchReader) -> None:
        self.error: BaseException | None = None
        self.rows = rows
        if isinstance(rows, pa.RecordBatchReader):
            self.rows = pa.RecordBatchReader.from_batches(rows.schema, self._batches(rows))

    def _batches(self, rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except BaseException as error:
            self.error = error
            raise


def _connected(limits: Limits) -> AbstractContextManager[Connection]:
    return limits.connect() if limits.connect else duckdb.connect(config=settings(limits))


def settings(limits: Limits) -> dict[str, str]:
    """What a DuckDB is opened with for writes."""
    config = {"memory_limit": limits.memory, "python_enable_replacements": "false"}
    if limits.threads:
        config["threads"] = str(limits.threads)
    if limits.temp:
        config["temp_directory"] = str(limits.temp)
    return config


def _dedupe(con: Connection, table: Table, batch: BatchKeys, *, first: bool) -> None:
    if batch.distinct < batch.rows:
        names, number = ", ".join(map(quoted, batch.ranges)), Columns(table.schema()).rowid
        kept = f"SELECT {'min' if first else 'max'}({number}) AS row FROM batch GROUP BY {names}"
        con.execute(f"DELETE FROM batch WHERE {number} NOT IN ({kept})")


# ── what is stored already ───────────────────────────────────────────────────────────────────────────────


def _replaced(con: Connection, table: Table, tasks: Sequence[FileScanTask], old: str) -> Rewrite:
    """Write the batch, and what stays of the files that the ``old`` rows are in; without these, nothing stays."""
    if not old:
        return Rewrite([task.file for task in tasks], Rewriter(con, table, []).rewrite([]).new)
    con.execute(f"CREATE TABLE gone AS SELECT {FILE}, {ROW} FROM {old}")
    return Rewriter(con, table, plan(table), tasks).rewrite(files_of(con, tasks, "gone"))


def _same_rows(con: Connection, table: Table, old: str) -> bool:
    """Whether the old rows and as many new ones are the same; sums of hashes tell most that are not at a tenth."""
    names = ", ".join(map(quoted, compared(table)))
    sums = {
        con.execute(f"SELECT bit_xor(h), sum(h) FROM (SELECT hash({names}) AS h FROM {rows})").fetchall()[0]
        for rows in ("batch", old)
    }
    return len(sums) == 1 and not _count(con, f"(SELECT {names} FROM {old} EXCEPT ALL SELECT {names} FROM batch)")


def _count(con: Connection, relation: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
