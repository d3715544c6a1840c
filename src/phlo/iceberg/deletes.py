"""Which delete files of other engines apply to which data files, by the rules of Iceberg's specification.

Positions and keys are read in ``undeleted.py``; here only manifests count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import FileScanTask
from pyiceberg.table.delete_file_index import DeleteFileIndex
from pyiceberg.transforms import VoidTransform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.typedef import Record

REFERENCED, OFFSET, LENGTH = 17, 18, 19
"""Where an entry of a delete manifest keeps the data file that it is about, and its vector's place in a Puffin file."""


@dataclass(frozen=True)
class EqualityDelete:
    """A file of keys: rows that have one of them and were written before it are deleted."""

    file: DataFile
    sequence: int
    partition: tuple[int, Record] | None
    """The only partition whose rows it deletes; None for all."""


class DeletesTask(FileScanTask):
    """A planned file some of whose rows may be deleted; ``delete_files`` has all that can tell which."""

    def __init__(self, entry: ManifestEntry, residual: BooleanExpression, deletes: Deletes) -> None:
        file = entry.data_file
        self.sequence = entry.sequence_number or 0
        self.partition = file.spec_id, file.partition
        self.vector = deletes.vectors.get(file.file_path)
        self.positions = set() if self.vector else deletes.positions_for(file, self.sequence)
        """Empty beside a vector, which has them all."""
        self.equality = deletes.equality_for(self.partition, self.sequence)
        found = {*self.positions, *(delete.file for delete in self.equality)}
        super().__init__(file, found | {self.vector} if self.vector else found, residual)


@dataclass(frozen=True)
class Deletes:
    """The delete files of a snapshot."""

    specs: Mapping[int, PartitionSpec]
    vectors: dict[str, DataFile] = field(default_factory=dict)
    _positions: DeleteFileIndex = field(default_factory=DeleteFileIndex)
    _equality: dict[tuple[int, Record] | None, list[EqualityDelete]] = field(default_factory=dict)

    def add(self, entry: ManifestEntry) -> None:
        """Take in an entry of a delete manifest."""
        file = entry.data_file
        if file.content == DataFileContent.EQUALITY_DELETES:
            partition = None if _is_unpartitioned(self.specs[file.spec_id]) else (file.spec_id, file.partition)
            delete = EqualityDelete(file, entry.sequence_number or 0, partition)
            self._equality.setdefault(partition, []).append(delete)
        elif file.file_format == FileFormat.PUFFIN:
            self.vectors[file._data[REFERENCED]] = file
        else:
            self._positions.add_delete_file(entry, file.partition)

    def add_newer(self, entries: Iterable[ManifestEntry], sequence: int) -> None:
        """Take in the entries that were added after a snapshot."""
        for entry in entries:
            if (entry.sequence_number or 0) > sequence:
                self.add(entry)

    def apply_to(self, file: DataFile) -> bool:
        """Whether any of them applies to a data file that is older than all of them."""
        near = self.equality_for((file.spec_id, file.partition), -1)
        return bool(file.file_path in self.vectors or near or self.positions_for(file, 0))

    def task(self, entry: ManifestEntry, residual: BooleanExpression) -> FileScanTask:
        """Plan a data file, with the delete files that apply to it."""
        if self.vectors or self._equality or not self._positions.is_empty():
            task = DeletesTask(entry, residual, self)
            if task.delete_files:
                return task
        return FileScanTask(entry.data_file, residual=residual)

    def positions_for(self, file: DataFile, sequence: int) -> set[DataFile]:
        """The files of positions that can name rows of a data file; they may be as old as it is."""
        return self._positions.for_data_file(sequence, file, file.partition)

    def equality_for(self, partition: tuple[int, Record], sequence: int) -> list[EqualityDelete]:
        """The files of keys that delete rows of a partition's data files with a sequence number; they are newer."""
        near = [*self._equality.get(None, ()), *self._equality.get(partition, ())]
        return [delete for delete in near if delete.sequence > sequence]


def _is_unpartitioned(spec: PartitionSpec) -> bool:
    return all(isinstance(each.transform, VoidTransform) for each in spec.fields)
