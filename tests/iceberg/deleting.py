"""What other engines do to a table: delete rows by files of their values (as Flink does) or of their positions."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    _dataframe_to_data_files,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
    schema_to_pyarrow,
)
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
)
from pyiceberg.schema import Schema
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

PATH = pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"})
POSITION = pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"})


def delete_values(
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    partition: Record | None = None,
    spec_id: int | None = None,
    schema: Schema | None = None,
    beside: pa.Table | None = None,
) -> None:
    """Delete the rows that have, in some columns, the values of one of these; other columns are written beside them.

    ``partition`` is the one whose rows are deleted; ``schema`` is an older one that the engine still knows; the rows
    ``beside`` are written in the same snapshot, as upserts do.
    """
    known = schema or table.schema()
    named = Schema(*(known.find_field(name) for name in rows[0]))
    path = _path(table)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema_to_pyarrow(named)), path)
    ids = [known.find_field(name).field_id for name in columns]
    kind = DataFileContent.EQUALITY_DELETES
    bounds = data_file_statistics_from_parquet_metadata(
        pq.read_metadata(path), compute_statistics_plan(named, {}), parquet_path_to_id_mapping(named)
    )
    deletes = _file(table, path, kind, partition, spec_id, equality_ids=ids, **bounds.to_serialized_dict())
    data = list(_dataframe_to_data_files(table.metadata, beside, table.io)) if beside else []
    for file in data:
        file.spec_id = table.spec().spec_id
    add_deletes(table, [deletes, *data])


def delete_positions(table: Table, places: Mapping[str, Sequence[int]], partition: Record | None = None) -> None:
    """Delete the rows at some positions of some data files of a partition."""
    path = _path(table)
    rows = [(file, position) for file in sorted(places) for position in sorted(places[file])]
    columns = [pa.array(column, kind.type) for column, kind in zip(zip(*rows, strict=True), _KINDS, strict=True)]
    pq.write_table(pa.table(columns, schema=pa.schema(_KINDS)), path)
    kind = DataFileContent.POSITION_DELETES
    add_deletes(table, [_file(table, path, kind, partition, None, record_count=len(rows))])


def unpartitioned_spec(table: Table) -> int:
    """Make room in a partitioned table for delete files that are about all partitions; return their spec."""
    names = [
        (field.name, field.transform, table.schema().find_column_name(field.source_id)) for field in table.spec().fields
    ]
    with table.update_spec() as update:
        for name, _, _ in names:
            update.remove_field(name)
    spec_id = table.spec().spec_id
    with table.update_spec() as update:
        for name, transform, column in names:
            update.add_field(column, transform, name)
    return spec_id


def add_deletes(table: Table, files: Sequence[DataFile]) -> None:
    """Add delete files, and data files beside them, in one snapshot."""
    with table.transaction() as transaction:
        producer = _DeleteAppend(Operation.DELETE, transaction, table.io)
        for file in files:
            producer.append_data_file(file)
        producer.commit()


_KINDS = [PATH, POSITION]


def _path(table: Table) -> str:
    folder = Path(table.location(), "data")
    folder.mkdir(exist_ok=True)
    return f"{folder}/deletes-{uuid.uuid4()}.parquet"


def _file(
    table: Table, path: str, content: DataFileContent, partition: Record | None, spec_id: int | None, **more: Any
) -> DataFile:
    file = DataFile.from_args(
        content=content,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=partition or Record(),
        file_size_in_bytes=Path(path).stat().st_size,
        **more,
    )
    file.spec_id = table.spec().spec_id if spec_id is None else spec_id
    return file


class _DeleteAppend(_FastAppendFiles):
    """Adds files to manifests of deletes or of data, one for each spec."""

    def _manifests(self) -> list[ManifestFile]:
        written = []
        files = self._added_data_files
        for data, spec_id in {(file.content == DataFileContent.DATA, file.spec_id) for file in files}:
            deletes = (self.spec(spec_id), self.schema(), self.new_manifest_output(), self._snapshot_id, "deflate")
            with self.new_manifest_writer(self.spec(spec_id)) if data else _DeleteManifest(*deletes) as writer:
                for file in (
                    each for each in files if (each.content == DataFileContent.DATA, each.spec_id) == (data, spec_id)
                ):
                    writer.add(
                        ManifestEntry.from_args(
                            status=ManifestEntryStatus.ADDED, snapshot_id=self._snapshot_id, data_file=file
                        )
                    )
            written.append(writer.to_manifest_file())
        return written + self._existing_manifests()

    def _validate_concurrency(self) -> None:
        """Deletes by value go with whatever else was written."""


class _DeleteManifest(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}
