"""Small batches into small tables, in Arrow and NumPy: to open a DuckDB takes as long as such a write.

What is more than memory should hold, or not plain (nested columns, NaN, keys that are fractions, files that other
engines deleted rows of), is left to ``merge.py``, which does the same to the row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue

from phlo.iceberg.commit import swap
from phlo.iceberg.manifests import no_collection
from phlo.iceberg.numbers import Numbers
from phlo.iceberg.parquet import Writer, stored_schema
from phlo.iceberg.partitioning import Partitioning
from phlo.iceberg.plain_files import (
    MOST_MEMORY,
    NotPlain,
    PlainFile,
    arrow_schema,
    conformed,
    is_text,
    or_not_plain,
    with_dictionaries,
)
from phlo.iceberg.prune import BatchKeys, KeyRange, key_range, may_hold
from phlo.iceberg.rewrite import arranged, written
from phlo.iceberg.small_files import MOST_ROWS, SmallFiles, memory_of
from phlo.iceberg.tables import compared, needs_reader, plan
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.rewrite import Job, Rewrite

    Places = Mapping[int, NDArray[np.int64]]

MOST_HELD = 8 * 1024 * 1024
"""Bytes of stored files, compressed, that a batch's keys are looked for in."""

KEYS = (
    *(ice.BooleanType, ice.IntegerType, ice.LongType, ice.StringType),
    *(ice.DateType, ice.TimestampType, ice.TimestamptzType),
)
"""The types of keys whose values are equal where Arrow says so."""


def at_hand(rows: pa.Table | pa.RecordBatchReader) -> pa.Table | pa.RecordBatchReader:
    """Read a stream into a table where it turns out to be small; else return it as it was from its beginning."""
    if isinstance(rows, pa.Table):
        return rows
    read: list[pa.RecordBatch] = []
    count = size = 0
    for batch in rows:
        read.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count > MOST_ROWS or size > MOST_MEMORY:
            return pa.RecordBatchReader.from_batches(rows.schema, chain(read, rows))
    return pa.Table.from_batches(read, rows.schema)


def merge(table: Table, rows: pa.Table | pa.RecordBatchReader, keys: Sequence[str], *, first: bool) -> Written | None:
    """Update and insert; ``None``, and nothing done, where the rows or the table are not for memory."""
    try:
        batch = _batch(table, rows)
        if not batch.num_rows:
            return Written()
        if not all(isinstance(table.schema().find_type(key), KEYS) for key in keys):
            return None
        numbers, numbered = Numbers.of([batch[key] for key in keys])
        if numbers.count < batch.num_rows:
            last = numbers.one_each(numbered, first=first)
            batch, numbered = batch.take(pa.array(last)), numbered[last]
        with no_collection():
            return _merged(table, batch, keys, numbers, numbered)
    except NotPlain:
        return None


def append(table: Table, rows: pa.Table | pa.RecordBatchReader) -> Written | None:
    """Add rows; ``None``, and nothing done, where they are not for memory."""
    try:
        batch = _batch(table, rows)
        if batch.num_rows:
            swap(table, _rewrite(table, plan(table), batch, [], _Found.nothing(batch.num_rows)), AlwaysTrue())
        return Written(inserted=batch.num_rows)
    except NotPlain:
        return None


@dataclass(frozen=True)
class _Found:
    """What is stored of a batch: for each of its rows whether, and whether just so; and the places of what goes."""

    stored: NDArray[np.bool_]
    unchanged: NDArray[np.bool_]
    gone: Places
    held: Sequence[PlainFile]

    @classmethod
    def nothing(cls, rows: int) -> _Found:
        return cls(np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool), {}, [])


def _merged(
    table: Table, batch: pa.Table, keys: Sequence[str], numbers: Numbers, numbered: NDArray[np.int64]
) -> Written:
    known = _batch_keys(batch, keys)
    tasks = plan(table)
    candidates = may_hold(table, tasks, known)
    found = _found(table, candidates, batch, keys, numbers, numbered) if candidates else _Found.nothing(len(numbered))
    fresh = batch.filter(pa.array(~found.unchanged)) if found.unchanged.any() else batch
    if fresh.num_rows:
        swap(table, _rewrite(table, tasks, fresh, candidates, found), key_range(table, known))
    stored, unchanged = int(found.stored.sum()), int(found.unchanged.sum())
    return Written(inserted=batch.num_rows - stored, updated=stored - unchanged, unchanged=unchanged)


# ── the batch ────────────────────────────────────────────────────────────────────────────────────────────


def _batch(table: Table, rows: pa.Table | pa.RecordBatchReader) -> pa.Table:
    """Give the rows the table's columns, in one piece, or raise ``NotPlain``."""
    schema = _schema(table)
    if not isinstance(rows, pa.Table) or rows.num_rows > MOST_ROWS or rows.nbytes > MOST_MEMORY:
        raise NotPlain
    names = table.schema().column_names
    columns = [
        rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
        for name, field in zip(names, schema, strict=True)
    ]
    if sum(map(_unpacked, columns)) > MOST_MEMORY:
        raise NotPlain
    with or_not_plain():
        batch = conformed(pa.table(columns, names), schema).rename_columns(names).combine_chunks()
        batch.validate(full=True)  # text that is no UTF-8: Arrow would write it, and no reader could read the table
    if memory_of(batch) > MOST_MEMORY:
        raise NotPlain
    return batch


def _unpacked(column: pa.ChunkedArray) -> int:
    """Bytes, at most, of texts that are numbers of a dictionary when each row has its own."""
    if not (pa.types.is_dictionary(column.type) and is_text(column.type.value_type)):
        return 0
    longest = [pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0 for chunk in column.chunks]
    return max(longest, default=0) * len(column)


def _schema(table: Table) -> pa.Schema:
    schema = arrow_schema(stored_schema(table))
    if schema is None:
        raise NotPlain
    return schema


def _batch_keys(batch: pa.Table, keys: Sequence[str]) -> BatchKeys:
    def values(key: str) -> pa.Array:
        unique = pc.unique(_comparable(batch[key])).drop_null()
        return unique.take(pc.sort_indices(unique))

    ranges = {}
    for key in keys:
        ends = pc.min_max(_comparable(batch[key]))
        ranges[key] = KeyRange(batch[key].null_count > 0, ends["min"].as_py(), ends["max"].as_py())
    return BatchKeys(batch.num_rows, batch.num_rows, ranges, values)


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values in the terms of bounds."""
    if pa.types.is_date(column.type):
        return column.cast(pa.int32())
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


# ── what is stored already ───────────────────────────────────────────────────────────────────────────────


def _found(
    table: Table,
    tasks: Sequence[FileScanTask],
    batch: pa.Table,
    keys: Sequence[str],
    numbers: Numbers,
    numbered: NDArray[np.int64],
) -> _Found:
    held = _held(table, tasks)
    rows = pa.concat_tables(cast("pa.Table", file.held) for file in held)
    found = numbers.find([_plain(rows[key]) for key in keys])
    places = np.flatnonzero(found >= 0)
    row_of = np.empty(numbers.count, dtype=np.int64)
    row_of[numbered] = np.arange(len(numbered))
    hits = row_of[found[places]]
    times = np.bincount(hits, minlength=len(numbered))
    same = _same(table, rows.filter(pa.array(found >= 0)), batch.take(pa.array(hits)), keys)
    unchanged = np.zeros(len(numbered), dtype=bool)
    unchanged[hits[same]] = True
    unchanged &= times == 1  # of rows that are stored more than once, one stays, whatever they hold
    ends = np.cumsum([cast("pa.Table", file.held).num_rows for file in held])
    going = places[~unchanged[hits]]
    files = np.searchsorted(ends, going, side="right")
    starts = np.concatenate([[0], ends])
    gone = {int(file): going[files == file] - starts[file] for file in np.unique(files)}
    return _Found(times > 0, unchanged, gone, held)


def _held(table: Table, tasks: Sequence[FileScanTask]) -> list[PlainFile]:
    """Read files, or raise ``NotPlain``."""
    schema, names = _schema(table), table.schema().column_names
    small = sum(task.file.file_size_in_bytes for task in tasks) <= MOST_HELD
    if not small or any(needs_reader(table, task) for task in tasks):
        raise NotPlain
    files = [PlainFile.of(task.file, schema) for task in tasks]
    if sum(file.size for file in files) > MOST_MEMORY:
        raise NotPlain
    repeat = {place for file in files for place in file.dictionaries}
    return [replace(file, held=_rows(file, with_dictionaries(schema, repeat), names)) for file in files]


def _rows(file: PlainFile, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    groups = [conformed(group, schema) for group in file.row_groups()]
    rows = pa.concat_tables(groups) if groups else schema.empty_table()
    with or_not_plain():
        return rows.rename_columns(names).unify_dictionaries()


def _same(table: Table, stored: pa.Table, given: pa.Table, keys: Sequence[str]) -> NDArray[np.bool_]:
    """Whether rows are the same, but for the load's id and time; NULLs are equal, and so are NaNs."""
    same = np.ones(stored.num_rows, dtype=bool)
    for name in compared(table):
        if name not in keys:
            one, other = _plain(stored[name]), given[name]
            equal = pc.fill_null(pc.equal(one, other), False)
            equal = pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(other)))
            if pa.types.is_floating(one.type):
                nan = pc.and_(pc.is_nan(one), pc.is_nan(other))
                equal = pc.or_(equal, pc.fill_null(nan, False))
            same &= equal.to_numpy()
    return same


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


# ── the files ────────────────────────────────────────────────────────────────────────────────────────────


def _rewrite(
    table: Table, tasks: Sequence[FileScanTask], fresh: pa.Table, candidates: Sequence[FileScanTask], found: _Found
) -> Rewrite:
    touched = [candidates[number] for number in found.gone]
    if any(task.file.spec_id != table.spec().spec_id for task in touched):
        raise NotPlain
    parts = Partitioning.of(table).split(fresh)
    files = SmallFiles(Writer(table), parts, found.gone, found.held)
    numbers = {task.file.file_path: number for number, task in enumerate(candidates)}

    def write(job: Job) -> list[DataFile] | None:
        return files.write(job, [numbers.get(task.file.file_path, -1) for task in job.tasks])

    def otherwise(_: Job) -> list[DataFile]:
        raise NotPlain

    return written(arranged(table, tasks, touched, parts), write, otherwise)
