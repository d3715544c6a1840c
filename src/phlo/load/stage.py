"""Keeps a load's rows on disk, as the source gave them, until the run is published.

A stage is a folder of Parquet files and a manifest. Dicts are kept as one column ``row`` of JSON text, Arrow batches
as they are. The folder gets its name only when it is complete: what a crash left half done is never taken for a
stage, and a complete one is used again by a resumed run or a replay.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from phlo.errors import StagingFailed, UnusableRows
from phlo.load.extract import pages
from phlo.load.rows import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter

MANIFEST = "manifest.json"
VERSION = 1
FLUSH = 8 * 2**20
"""Bytes of rows that are gathered before they are written."""

ROW_GROUP = 100_000
"""Rows of a Parquet row group at most; readers hold one at a time."""

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
    """When it was complete, in UTC; its rows carry it as ``_phlo_loaded_at``."""
    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """How many rows the source delivered."""
        return sum(part.rows for part in self.parts)

    def batches(self, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        """Read the rows in the order they arrived, at most ``size`` at once."""
        import pyarrow.parquet as pq

        for part in self.parts:
            with pq.ParquetFile(self.folder / part.file) as file:
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(batch_size=size, row_groups=[group]):
                        yield part.kind, batch


def stage(ingestion: Ingestion, partition: dt.date | None, folder: Path, load_id: str, reporter: Reporter) -> Staged:
    """Extract one partition into ``folder``, or open it when the same load is there complete.

    Raises ``SourceError`` when the source does not deliver, ``StagingFailed`` when the disk does not take it.
    """
    complete = open_staged(folder)
    if complete is not None and complete.load_id == load_id:
        return complete
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    try:
        for leftover in (folder, unfinished):
            shutil.rmtree(leftover, ignore_errors=True)
        unfinished.mkdir(parents=True)
        parts = _write(ingestion, partition, unfinished, reporter)
        _finish(unfinished, folder, Staged(folder, ingestion.table, partition, load_id, dt.datetime.now(dt.UTC), parts))
    except OSError as error:
        raise StagingFailed(asset=ingestion.table_name, folder=folder, detail=error.strerror or error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
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


def _write(ingestion: Ingestion, partition: dt.date | None, folder: Path, reporter: Reporter) -> tuple[Part, ...]:
    writer = _Writer(folder)
    try:
        with closing(pages(ingestion, partition, reporter)) as found:
            for page in found:
                if isinstance(page, list):
                    writer.add_rows(page, ingestion)
                else:
                    writer.add_batch(page)
        return writer.finish()
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
        for row in rows:
            try:
                text = encode(row)
            except (TypeError, ValueError, RecursionError) as error:
                detail = f"a row that can't be written as JSON: {error}"
                raise UnusableRows(asset=ingestion.table_name, detail=detail, function=ingestion.source) from error
            self._texts.append(text)
            self._size += len(text)
            if self._size >= FLUSH:
                self._flush_texts()

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Take a page of Arrow; small ones are gathered."""
        self._flush_texts()
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


class _File:
    """One part while it is written."""

    def __init__(self, path: Path, kind: Kind, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self.path, self.kind, self.schema, self.rows = path, kind, schema, 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)

    def append(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += table.num_rows

    def close(self) -> Part:
        self._writer.close()
        return Part(self.path.name, self.kind, self.rows, _size(self.path))


def _finish(unfinished: Path, folder: Path, staged: Staged) -> None:
    """Write the manifest and give the folder its name, in an order that a power cut can't turn around."""
    manifest = {
        "version": VERSION,
        "table": staged.table,
        "partition": str(staged.partition) if staged.partition else None,
        "load_id": staged.load_id,
        "staged_at": staged.staged_at.isoformat(),
        "parts": [asdict(part) for part in staged.parts],
    }
    (unfinished / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    os.replace(unfinished, folder)  # noqa: PTH105  the atomic step


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else -1
