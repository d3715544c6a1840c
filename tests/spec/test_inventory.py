"""The inventory lists all that the two documents show, and each entry's test is there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest
from spec_documents import FILES, FOLDER, digest, items

HERE = Path(__file__).resolve().parent
INVENTORY: dict[str, Any] = tomllib.loads((HERE / "inventory.toml").read_text(encoding="utf-8"))
ENTRIES: dict[str, list[dict[str, Any]]] = INVENTORY["entries"]
ALL = [entry for entries in ENTRIES.values() for entry in entries]
BLOCKS = {"code", "output", "tree"}

beside = pytest.mark.skipif(not FOLDER.is_dir(), reason="the documents (../shared/spec) are not beside this checkout")


@beside
@pytest.mark.parametrize("document", FILES)
def test_everything_a_document_shows_is_in_the_inventory(document: str) -> None:
    listed = {(entry["line"], entry.get("sha") or entry["text"]) for entry in ENTRIES[document]}
    shown = {(item.line, item.digest if item.kind in {*BLOCKS, "block"} else item.text) for item in items(document)}
    assert shown - listed == set()


@beside
@pytest.mark.parametrize("document", FILES)
def test_nothing_in_the_inventory_is_missing_from_its_document(document: str) -> None:
    lines = (FOLDER / FILES[document]).read_text(encoding="utf-8").splitlines()
    shown = {item.line: item for item in items(document)}
    for entry in ENTRIES[document]:
        if "sha" in entry:
            assert shown[entry["line"]].digest == entry["sha"]
            assert entry["text"] in [line.strip() for line in shown[entry["line"]].text.splitlines()]
        else:
            assert entry["text"] in lines[entry["line"] - 1]


@beside
@pytest.mark.parametrize("document", FILES)
def test_what_is_kept_for_the_tests_is_what_the_document_prints(document: str) -> None:
    shown = {item.line: item.text for item in items(document) if item.kind in {*BLOCKS, "block"}}
    kept = {entry["line"]: (HERE / "printed" / entry["file"]).read_bytes() for entry in _kept(ENTRIES[document])}
    assert kept == {line: shown[line].encode() for line in kept}


def test_what_is_kept_for_the_tests_was_not_changed() -> None:
    changed = [entry["file"] for entry in _kept(ALL) if digest(_printed(entry)) != entry["sha"]]
    assert changed == []


def test_every_kept_file_belongs_to_one_entry() -> None:
    kept = [entry["file"] for entry in _kept(ALL)]
    assert sorted(kept) == sorted(file.name for file in (HERE / "printed").iterdir() if file.is_file())


def test_every_block_that_a_test_runs_is_kept() -> None:
    assert [entry for entry in ALL if "sha" in entry and "test" in entry and "file" not in entry] == []


def test_every_entry_names_a_test_or_says_what_is_planned() -> None:
    assert [entry for entry in ALL if ("test" in entry) == ("planned" in entry)] == []


def test_every_named_test_exists() -> None:
    named = {entry["test"] for entry in ALL if "test" in entry}
    assert named - _tests() == set()


def test_the_planned_part_only_shrinks() -> None:
    planned = sum("planned" in entry for entry in ALL)
    assert planned == INVENTORY["planned"]["now"]
    assert planned <= INVENTORY["planned"]["at_first"]


def test_entries_stand_in_the_order_of_the_document() -> None:
    for entries in ENTRIES.values():
        lines = [entry["line"] for entry in entries]
        assert lines == sorted(set(lines))


def test_the_inventory_and_the_tests_name_the_same_documents() -> None:
    assert INVENTORY["documents"] == FILES


def _kept(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if "file" in entry]


def _printed(entry: dict[str, Any]) -> str:
    return (HERE / "printed" / entry["file"]).read_text(encoding="utf-8")


def _tests() -> set[str]:
    return {
        f"{file.name}::{node.name}"
        for file in HERE.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
