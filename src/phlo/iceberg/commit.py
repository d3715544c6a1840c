"""One snapshot that swaps files of a table.

Builds on what is private to PyIceberg, whose version is pinned for it. So do ``handles.py``, ``manifests.py`` and
``metadata.py``, and, for the fields of a record alone, ``deletes.py``, ``undeleted.py`` and ``relocate.py``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyiceberg.avro.encoder import BinaryEncoder
from pyiceberg.avro.writer import Writer as AvroWriter
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import ManifestContent, ManifestEntry, ManifestEntryStatus
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles

from phlo.iceberg.deletes import Deletes
from phlo.iceberg.manifests import live, manifests_of, no_collection
from phlo.iceberg.metadata import is_whole, updated
from phlo.iceberg.parquet import remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.avro.file import AvroOutputFile
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import DataFile, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata

    from phlo.iceberg.rewrite import Rewrite

MANIFEST_FILES = 128
"""A manifest is written again when one of its files goes, at 0.1 ms for each of them; opening one takes 1 ms."""

MANIFESTS = 8
"""From so many small ones on they become one: each is opened by every plan."""


def swap(table: Table, rewrite: Rewrite, conflicts: BooleanExpression) -> None:
    """Put the new files in the place of those that go; ``conflicts`` are rows no one else may have written meanwhile.

    A concurrent commit to other rows is no conflict: PyIceberg checks what it wrote and tries again on top of it.
    Else the new files are deleted and ``CommitFailedException`` raised.
    """
    if not rewrite.gone and not rewrite.new:
        return
    try:
        with no_collection(), _Transaction(table) as transaction:
            append = table.current_snapshot() is None
            update = _Swap(Operation.APPEND if append else Operation.OVERWRITE, transaction, table.io)
            update.delete_by_predicate(conflicts)
            for file in rewrite.gone:
                update.delete_data_file(file)
            for file in rewrite.new:
                update.append_data_file(file)
            update.commit()
    except (CommitFailedException, ValidationException) as error:
        remove([file.file_path for file in rewrite.new])
        if isinstance(error, CommitFailedException):
            raise
        raise CommitFailedException(f"{'.'.join(table.name())} was written meanwhile: {error}") from error


class _Transaction(Transaction):
    """PyIceberg's transaction, which would copy all metadata each time it is asked for it."""

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with the updates so far."""
        return updated(self._table.metadata, self._updates)


class _Swap(_OverwriteFiles):
    """PyIceberg's overwrite, with fewer and smaller manifests to write, and those of the plan to read.

    PyIceberg's reads each manifest twice more, writes all new files into one, and keeps those of which every file is
    gone for good.
    """

    def _validate_concurrency(self) -> None:
        """See what others have written since; of a table that was empty then, that is all of its history."""
        if self._starting_snapshot_id is None and not is_whole(self._transaction.table_metadata):
            raise ValidationException("its first snapshots are no longer listed")
        super()._validate_concurrency()
        self._validate_no_new_deletes()

    def _validate_no_new_deletes(self) -> None:
        """See whether rows of the files that go were deleted since: they would come back in the new ones.

        PyIceberg looks for that among deletes of the keys that are written; a file has others too.
        """
        window = self._commit_window
        if window is None or window.base is None or window.head is None or not self._deleted_data_files:
            return
        deletes = Deletes(self._transaction.table_metadata.specs())
        for manifest in manifests_of(window.head, self._io):
            if manifest.content == ManifestContent.DELETES:
                entries = live(self._io, manifest)
                deletes.add_newer(entries, window.base.sequence_number or 0)
        if gone := next((file for file in self._deleted_data_files if deletes.apply_to(file)), None):
            raise ValidationException(f"rows of {gone.file_path} were deleted meanwhile")

    def _manifests(self) -> list[ManifestFile]:
        """Describe the files that go, come and stay; many new ones in several manifests, of which one may go later."""
        by_spec: dict[int, list[ManifestEntry]] = {}
        for file in self._added_data_files:  # all of them of the current spec
            entry = _marked(file, ManifestEntryStatus.ADDED, self._snapshot_id)
            by_spec.setdefault(self._transaction.table_metadata.default_spec_id, []).append(entry)
        for entry in self._deleted_entries():
            by_spec.setdefault(entry.data_file.spec_id, []).append(entry)
        written = [
            self._written(spec_id, entries[place : place + MANIFEST_FILES])
            for spec_id, entries in by_spec.items()
            for place in range(0, len(entries), MANIFEST_FILES)
        ]
        return self._process_manifests(written + self._existing_manifests())

    def _existing_manifests(self) -> list[ManifestFile]:
        """The manifests that stay, some of them written again without the files that go."""
        kept = (self._without_gone(manifest) for manifest in self._current_manifests())
        return [manifest for manifest in kept if manifest is not None]

    def _without_gone(self, manifest: ManifestFile) -> ManifestFile | None:
        entries = self._live(manifest)
        stay = [entry for entry in entries if entry.data_file not in self._deleted_data_files]
        if len(stay) == len(entries):
            return manifest
        existing = [_marked(entry.data_file, ManifestEntryStatus.EXISTING, entry.snapshot_id, entry) for entry in stay]
        return self._written(manifest.partition_spec_id, existing) if existing else None

    def _written(self, spec_id: int, entries: Sequence[ManifestEntry]) -> ManifestFile:
        with self.new_manifest_writer(self.spec(spec_id)) as writer, _one_block(writer._writer):
            for entry in entries:
                writer.add_entry(entry)
        return writer.to_manifest_file()

    def _deleted_entries(self) -> list[ManifestEntry]:
        """The files that go, marked so."""
        found = [
            _marked(entry.data_file, ManifestEntryStatus.DELETED, self._snapshot_id, entry)
            for manifest in self._current_manifests()
            for entry in self._live(manifest)
            if entry.data_file in self._deleted_data_files
        ]
        self._validate_required_deletes(found)
        return found

    def _current_manifests(self) -> list[ManifestFile]:
        metadata, parent = self._transaction.table_metadata, self._parent_snapshot_id
        snapshot = metadata.snapshot_by_id(parent) if parent is not None else None
        return manifests_of(snapshot, self._io) if snapshot else []

    def _live(self, manifest: ManifestFile) -> list[ManifestEntry]:
        """Its entries, where files of it can go."""
        data = self._deleted_data_files and manifest.content == ManifestContent.DATA
        return live(self._io, manifest) if data else []

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        """Leave out those without a file, and write small ones together where they are many."""
        left = [manifest for manifest in manifests if self._is_live(manifest)]
        for spec_id in {manifest.partition_spec_id for manifest in left}:
            small = [manifest for manifest in left if manifest.partition_spec_id == spec_id and _is_small(manifest)]
            if len(small) >= MANIFESTS:
                manager = _ManifestMergeManager(0, 0, merge_enabled=True, snapshot_producer=self)
                left = [each for each in left if each not in small] + [manager._create_manifest(spec_id, small)]
        return left

    def _is_live(self, manifest: ManifestFile) -> bool:
        ours = manifest.added_snapshot_id == self._snapshot_id
        return ours or manifest.has_added_files() or manifest.has_existing_files()


@contextmanager
def _one_block(file: AvroOutputFile[ManifestEntry]) -> Iterator[None]:
    """Write entries as one block: PyIceberg makes one of each, which takes longer to write and to read."""
    file.writer = _Encoded(file.writer)
    entries: list[ManifestEntry] = []
    file.write_block = entries.extend  # type: ignore[assignment, method-assign]
    yield
    type(file).write_block(file, entries)


class _Encoded(AvroWriter):
    """Hands on what a writer of PyIceberg's writes, in one piece."""

    def __init__(self, writer: AvroWriter) -> None:
        self._writer = writer

    def write(self, encoder: BinaryEncoder, val: ManifestEntry) -> None:
        bytes_of = _Encoder()
        self._writer.write(bytes_of, val)
        encoder.write(bytes(bytes_of.written))


class _Encoder(BinaryEncoder):
    """PyIceberg's, without a call for each byte, of which a manifest's entry has some two hundred."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, b: bytes) -> None:
        self.written += b

    def write_int(self, integer: int) -> None:
        datum = (integer << 1) ^ (integer >> 63)
        while datum > 0x7F:
            self.written.append(datum & 0x7F | 0x80)
            datum >>= 7
        self.written.append(datum)


def _is_small(manifest: ManifestFile) -> bool:
    files = (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)
    return manifest.content == ManifestContent.DATA and files < MANIFEST_FILES // 2


def _marked(
    file: DataFile, status: ManifestEntryStatus, snapshot_id: int | None, before: ManifestEntry | None = None
) -> ManifestEntry:
    """Return an entry that says what became of a file; when it came is what the entry before said."""
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot_id,
        sequence_number=before.sequence_number if before else None,
        file_sequence_number=before.file_sequence_number if before else None,
        data_file=file,
    )
