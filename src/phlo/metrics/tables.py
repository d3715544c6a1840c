"""What the catalog says of tables, without a library that reads tables: names, publishes and sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.errors import UnknownAsset, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phlo.protocols import Pin


@dataclass(frozen=True)
class Size:
    """How large a table is; nothing is known of a view."""

    rows: int | None = None
    files: int | None = None
    bytes: int | None = None


def find_table(name: str, pin: Pin, more: Iterable[str] = ()) -> str:
    """Find a table by its name or the short one; raise ``UnknownAsset`` with the nearest."""
    known = {*pin.tables, *pin.views, *more}
    found = sorted(table for table in known if name in (table, table.rpartition(".")[2]))
    if not found:
        raise UnknownAsset(name=name, nearest=nearest(name, {table.rpartition(".")[2] for table in known}))
    return min(found, key=lambda table: table.startswith("rejected."))


def size_of(table: str, pin: Pin) -> Size:
    """Read a table's size off its metadata, which is a file of JSON; count the rows if other engines deleted some."""
    pointer = pin.tables.get(table)
    if pointer is None:
        return Size()
    metadata = json.loads(Path(pointer).read_text(encoding="utf-8"))
    snapshots = {each["snapshot-id"]: each for each in metadata.get("snapshots", [])}
    summary = snapshots.get(metadata.get("current-snapshot-id"), {}).get("summary", {})
    sums = [int(summary.get(key, 0)) for key in ("total-records", "total-data-files", "total-files-size")]
    if not int(summary.get("total-delete-files", 0)):
        return Size(*sums)
    from phlo.iceberg.handles import open_pinned
    from phlo.iceberg.merge import count_rows  # a second of imports, which tables of ours need not pay

    return Size(count_rows(open_pinned(pin.ref, table, pointer)), *sums[1:])
