"""Files reach the disk before main points to them: after a loss of power, main is a state whose files are there."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.errors import MissingTableFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

CLOCKS_MAY_DIFFER = timedelta(minutes=10)
"""Between this host and the catalog's database; to sync a file that is on the disk already costs next to nothing."""


SYNCS_AT_ONCE = 16


def make_durable(pointers: Mapping[str, str], since: datetime) -> int:
    """Sync the files of tables (names to metadata locations) that were written since a time; return how many.

    Raises ``MissingTableFiles`` if one that a pointer names is not there.
    """
    oldest = (since - CLOCKS_MAY_DIFFER).timestamp()
    if time.time() < oldest:  # the clock has stepped back: what was written since looks older
        oldest = 0
    written: list[Path] = []
    for name, pointer in pointers.items():
        if not Path(pointer).is_file():
            raise MissingTableFiles(name=name, file=pointer)
        written += _written_since(oldest, location(pointer))
    roots = {Path(location(pointer)).parent for pointer in pointers.values()}  # they list the tables' own folders
    # Side by side: a busy disk then writes its journal once for many of them (measured: 20 ms against 140 for 40).
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        list(pool.map(sync, [*written, *{path.parent for path in written}, *roots]))
    return len(written)


def location(pointer: str) -> str:
    """Where the table of a metadata location keeps its files.

    >>> location("/lake/raw/g-1a2b/metadata/00001-5abe.metadata.json")
    '/lake/raw/g-1a2b'
    """
    return pointer.rpartition("/metadata/")[0]


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written_since(oldest: float, folder: str) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            if path.stat().st_mtime >= oldest:
                yield path
