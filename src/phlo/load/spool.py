"""Arrow batches that wait for the next step: in memory while they are few, in a Parquet file once they are many."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import pyarrow as pa
    import pyarrow.parquet as pq

LIMIT = 64 * 2**20
"""Bytes that a spool holds in memory."""


class Spool:
    """Takes batches of one schema, then gives them back as a table or a reader, as often as asked.

    >>> import pyarrow as pa
    >>> schema = pa.schema([("x", pa.int64())])
    >>> with Spool(schema) as spool:
    ...     spool.append(pa.table({"x": [1, 2]}))
    ...     spool.rows, spool.contents().read_all()["x"].to_pylist()
    (2, [1, 2])
    """

    def __init__(self, schema: pa.Schema, folder: Path | None = None, limit: int = LIMIT) -> None:
        self.schema = schema
        self.rows = 0
        self._parent, self._limit, self._bytes = folder, limit, 0
        self._batches: list[pa.RecordBatch] = []
        self._folder: TemporaryDirectory[str] | None = None
        self._writer: pq.ParquetWriter | None = None

    def append(self, table: pa.Table) -> None:
        """Add rows at the end."""
        if not table.num_rows:
            return
        self.rows += table.num_rows
        self._bytes += table.nbytes
        self._batches += table.combine_chunks().to_batches()
        if self._bytes > self._limit:
            self._spill()

    def contents(self) -> pa.RecordBatchReader:
        """Read all rows from the beginning; nothing may be added after that."""
        import pyarrow as pa

        if self._folder is None:
            return pa.RecordBatchReader.from_batches(self.schema, self._batches)
        if self._writer is not None:
            self._spill()
            self._writer.close()
            self._writer = None
        return pa.RecordBatchReader.from_batches(self.schema, self._stored())

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def _file(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "rows.parquet"

    def _stored(self) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._file) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches()

    def _spill(self) -> None:
        import pyarrow.parquet as pq

        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="spool-", dir=self._parent)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self.schema, compression="zstd", compression_level=1)
        for batch in self._batches:
            self._writer.write_batch(batch)
        self._batches, self._bytes = [], 0
