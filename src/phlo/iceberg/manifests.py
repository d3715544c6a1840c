"""Manifests of a table, read once in a process: a merge needs them for its plan, and twice more for its commit.

Builds on what is private to PyIceberg, as ``commit.py`` does.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.expressions.visitors import UnpartitionedResidualEvaluator
from pyiceberg.manifest import ManifestContent
from pyiceberg.table import ManifestGroupPlanner
from pyiceberg.typedef import KeyDefaultDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyiceberg.expressions.visitors import ResidualEvaluator
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.table import FileScanTask, Table

REMEMBERED = 10_000
"""Entries of manifests that are kept decoded, at some 5 kB each."""


def plan_files(table: Table, rows: BooleanExpression) -> list[FileScanTask]:
    """List the files of the current snapshot that can hold some rows, as ``table.scan(rows).plan_files()`` does."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return []
    return list(_Planner(table.metadata, table.io, rows).plan_files(snapshot.manifests(table.io)))


def live(io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
    """The entries of a committed manifest whose files are in the table; all who ask get the same, to read only."""
    return _remembered.entries(io, manifest)


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
            yield (
                entries
                if every
                else [each for each in entries if partition(each.data_file) and in_bounds(each.data_file)]
            )

    def _build_residual_evaluator(self, spec_id: int) -> Callable[[DataFile], ResidualEvaluator]:
        if not isinstance(self.row_filter, AlwaysTrue):
            return super()._build_residual_evaluator(spec_id)
        same = UnpartitionedResidualEvaluator(self.table_metadata.schema(), self.row_filter)
        return lambda _file: same


@dataclass
class _Remembered:
    """Decoded manifests, by path, as they are never changed; the one that was asked for longest ago goes first."""

    manifests: OrderedDict[tuple[str, int], list[ManifestEntry]] = field(default_factory=OrderedDict)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def entries(self, io: FileIO, manifest: ManifestFile) -> list[ManifestEntry]:
        key = (manifest.manifest_path, manifest.sequence_number)
        with self.lock:
            if key in self.manifests:
                self.manifests.move_to_end(key)
                return self.manifests[key]
        with no_collection():
            found = manifest.fetch_manifest_entry(io, discard_deleted=True)
        self._keep(key, found)
        return found

    def _keep(self, key: tuple[str, int], entries: list[ManifestEntry]) -> None:
        with self.lock:
            if key not in self.manifests and len(entries) <= REMEMBERED:
                self.manifests[key] = entries
                self.count += len(entries)
            while self.count > REMEMBERED:
                self.count -= len(self.manifests.popitem(last=False)[1])


_remembered = _Remembered()
