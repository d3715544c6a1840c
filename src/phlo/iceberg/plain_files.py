"""Parquet files of plain columns, as Arrow reads them: texts that repeat stay numbers of a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg import types as ice
from pyiceberg.io.pyarrow import schema_to_pyarrow

from phlo.iceberg.tables import local_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema

MOST_MEMORY = 64 * 1024 * 1024
"""Bytes, uncompressed, of the rows that are in memory at a time, and of all new rows together."""

NUMBER_BYTES = 8
"""Of memory, for a value that is no text."""

PLAIN = (
    *(ice.BooleanType, ice.IntegerType, ice.LongType, ice.FloatType, ice.DoubleType, ice.DecimalType),
    *(ice.DateType, ice.TimestampType, ice.TimestamptzType, ice.StringType, ice.BinaryType),
)


class NotPlain(Exception):
    """A file, or rows, that are left to DuckDB."""


@dataclass(frozen=True)
class PlainFile:
    """A file with the columns of a schema, by id and type, in their order."""

    path: str
    footer: pq.FileMetaData
    held: pa.Table | None = None
    """Its rows, where they are in memory already."""

    @classmethod
    def of(cls, file: DataFile, schema: pa.Schema) -> PlainFile:
        """Open it, or raise ``NotPlain``."""
        path = local_path(file.file_path)
        found = cls(path, pq.read_metadata(path))
        stored, wanted = ([(_short(field), field.metadata) for field in each] for each in (found._columns, schema))
        if stored != wanted or max(found._sizes, default=0) > MOST_MEMORY:
            raise NotPlain
        return found

    def row_groups(self) -> Iterator[pa.Table]:
        """Read them one after the other."""
        if self.held is not None:
            yield self.held
            return
        repeat = [field.name for field in self._columns if field.name in self.dictionaries and _is_text(field.type)]
        with pq.ParquetFile(self.path, metadata=self.footer, read_dictionary=repeat) as file:
            for number in range(self.footer.num_row_groups):
                yield file.read_row_group(number, use_threads=False)

    @cached_property
    def dictionaries(self) -> frozenset[str]:
        """The columns for which a dictionary was found worth its while, when their rows were first written."""
        groups = map(self.footer.row_group, range(self.footer.num_row_groups))
        chunks = (group.column(place) for group in groups for place in range(group.num_columns))
        return frozenset(chunk.path_in_schema for chunk in chunks if chunk.has_dictionary_page)

    @cached_property
    def _columns(self) -> pa.Schema:
        return self.footer.schema.to_arrow_schema()

    @property
    def size(self) -> int:
        """Its bytes in memory."""
        return sum(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        numbers = sum(not _is_text(field.type) for field in self._columns) * NUMBER_BYTES
        groups = map(self.footer.row_group, range(self.footer.num_row_groups))
        return [group.total_byte_size + group.num_rows * numbers for group in groups]


def arrow_schema(schema: Schema) -> pa.Schema | None:
    """Return the columns of a table's files in Arrow, with their field ids; ``None`` where some are not plain."""
    if not all(isinstance(field.field_type, PLAIN) for field in schema.fields):
        return None
    return pa.schema([field.with_type(_short(field)).with_nullable(True) for field in schema_to_pyarrow(schema)])


def with_dictionaries(schema: pa.Schema, names: Collection[str]) -> pa.Schema:
    """Let the texts of some names be numbers of a dictionary."""
    return pa.schema(
        field.with_type(pa.dictionary(pa.int32(), field.type))
        if field.name in names and _is_text(field.type)
        else field
        for field in schema
    )


def conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the names and types of a schema; rows that have them are not cast, which takes time for each."""
    named = rows.rename_columns(schema.names)
    return named if named.schema.equals(schema) else named.cast(schema)


def _short(field: pa.Field) -> pa.DataType:
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(field.type, field.type)


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
