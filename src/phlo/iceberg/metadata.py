"""What a commit makes of a table's metadata: PyIceberg's updates, cheaper, and in files that do not grow for ever.

Builds on what is private to PyIceberg, as ``commit.py`` does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyiceberg.table.update import (
    AddSnapshotUpdate,
    _apply_table_update,
    _TableMetadataUpdateContext,
    _update_table_metadata_log,
)
from pyiceberg.utils.datetime import datetime_to_millis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.update import TableUpdate

LISTED = 100
"""Snapshots that a table's metadata lists: each commit reads and writes the list again, at some 0.7 kB each.

Main's past does not hang on it: every publish names a metadata file, and each file names its own snapshot.
"""


def committed(base: TableMetadata, updates: Iterable[TableUpdate], location: str) -> TableMetadata:
    """The metadata that a commit on top of ``base``, which is at a location, writes."""
    metadata = updated(base, _in_time(base, updates))
    if metadata is base:
        return base
    metadata.spec().check_compatible(metadata.schema())
    metadata.sort_order().check_compatible(metadata.schema())
    time = metadata.last_updated_ms
    if time == base.last_updated_ms:
        time = max(time, datetime_to_millis(datetime.now(UTC)))
    logged = _update_table_metadata_log(metadata, location, base.last_updated_ms)
    return _listed(logged.model_copy(update={"last_updated_ms": time}))


def updated(base: TableMetadata, updates: Iterable[TableUpdate]) -> TableMetadata:
    """Apply updates; what they leave as it is belongs to both, as no one changes metadata in place.

    PyIceberg copies all of it for each look: a commit looks some twenty times, and 200 snapshots take 10 ms to copy.
    """
    context = _TableMetadataUpdateContext()
    for update in updates:
        base = _apply_table_update(update, base, context)
    return base


def is_whole(metadata: TableMetadata) -> bool:
    """Whether the list of snapshots still goes back to the table's first."""
    known = {snapshot.snapshot_id for snapshot in metadata.snapshots}
    return all(snapshot.parent_snapshot_id in {None, *known} for snapshot in metadata.snapshots)


def _in_time(base: TableMetadata, updates: Iterable[TableUpdate]) -> Iterable[TableUpdate]:
    """Let no snapshot be older than the one before: clocks step back, and Java's readers refuse such a table."""
    for update in updates:
        if isinstance(update, AddSnapshotUpdate) and update.snapshot.timestamp_ms < base.last_updated_ms:
            snapshot = update.snapshot.model_copy(update={"timestamp_ms": base.last_updated_ms})
            yield update.model_copy(update={"snapshot": snapshot})
        else:
            yield update


def _listed(metadata: TableMetadata) -> TableMetadata:
    """Leave out the oldest snapshots, but those that a branch or a tag names."""
    if len(metadata.snapshots) <= LISTED:
        return metadata
    kept = {snapshot.snapshot_id for snapshot in metadata.snapshots[-LISTED:]}
    kept |= {ref.snapshot_id for ref in metadata.refs.values()}
    log, statistics = metadata.snapshot_log, metadata.statistics
    # A log with a gap would tell of another state than was current at a time, so it begins after the last gap.
    first = max((place for place, entry in enumerate(log, 1) if entry.snapshot_id not in kept), default=0)
    return metadata.model_copy(
        update={
            "snapshots": [snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id in kept],
            "snapshot_log": log[first:],
            "statistics": [file for file in statistics if file.snapshot_id in kept],
            "partition_statistics": [file for file in metadata.partition_statistics if file.snapshot_id in kept],
        }
    )
