"""Manifests of a table, read once in a process: a merge needs them for its plan, and twice more for its commit.

Builds on what is private to PyIceberg, as ``commit.py`` does.
"""

from __future__ import annotations

import gc
import json
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from pyiceberg.avro.decoder import new_decoder
from pyiceberg.avro.file import AvroFile
from pyiceberg.avro.resolver import resolve_reader
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import (
    DEFAULT_READ_VERSION,
    MANIFEST_ENTRY_SCHEMAS,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    _inherit_from_manifest,
    _manifests,
)
from pyiceberg.table import ManifestGroupPlanner
from pyiceberg.typedef import KeyDefaultDict
from pyiceberg.utils.schema_conversion import AvroSchemaConversion

from phlo.iceberg.deletes import Deletes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from pyiceberg.avro.reader import Reader
    from pyiceberg.expressions.visitors import ResidualEvaluator
    from pyiceberg.io import FileIO, InputFile
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.table.snapshots import Snapshot
    from pyiceberg.typedef import TableVersion

REMEMBERED = 10_000
"""Entries of manifests, and of their lists, that are kept decoded, at some 5 kB each."""


def plan_files(table: Table, rows: BooleanExpression) -> list[FileScanTask]:
    """List the files of the current snapshot that can hold some rows, each with the delete files that apply to it.

    So does ``table.scan(rows).plan_files()``, which refuses files of keys, and knows no vectors' places.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    return _Planner(table.metadata, table.io, rows).tasks(manifests_of(snapshot, table.io))


def live(io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
    """The entries of a committed manifest whose files are in the table; all who ask get the same, to read only."""
    key = (manifest.manifest_path, manifest.sequence_number)
    found: list[ManifestEntry] = _remembered.read(key, lambda: _entries(io, manifest))
    return found


def manifests_of(snapshot: Snapshot, io: FileIO) -> list[ManifestFile]:
    """The manifests of a snapshot, whose list is read once."""
    found: list[ManifestFile] = _remembered.read(snapshot.manifest_list, lambda: _manifests(io, snapshot.manifest_list))
    return list(found)


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from looking for cycles while thousands of records are made that are in none: it would take 0.1 s."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Planner(ManifestGroupPlanner):
    """PyIceberg's planner on remembered manifests; for all rows it does not look whether a file can hold any."""

    def tasks(self, manifests: Iterable[ManifestFile]) -> list[FileScanTask]:
        deletes, data = Deletes(self.table_metadata.specs()), []
        for entry in chain.from_iterable(self.plan_manifest_entries(manifests)):
            if entry.data_file.content == DataFileContent.DATA:
                data.append(entry)
            else:
                deletes.add(entry)
        if isinstance(self.row_filter, AlwaysTrue):
            return [deletes.task(entry, self.row_filter) for entry in data]
        residuals = KeyDefaultDict(self._build_residual_evaluator)
        return [deletes.task(entry, _residual(residuals[entry.data_file.spec_id], entry.data_file)) for entry in data]

    def plan_manifest_entries(self, manifests: Iterable[ManifestFile]) -> Iterator[list[ManifestEntry]]:
        every = isinstance(self.row_filter, AlwaysTrue)
        can_hold = KeyDefaultDict(self._build_manifest_evaluator)
        wanted = [each for each in manifests if every or can_hold[each.partition_spec_id](each)]
        in_partition = KeyDefaultDict(self._build_partition_evaluator)
        in_bounds = self._build_metrics_evaluator()
        first = min((each.min_sequence_number for each in wanted if each.content == ManifestContent.DATA), default=0)
        for manifest in wanted:
            if not self._check_sequence_number(first, manifest):
                continue
            entries, partition = live(self.io, manifest), in_partition[manifest.partition_spec_id]
            # Bounds of a delete file tell of values beside its keys, which the rows that it deletes need not have.
            holds = in_bounds if manifest.content == ManifestContent.DATA else _always
            yield (
                entries if every else [each for each in entries if partition(each.data_file) and holds(each.data_file)]
            )


def _always(_: DataFile) -> bool:
    return True


def _residual(evaluator: Callable[[DataFile], ResidualEvaluator], file: DataFile) -> BooleanExpression:
    return evaluator(file).residual_for(file.partition)


@dataclass
class _Remembered:
    """Decoded files, by path, as they are never changed; the one that was asked for longest ago goes first.

    Whoever asked is not kept: every handle has a ``FileIO`` of its own.
    """

    files: OrderedDict[Hashable, Sequence[Any]] = field(default_factory=OrderedDict)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, key: Hashable, decode: Callable[[], Sequence[Any]]) -> Any:
        with self.lock:
            if key in self.files:
                self.files.move_to_end(key)
                return self.files[key]
        found = decode()
        self._keep(key, found)
        return found

    def _keep(self, key: Hashable, entries: Sequence[Any]) -> None:
        with self.lock:
            if key not in self.files and len(entries) <= REMEMBERED:
                self.files[key] = entries
                self.count += _weight(entries)
            while self.count > REMEMBERED:
                self.count -= _weight(self.files.popitem(last=False)[1])


def _weight(entries: Sequence[Any]) -> int:
    return max(len(entries), 1)


def _entries(io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
    """Read those of files in the table; of delete files the columns of vectors too, which PyIceberg leaves out."""
    version: TableVersion = 3 if manifest.content == ManifestContent.DELETES else DEFAULT_READ_VERSION
    with no_collection():
        return [
            _inherit_from_manifest(each, manifest)
            for each in _opened(io.new_input(manifest.manifest_path), version)
            if each.status != ManifestEntryStatus.DELETED
        ]


def _opened(manifest: InputFile, version: TableVersion) -> AvroFile[ManifestEntry]:
    """Open it as PyIceberg does, which makes a reader each time: that takes as long as to read 50 entries."""
    file = AvroFile[ManifestEntry](manifest)
    with manifest.open() as stream:
        file.decoder = new_decoder(stream.read())
    file.header = file._read_header()
    file.reader = _reader(file.header.meta["avro.schema"], version)
    return file


@lru_cache(maxsize=64)
def _reader(avro_schema: str, version: TableVersion) -> Reader:
    return resolve_reader(
        AvroSchemaConversion().avro_to_iceberg(json.loads(avro_schema)),
        MANIFEST_ENTRY_SCHEMAS[version],
        read_types={-1: ManifestEntry, 2: DataFile},
        read_enums={0: ManifestEntryStatus, 101: FileFormat, 134: DataFileContent},
    )


_remembered = _Remembered()
