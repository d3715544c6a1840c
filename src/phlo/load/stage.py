"""Keeps a load's rows on disk, as the source gave them, until the run is published.

A stage is a folder of Parquet files and a manifest. Dicts are kept as one column ``row`` of JSON text, Arrow batches
as they are. The folder gets its name only when it is complete: what a crash left half done is never taken for a
stage, and a complete one is used again by a resumed run or a replay.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from phlo.errors import StagingFailed, UnusableRows
from phlo.load.columns import longest, storable
from phlo.load.extract import pages
from phlo.load.rows import encode, texts_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from phlo.declarations import Ingestion, Reporter

MANIFEST = "manifest.json"
VERSION = 1
FLUSH = 8 * 2**20
"""Bytes of rows that are gathered before they are written."""

ROW_GROUP = 100_000
"""Rows of a Parquet row group at most; readers hold one at a time."""

PART = 32 * 2**20
"""Bytes of rows in a file: what is validated while the source delivers the next one."""

LARGEST_ROW = 128 * 2**20
"""Bytes of one row: it passes whole through memory several times."""

Kind = Literal["json", "arrow"]


@dataclass(frozen=True)
class Part:
    """One file of a stage."""

    file: str
    kind: Kind
    rows: int
    bytes: int


@dataclass(frozen=True)
class Staged:
    """One load's rows on disk."""

    folder: Path
    table: str
    partition: dt.date | None
    load_id: str
    staged_at: dt.datetime
    """When its extraction began, in UTC; its rows carry it as ``_phlo_loaded_at``."""
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """How many rows the source delivered."""
        return sum(part.rows for part in self.parts)

    def batches(self, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        """Read the rows in the order they arrived, at most ``size`` at once."""
        for number in range(len(self.parts)):
            with self.open(number) as part:
                yield from part.batches(size)

    def open(self, number: int) -> OpenPart:
        """Open one of its files."""
        import pyarrow.parquet as pq

        part = self.parts[number]
        return OpenPart(part.kind, pq.ParquetFile(self.folder / part.file))


class Rows(Protocol):
    """A load whose rows can be read from the beginning, as often as asked: staged, or on its way."""

    @property
    def folder(self) -> Path:
        """Where it is, or will be, staged."""

    @property
    def partition(self) -> dt.date | None:
        """The day it is of."""

    @property
    def load_id(self) -> str:
        """Its name."""

    @property
    def staged_at(self) -> dt.datetime:
        """When its extraction began, in UTC."""

    def batches(self, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        """Read the rows in the order they arrived, at most ``size`` at once."""


FEW = 10_000
"""Rows of a file that one thread reads sooner than many begin."""


@dataclass(frozen=True)
class OpenPart:
    """One file of a stage while it is read."""

    kind: Kind
    file: pq.ParquetFile

    def batches(self, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        """Read its rows, one row group in memory at a time."""
        many = self.file.metadata.num_rows > FEW
        for group in range(self.file.num_row_groups):
            for batch in self.file.iter_batches(batch_size=size, row_groups=[group], use_threads=many):
                yield self.kind, batch

    def __enter__(self) -> OpenPart:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def stage(
    ingestion: Ingestion,
    partition: dt.date | None,
    folder: Path,
    load_id: str,
    reporter: Reporter,
    on_page: Callable[[Staged], None] = lambda _: None,
) -> Staged:
    """Extract one partition into ``folder``, or open it when the same load is there complete.

    ``on_page`` is told after each page what is there so far, in a folder that does not have its name yet; what it
    raises ends the extraction. Raises ``SourceError`` when the source does not deliver, ``StagingFailed`` when the
    disk does not take it.
    """
    complete = open_staged(folder)
    if complete is not None and complete.load_id == load_id:
        return complete
    # A name of its own: an attempt that was given up may still be writing to its folder.
    unfinished = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.unfinished")
    begun = Staged(unfinished, ingestion.table, partition, load_id, dt.datetime.now(dt.UTC), ())
    try:
        _remove(folder)
        unfinished.mkdir(parents=True)
        _finish(_write(ingestion, begun, reporter, on_page), folder)
    except OSError as error:
        other = open_staged(folder)  # another attempt at this load may have been quicker
        if other is None or other.load_id != load_id:
            detail = error.strerror or error
            raise StagingFailed(asset=ingestion.table_name, folder=folder, detail=detail) from error
    finally:
        _remove(unfinished)
    done = open_staged(folder)
    assert done is not None, "a stage that was just finished is complete"
    return done


def open_staged(folder: Path) -> Staged | None:
    """Open a complete stage; None when there is none, or when its files are not what its manifest says."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    if manifest["version"] != VERSION:
        return None
    parts = tuple(Part(**part) for part in manifest["parts"])
    if any(_size(folder / part.file) != part.bytes for part in parts):
        return None
    day = manifest["partition"]
    return Staged(
        folder=folder,
        table=manifest["table"],
        partition=dt.date.fromisoformat(day) if day else None,
        load_id=manifest["load_id"],
        staged_at=dt.datetime.fromisoformat(manifest["staged_at"]),
        parts=parts,
    )


def _write(ingestion: Ingestion, begun: Staged, reporter: Reporter, on_page: Callable[[Staged], None]) -> Staged:
    writer = _Writer(begun.folder)
    try:
        with closing(pages(ingestion, begun.partition, reporter)) as found:
            for page in found:
                if isinstance(page, list):
                    writer.add_rows(page, ingestion)
                else:
                    writer.add_batch(page, ingestion)
                on_page(replace(begun, parts=tuple(writer.parts)))
        return replace(begun, parts=writer.finish())
    finally:
        writer.close()


class _Writer:
    """Writes pages to as few Parquet files as their kinds and schemas allow, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[Part] = []
        self._texts: list[str] = []
        self._batches: list[pa.RecordBatch] = []
        self._size = 0
        self._file: _File | None = None

    def add_rows(self, rows: Sequence[Mapping[str, Any]], ingestion: Ingestion) -> None:
        """Take a page of dicts."""
        self._flush_batches()
        if rows:
            # A page of single rows ends with one that is large: it is refused before it is in memory three times.
            _refuse_giant(texts_size(rows[-1]), ingestion)
        for row in rows:
            try:
                text = encode(row)
            except (TypeError, ValueError, RecursionError) as error:
                detail = f"a row that can't be written as JSON: {error}"
                raise UnusableRows(asset=ingestion.table_name, detail=detail, function=ingestion.source) from error
            _refuse_giant(len(text), ingestion)
            self._texts.append(text)
            self._size += len(text)
            if self._size >= FLUSH:
                self._flush_texts()

    def add_batch(self, batch: pa.RecordBatch, ingestion: Ingestion) -> None:
        """Take a page of Arrow; small ones are gathered."""
        self._flush_texts()
        batch = storable(batch)
        if batch.nbytes > LARGEST_ROW:
            _refuse_giant(max(map(longest, batch.columns)), ingestion)
        if self._batches and self._batches[0].schema != batch.schema:
            self._flush_batches()
        self._batches.append(batch)
        self._size += batch.nbytes
        if self._size >= FLUSH:
            self._flush_batches()

    def finish(self) -> tuple[Part, ...]:
        """Write what is left."""
        self._flush_texts()
        self._flush_batches()
        self.close()
        return tuple(self.parts)

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self.parts.append(self._file.close())
            self._file = None

    def _flush_texts(self) -> None:
        import pyarrow as pa

        if not self._texts:
            return
        array = pa.array(self._texts, pa.string())
        self._texts, self._size = [], 0
        self._append("json", pa.table({"row": array}))

    def _flush_batches(self) -> None:
        import pyarrow as pa

        if self._batches:
            table = pa.Table.from_batches(self._batches)
            self._batches, self._size = [], 0
            self._append("arrow", table)

    def _append(self, kind: Kind, table: pa.Table) -> None:
        if self._file is not None and (self._file.kind, self._file.schema) != (kind, table.schema):
            self.close()
        if self._file is None:
            self._file = _File(self.folder / f"part-{len(self.parts):04d}.parquet", kind, table.schema)
        self._file.append(table)
        if self._file.bytes >= PART:
            self.close()


class _File:
    """One part while it is written."""

    def __init__(self, path: Path, kind: Kind, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self.path, self.kind, self.schema, self.rows, self.bytes = path, kind, schema, 0, 0
        # It is read from beginning to end: nobody looks for values in it.
        how = {"use_dictionary": False, "write_statistics": False}
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, **how)

    def append(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += table.num_rows
        self.bytes += table.nbytes

    def close(self) -> Part:
        self._writer.close()
        return Part(self.path.name, self.kind, self.rows, _size(self.path))


def _finish(staged: Staged, folder: Path) -> None:
    """Write the manifest and give the folder its name, in an order that a power cut can't turn around."""
    manifest = {
        "version": VERSION,
        "table": staged.table,
        "partition": str(staged.partition) if staged.partition else None,
        "load_id": staged.load_id,
        "staged_at": staged.staged_at.isoformat(),
        "parts": [asdict(part) for part in staged.parts],
    }
    (staged.folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    os.replace(staged.folder, folder)  # noqa: PTH105  the atomic step


def _remove(folder: Path) -> None:
    if folder.exists():  # most often it is not there, which is quicker to see than to fail at
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_giant(size: int, ingestion: Ingestion) -> None:
    if size > LARGEST_ROW:
        detail = f"a row of {size / 1e6:,.0f} MB; the largest that is taken has {LARGEST_ROW / 1e6:,.0f} MB"
        raise UnusableRows(asset=ingestion.table_name, detail=detail, function=ingestion.source)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else -1
