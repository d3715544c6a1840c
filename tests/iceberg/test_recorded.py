"""Tables that Apache Iceberg's own Java library wrote, with all its kinds of deletes, are read as it reads them.

``scripts/record_iceberg.py`` records them anew: after each step the metadata file, and the rows that Java read.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.manifest import FileFormat

from phlo.errors import FormatNotWritable, UnreadableFile
from phlo.iceberg.handles import open_pinned
from phlo.iceberg.liveness import reach
from phlo.iceberg.merge import append, merge
from phlo.iceberg.relocate import Move, Rewriter
from phlo.iceberg.tables import evolve, plan, scan_sql

if TYPE_CHECKING:
    from pyiceberg.table import Table

RECORDED = Path(__file__).parent / "recorded"
WHERE = "/lake"
"""Where the tables were written; they move with the paths in their files."""


@pytest.fixture(scope="module", params=[pytest.param(2, marks=pytest.mark.slow), 3])
def steps(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Table, Any]]:
    """The table after each step, and its rows."""
    folder = tmp_path_factory.mktemp("lake")
    with zipfile.ZipFile(RECORDED / f"version_{request.param}.zip") as archive:
        archive.extractall(folder)
    metadata = next(folder.rglob("metadata"))
    found = json.loads((folder / "steps.json").read_text())
    rewriter = Rewriter(Move(WHERE, str(folder)))
    for step in found:
        rewriter.rewrite("raw.readings", str(metadata / step["metadata"]))
    return [(open_pinned("main", "raw.readings", str(metadata / step["metadata"])), step["rows"]) for step in found]


def test_every_state_has_the_rows_that_java_reads(steps: list[tuple[Table, Any]]) -> None:
    with duckdb.connect() as con:
        for table, rows in steps:
            read = con.sql(scan_sql(table, con=con)).to_arrow_table().to_pylist()
            assert Counter(map(shown, read)) == Counter(map(shown, rows))
    assert len(steps) == 15


def test_all_kinds_of_deletes_are_among_them(steps: list[tuple[Table, Any]]) -> None:
    table = steps[-1][0]
    deletes = [file for task in plan(table) for file in task.delete_files]
    positions = {file.file_format for file in deletes if not file.equality_ids}
    assert positions == {FileFormat.PUFFIN if table.format_version == 3 else FileFormat.PARQUET}
    assert any(file.equality_ids for file in deletes)


def test_every_file_is_reached(steps: list[tuple[Table, Any]]) -> None:
    table = steps[-1][0]
    folder = Path(table.location())
    unreached = {str(path) for path in folder.rglob("*") if path.is_file()} - reach({table.metadata_location: "t"})
    assert {path for path in unreached if not path.endswith(".metadata.json")} == set()


@pytest.mark.parametrize("steps", [3], indirect=True)
def test_a_newer_version_of_the_format_is_read_and_not_written(steps: list[tuple[Table, Any]]) -> None:
    table, rows = steps[-1][0], pa.table({"key": ["a"]})
    for use in (
        lambda: merge(table, rows, ["key"]),
        lambda: append(table, rows),
        lambda: evolve(table, pa.schema([("more", pa.string())])),
    ):
        with pytest.raises(FormatNotWritable, match=r"`raw.readings` has version 3 of Iceberg's format"):
            use()


@pytest.mark.parametrize("steps", [3], indirect=True)
def test_a_broken_vector_of_deletes_is_named(steps: list[tuple[Table, Any]]) -> None:
    table = steps[-1][0]
    vectors = {file.file_path for task in plan(table) for file in task.delete_files if not file.equality_ids}
    whole = {path: path.read_bytes() for path in map(Path, vectors)}
    try:
        for path, content in whole.items():
            path.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
        with duckdb.connect() as con, pytest.raises(UnreadableFile, match="has no vector of deletes at 4"):
            scan_sql(table, con=con)
    finally:
        for path, content in whole.items():
            path.write_bytes(content)


def shown(row: dict[str, Any]) -> str:
    return repr(sorted((name, None if value is None else str(value)) for name, value in row.items()))
