"""What a publish points to is on the disk before it does."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import MissingTableFiles
from phlo.iceberg import files

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog

EPOCH = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """The files and folders that are synced from here on."""
    seen: set[Path] = set()
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        seen.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("file descriptors have no names on this system")
    monkeypatch.setattr(os, "fsync", watch)
    return seen


def test_every_file_of_a_changed_table_is_synced_before_main_moves(
    catalog: SqlRefCatalog, write: Any, warehouse: Path, synced: set[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("raw.g", [1], "r")
    write("gold.j", [1], "r")
    written = {path for path in warehouse.rglob("*") if path.is_file()}
    assert len(written) >= 8
    from phlo.iceberg import publishes

    def publish(*_: object, **__: object) -> None:
        assert written <= synced
        assert {path.parent for path in written} <= synced
        assert {warehouse / "raw", warehouse / "gold"} <= synced
        raise InterruptedError

    monkeypatch.setattr(publishes, "publish", publish)
    with pytest.raises(InterruptedError):
        catalog.publish("r")


def test_tables_that_did_not_change_are_left_alone(
    catalog: SqlRefCatalog, published: Any, write: Any, synced: set[Path]
) -> None:
    published("raw.g", [1], "a")
    synced.clear()
    published("raw.h", [1], "b")
    assert synced
    assert not [path for path in synced if path.parent.parent.name.startswith("g-")]


def test_only_files_since_a_time_are_synced(tmp_path: Path, synced: set[Path]) -> None:
    pointer = tmp_path / "metadata" / "1.metadata.json"
    old, new = tmp_path / "data" / "old", tmp_path / "data" / "month=2024-01" / "new"
    for path in (pointer, old, new):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    os.utime(old, (0, 0))
    assert files.make_durable({"raw.g": str(pointer)}, EPOCH) == 2
    assert {new, pointer} <= synced
    assert old not in synced


def test_a_table_whose_files_are_gone_is_not_published(catalog: SqlRefCatalog, write: Any, warehouse: Path) -> None:
    write("raw.g", [1], "r")
    warehouse.rename(warehouse.parent / "away")
    with pytest.raises(MissingTableFiles, match=r"of table `raw.g` is missing"):
        catalog.publish("r")
    assert catalog.pin().tables == {}
    (warehouse.parent / "away").rename(warehouse)
    catalog.publish("r")
