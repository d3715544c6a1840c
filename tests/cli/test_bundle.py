"""A lake packed into one file reads the same elsewhere, and is read-only there."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.table import StaticTable

from phlo.profiles import open_lake
from phlo.protocols import View

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Called, Shop

DAY, NEXT = "2024-01-20", "2024-01-21"
ROWS = "SELECT id, value FROM raw.readings ORDER BY id"


PACKED: list[bytes] = []
"""One bundle serves all tests of a worker; each has a copy."""


@pytest.fixture
def packed(shop: Shop, tmp_path: Path) -> Path:
    """Three publishes, a view and a failed ref, packed; the project they came from is gone."""
    file = tmp_path / "lake.phlo"
    if not PACKED:
        build(shop, file)
        PACKED.append(file.read_bytes())
    file.write_bytes(PACKED[0])
    shutil.rmtree(shop.root)
    return file


def build(shop: Shop, file: Path) -> None:
    shop.deliver(DAY, [{"id": 1, "value": "é"}, {"id": 2, "value": None}])
    assert shop.call("materialize", "readings", "--partition", DAY).code == 0
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("views")
    catalog.put_view("silver.known", View("SELECT id FROM raw.readings WHERE value IS NOT NULL"), "views")
    catalog.publish("views")
    shop.deliver(NEXT, [{"id": 1, "value": "ü"}])
    assert shop.call("materialize", "readings", "--partition", NEXT).code == 0
    (shop.root / "source" / f"{DAY}.json").write_text("{")
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    done = shop.call("bundle", "--output", str(file))
    assert done.code == 0, done.err
    assert done.out.startswith("Packed 1 table into lake.phlo (")
    assert file.stat().st_mode & 0o077 == 0


def opened(shop: Shop, file: Path, name: str = "elsewhere") -> tuple[Called, Shop]:
    shop.root.mkdir(exist_ok=True)
    (shop.root / "pyproject.toml").touch()
    done = shop.call("bundle", "open", str(file), "--into", str(file.parent / name))
    return done, replace(shop, root=file.parent / name)


def test_it_reads_the_same_where_the_project_is_not(shop: Shop, packed: Path) -> None:
    done, there = opened(shop, packed, "else where")
    assert done.code == 0, done.err
    assert f"`phlo --project '{there.root}' catalog tables`" in done.err
    assert there.read(ROWS) == [{"id": 1, "value": "ü"}, {"id": 2, "value": None}]
    assert there.read("SELECT id FROM silver.known") == [{"id": 1}]
    log = there.call("history", "--json").records
    assert len(log) == 3
    assert there.read(ROWS, "--as-of", log[-1]["at"]) == [{"id": 1, "value": "é"}, {"id": 2, "value": None}]
    assert there.call("ref", "list", "--json").records == []
    metadata = there.call("catalog", "describe", "readings", "--json").records["metadata"]
    assert metadata.startswith(str(there.root))
    rows = StaticTable.from_metadata(metadata).scan().to_arrow()
    assert sorted(zip(rows["id"].to_pylist(), rows["value"].to_pylist(), strict=True)) == [(1, "ü"), (2, None)]


def test_it_can_not_be_written(shop: Shop, packed: Path) -> None:
    _, there = opened(shop, packed)
    for command in (("undo", "--yes"), ("maintain", "--yes"), ("run",), ("materialize", "readings")):
        done = there.call(*command)
        assert (done.code, "error[read-only-lake]: This lake was opened from a bundle" in done.err) == (1, True)
    assert len(there.read(ROWS)) == 2


@pytest.mark.slow
def test_it_can_be_opened_twice_moved_and_packed_again(shop: Shop, packed: Path) -> None:
    _, first = opened(shop, packed)
    _, second = opened(shop, packed, "other")
    moved = replace(first, root=first.root.rename(first.root.with_name("moved")))
    assert moved.call("catalog", "relocate").code == 0
    assert moved.read(ROWS) == second.read(ROWS)
    again = moved.root / "again.phlo"
    assert moved.call("bundle", "-o", str(again)).code == 0
    _, third = opened(shop, again, "third")
    assert third.read(ROWS) == second.read(ROWS)


def test_nothing_that_is_there_is_overwritten(shop: Shop, packed: Path) -> None:
    _, there = opened(shop, packed)
    done, _ = opened(shop, packed)
    assert (done.code, "is already a folder; nothing was touched" in done.err) == (1, True)
    kept = packed.read_bytes()
    done = there.call("bundle", "-o", str(packed))
    assert (done.code, "is already a file" in done.err, packed.read_bytes() == kept) == (1, True, True)
    assert there.call("bundle", "-o", str(packed), "--force").code == 0


@pytest.mark.parametrize("harm", ["cut", "flipped", "deflated", "text", "zip", "future", "missing"])
def test_what_is_no_whole_bundle_is_refused_and_leaves_nothing(shop: Shop, packed: Path, harm: str) -> None:
    content = packed.read_bytes()
    if harm == "cut":
        packed.write_bytes(content[: len(content) // 2])
    elif harm == "flipped":
        at = content.index(b"PAR1") + 40
        packed.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    elif harm == "deflated":
        at = content.index(b"catalog.db") + 60
        packed.write_bytes(content[:at] + bytes(byte ^ 255 for byte in content[at : at + 40]) + content[at + 40 :])
    elif harm == "text":
        packed.write_text("hello")
    else:
        with zipfile.ZipFile(packed) as old:
            entries = {name: old.read(name) for name in old.namelist()}
        if harm == "zip":
            entries = {"x": b""}
        if harm == "future":
            entries["bundle.json"] = entries["bundle.json"].replace(b'"format": 1', b'"format": 9, "more": 1')
        if harm == "missing":
            entries = {name: data for name, data in entries.items() if not name.endswith(".parquet")}
        with zipfile.ZipFile(packed, "w") as new:
            for name, data in entries.items():
                new.writestr(name, data)
    done, there = opened(shop, packed)
    assert (done.code, "error[bundle-broken]" in done.err) == (1, True), done.err
    assert not there.root.exists()


def test_an_empty_lake_can_be_packed_and_opened(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "empty.phlo"
    assert shop.call("bundle", "-o", str(file)).code == 0
    done, there = opened(shop, file)
    assert done.code == 0, done.err
    assert there.call("catalog", "tables", "--json").records == []


def test_what_maintenance_deletes_meanwhile_is_packed_as_it_is_then(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phlo.iceberg import bundle

    copies: list[int] = []
    copy = bundle._copy

    def while_maintenance_runs(*connections: Any) -> None:
        copy(*connections)
        copies.append(1)
        if len(copies) == 1:  # what this copy names goes, and main names something else
            for file in (shop.root / ".phlo/state/warehouse").rglob("*.metadata.json"):
                file.rename(file.with_suffix(".gone"))

    shop.call("materialize", "events", "--partition", DAY)
    monkeypatch.setattr(bundle, "_copy", while_maintenance_runs)
    done = shop.call("bundle", "-o", str(tmp_path / "lake.phlo"))
    assert (done.code, "error[missing-table-files]" in done.err, len(copies)) == (1, True, 3)
    assert not (tmp_path / "lake.phlo").exists()
    for file in (shop.root / ".phlo/state/warehouse").rglob("*.gone"):
        file.rename(file.with_suffix(".json"))
    copies.clear()
    copies.append(1)
    assert shop.call("bundle", "-o", str(tmp_path / "lake.phlo")).code == 0
