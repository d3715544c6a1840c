"""One snapshot that swaps files of a table.

With ``metadata.py`` the only module that builds on what is private to PyIceberg, whose version is therefore pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import ManifestContent
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles

from phlo.iceberg.metadata import is_whole, updated
from phlo.iceberg.parquet import remove

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata

    from phlo.iceberg.rewrite import Rewrite

MANIFEST_BYTES = 8 * 1024 * 1024
MANIFESTS = 8
"""From so many on they become one: each is opened by every plan and every commit, at a millisecond or two."""


def swap(table: Table, rewrite: Rewrite, conflicts: BooleanExpression) -> None:
    """Put the new files in the place of those that go; ``conflicts`` are rows no one else may have written meanwhile.

    A concurrent commit to other rows is no conflict: PyIceberg checks what it wrote and tries again on top of it.
    Else the new files are deleted and ``CommitFailedException`` raised.
    """
    if not rewrite.gone and not rewrite.new:
        return
    try:
        with _Transaction(table) as transaction:
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
    """PyIceberg's overwrite, without its pile of manifests: it keeps those of which every file is gone for good."""

    def _validate_concurrency(self) -> None:
        """See what others have written since; of a table that was empty then, that is all of its history."""
        if self._starting_snapshot_id is None and not is_whole(self._transaction.table_metadata):
            raise ValidationException("its first snapshots are no longer listed")
        super()._validate_concurrency()

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        live = [manifest for manifest in manifests if self._is_live(manifest)]
        manager = _ManifestMergeManager(MANIFEST_BYTES, MANIFESTS, merge_enabled=True, snapshot_producer=self)
        data = [manifest for manifest in live if manifest.content == ManifestContent.DATA]
        return manager.merge_manifests(data) + [manifest for manifest in live if manifest not in data]

    def _is_live(self, manifest: ManifestFile) -> bool:
        ours = manifest.added_snapshot_id == self._snapshot_id
        return ours or manifest.has_added_files() or manifest.has_existing_files()
