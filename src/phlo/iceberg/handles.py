"""PyIceberg tables of a ref: opening, committing to, and creating them.

One PyIceberg ``SqlCatalog`` stands for one ref. Nothing here ever deletes a file: refs share them.
"""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.serializers import FromInputFile, ToOutputFile
from pyiceberg.table import StagedTable, Table
from pyiceberg.table.locations import load_location_provider
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.transforms import DayTransform, MonthTransform, Transform, YearTransform

from phlo.errors import InvalidDeclaration, MissingTableFiles, ReadOnlyTable, nearest
from phlo.iceberg import refs
from phlo.iceberg.database import translated
from phlo.iceberg.metadata import committed
from phlo.iceberg.names import split
from phlo.iceberg.tables import iceberg_schema
from phlo.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema
    from pyiceberg.table import CommitTableResponse
    from pyiceberg.table.metadata import TableMetadata

    from phlo.iceberg.database import Database

PROPERTIES = {
    "write.parquet.compression-codec": "zstd",
    # One commit a day must not leave one manifest a day for every query to open.
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "write.metadata.previous-versions-max": "10",
}

PARTITIONING = re.compile(r"(day|month|year)\(([^()]+)\)")
TRANSFORMS: dict[str, Transform[Any, Any]] = {"day": DayTransform(), "month": MonthTransform(), "year": YearTransform()}


def open_table(database: Database, ref: str, name: str, pointer: str) -> Table:
    """Open a table whose commits move the ref's pointer by compare-and-swap; on main they are refused."""
    if ref == MAIN:
        return open_pinned(ref, name, pointer)
    return _table(_RefTables(database, ref), name, pointer)


def open_pinned(ref: str, name: str, pointer: str) -> Table:
    """Open a table as it is at a metadata location, for reading only."""
    return _table(_ReadOnlyTables(ref), name, pointer)


def new_location(warehouse: str, name: str) -> str:
    """A location that no other table has."""
    namespace, table = split(name)
    return f"{warehouse}/{namespace}/{table}-{uuid.uuid4().hex[:12]}"


def table_of(location: str) -> str:
    """The table that a location was made for.

    >>> table_of("/lake/raw/g-0123456789ab")
    'raw.g'
    """
    namespace, folder = location.split("/")[-2:]
    return f"{namespace}.{folder.rpartition('-')[0]}"


def write_new_table(location: str, name: str, schema: pa.Schema, partition_by: str | None, keys: Sequence[str]) -> str:
    """Write the metadata of an empty table; return its pointer."""
    iceberg = iceberg_schema(schema)
    properties = PROPERTIES | {f"write.metadata.metrics.column.{key}": "full" for key in keys}
    metadata = new_table_metadata(
        schema=iceberg,
        partition_spec=_partitioning(name, iceberg, partition_by),
        sort_order=UNSORTED_SORT_ORDER,
        location=location,
        properties=properties,
    )
    pointer = load_location_provider(location, properties).new_table_metadata_file_location()
    ToOutputFile.table_metadata(metadata, PyArrowFileIO().new_output(pointer))
    return pointer


class _RefTables(SqlCatalog):
    """PyIceberg's catalog of one ref, on the connections that all refs share."""

    def __init__(self, database: Database, ref: str) -> None:
        MetastoreCatalog.__init__(self, ref)
        self.database, self.engine, self._schema_version = database, database.writer, "v1"
        self._known: tuple[str, TableMetadata] | None = None

    def load_table(self, identifier: Any) -> Table:
        """Open a table by its pointer on the ref."""
        name = ".".join(self.identifier_to_tuple(identifier))
        with self.database.read() as connection:
            pointer = refs.lookup(connection, self.name, name, "table").pointer
        known = self._known[1] if self._known and self._known[0] == pointer else None
        return _table(self, name, pointer, known)

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        """Commit by compare-and-swap of the pointer."""
        self._known = (table.metadata_location, table.metadata)  # most often it need not be read again
        with translated(self.engine.url):
            return super().commit_table(table, requirements, updates)

    def _update_and_stage_table(
        self, current_table: Table | None, table_identifier: Any, requirements: Any, updates: Any
    ) -> StagedTable:
        """Say what the next metadata file holds, and where it goes."""
        assert current_table is not None  # commit_table has just opened it
        for requirement in requirements:
            requirement.validate(current_table.metadata)
        at = current_table.metadata_location
        metadata = committed(current_table.metadata, updates, at)
        places = load_location_provider(metadata.location, metadata.properties)
        pointer = places.new_table_metadata_file_location(self._parse_metadata_version(at) + 1)
        return StagedTable(table_identifier, metadata, pointer, current_table.io, catalog=self)

    def purge_table(self, identifier: Any) -> None:
        """Refuse: files may belong to other refs."""
        raise NotImplementedError("only maintenance deletes files")

    @staticmethod
    def _delete_old_metadata(io: FileIO, base: TableMetadata, metadata: TableMetadata) -> None:
        """Keep them, whatever the table's properties say: other refs point to them."""


class _ReadOnlyTables(NoopCatalog):
    """What a pinned table names as its catalog."""

    def commit_table(self, table: Table, requirements: Any, updates: Any) -> CommitTableResponse:
        """Refuse."""
        raise ReadOnlyTable(name=".".join(table.name()), ref=self.name)


def _table(
    catalog: _RefTables | _ReadOnlyTables, name: str, pointer: str, metadata: TableMetadata | None = None
) -> Table:
    try:
        metadata = metadata or read_metadata(pointer)
    except FileNotFoundError as error:
        raise MissingTableFiles(name=name, file=pointer) from error
    io = PyArrowFileIO(metadata.properties)
    return Table(identifier=split(name), metadata=metadata, metadata_location=pointer, io=io, catalog=catalog)


@lru_cache(maxsize=64)
def read_metadata(pointer: str) -> TableMetadata:
    """Read a metadata file; they are never changed, so once is enough."""
    return FromInputFile.table_metadata(PyArrowFileIO().new_input(pointer))


def _partitioning(name: str, schema: Schema, partition_by: str | None) -> PartitionSpec:
    if not partition_by:
        return UNPARTITIONED_PARTITION_SPEC
    columns = schema.column_names
    match = PARTITIONING.fullmatch(partition_by)
    if match is None or match[2] not in columns:
        detail = f"`{partition_by}` can not partition it" + nearest(match[2] if match else "", columns)
        fix = "write day(COLUMN), month(COLUMN) or year(COLUMN)"
        raise InvalidDeclaration(where=f"table {name}", detail=detail, fix=fix)
    unit, column = match.groups()
    field = PartitionField(schema.find_field(column).field_id, 1000, TRANSFORMS[unit], f"{column}_{unit}")
    return PartitionSpec(field)
