"""Parquet files of plain columns, as Arrow reads them: texts that repeat stay numbers of a dictionary."""

from __future__ import annotations

from contextlib import contextmanager
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
        with or_not_plain():
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
        named = [self._columns.field(place) for place in sorted(self.dictionaries)]
        repeat = [field.name for field in named if is_text(field.type)]
        with or_not_plain():
            opened = pq.ParquetFile(self.path, metadata=self.footer, read_dictionary=repeat)
        with opened as file:
            for number in range(self.footer.num_row_groups):
                with or_not_plain():
                    rows = file.read_row_group(number, use_threads=False)
                yield rows

    @cached_property
    def dictionaries(self) -> frozenset[int]:
        """The columns for which a dictionary was found worth its while, when their rows were first written.

        By their places: the table may call them otherwise now.
        """
        groups = list(map(self.footer.row_group, range(self.footer.num_row_groups)))
        places = range(self.footer.num_columns)
        return frozenset(place for place in places if any(group.column(place).has_dictionary_page for group in groups))

    @cached_property
    def _columns(self) -> pa.Schema:
        return self.footer.schema.to_arrow_schema()

    @property
    def size(self) -> int:
        """Its bytes in memory."""
        return sum(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        numbers = sum(not is_text(field.type) for field in self._columns) * NUMBER_BYTES
        groups = map(self.footer.row_group, range(self.footer.num_row_groups))
        return [group.total_byte_size + group.num_rows * numbers for group in groups]


def arrow_schema(schema: Schema) -> pa.Schema | None:
    """Return the columns of a table's files in Arrow, with their field ids; ``None`` where some are not plain."""
    if not all(isinstance(field.field_type, PLAIN) for field in schema.fields):
        return None
    return pa.schema([field.with_type(_short(field)).with_nullable(True) for field in schema_to_pyarrow(schema)])


@contextmanager
def or_not_plain() -> Iterator[None]:
    """Leave what Arrow can not read or convert to DuckDB, which can, or tells why not."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise NotPlain from error


def with_dictionaries(schema: pa.Schema, places: Collection[int]) -> pa.Schema:
    """Let the texts in some places be numbers of a dictionary."""
    return pa.schema(
        field.with_type(pa.dictionary(pa.int32(), field.type)) if place in places and is_text(field.type) else field
        for place, field in enumerate(schema)
    )


def conformed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give rows the names and types of a schema; rows that have them are not cast, which takes time for each."""
    named = rows.rename_columns(schema.names)
    if named.schema.equals(schema):
        return named
    with or_not_plain():
        return named.cast(schema)


def _short(field: pa.Field) -> pa.DataType:
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(field.type, field.type)


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are of any length."""
    return kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
