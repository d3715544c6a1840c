"""Which files a write leaves behind: few, and none of a write that failed."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.iceberg import in_memory, rewrite
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge, replace
from phlo.iceberg.parquet import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("_id", pa.string()), ("n", pa.int64()), ("partition_date", pa.date32())])
JANUARY, MARCH = dt.date(2024, 1, 20), dt.date(2024, 3, 31)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    return catalog.create_table("raw.t", SCHEMA, "run-1", partition_by="month(partition_date)", keys=["_id"])


def rows(*values: tuple[str, int, dt.date | None]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, value, strict=True)) for value in values], schema=SCHEMA)


def counts(table: Table) -> list[int]:
    """The record counts of the table's files."""
    return sorted(task.file.record_count for task in table.scan().plan_files())


def test_tiny_files_are_folded_into_each_write_of_their_partition(table: Table) -> None:
    for n in range(5):
        append(table, rows((f"k{n}", n, JANUARY)))
    append(table, rows(("z", 0, MARCH)))
    assert counts(table) == [1, 5]


def test_small_files_are_left_alone_until_they_are_many(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "TINY", 0)
    for n in range(rewrite.MANY_SMALL_FILES):
        append(table, rows((f"k{n}", n, JANUARY), (f"z{n}", n, MARCH)))
    assert counts(table) == [1] * 2 * rewrite.MANY_SMALL_FILES
    append(table, rows(("last", 0, JANUARY)))
    assert counts(table) == [*[1] * rewrite.MANY_SMALL_FILES, rewrite.MANY_SMALL_FILES + 1]


def test_a_large_file_is_not_written_again_for_new_rows(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    append(table, rows(("a", 1, JANUARY), ("b", 2, JANUARY)))
    monkeypatch.setattr(rewrite, "SMALL_FILE", 0)
    merge(table, rows(("c", 3, JANUARY), ("a", 1, JANUARY)), ["_id"])
    assert counts(table) == [1, 2]
    merge(table, rows(("a", 9, JANUARY), ("d", 4, JANUARY)), ["_id"])
    assert counts(table) == [1, 1, 2]  # what is left of the large file, the row before, and the changed and the new row


@pytest.mark.parametrize("much", [0, rewrite.MUCH])
def test_files_written_side_by_side_are_those_written_one_by_one(
    table: Table, monkeypatch: pytest.MonkeyPatch, much: int
) -> None:
    monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
    monkeypatch.setattr(rewrite, "MUCH", much)
    days = [JANUARY.replace(month=month) for month in range(1, 13)]
    merge(table, rows(*((f"{key}{day:%m}", 1, day) for day in days for key in "abc")), ["_id"])
    threads: set[str] = set()
    write = Writer.write_arrow

    def noted(self: Writer, *args: Any) -> Any:
        threads.add(threading.current_thread().name.partition("_")[0])
        return write(self, *args)

    monkeypatch.setattr(Writer, "write_arrow", noted)
    merge(table, rows(*((f"b{day:%m}", 2, day) for day in days)), ["_id"])
    assert threads == {"MainThread" if much else "phlo-write"}
    assert [task.file.partition[0] for task in table.scan().plan_files()] == list(range(648, 660))
    found = table.scan().to_arrow().to_pylist()
    assert found == [
        {"_id": f"{key}{day:%m}", "n": 1 + (key == "b"), "partition_date": day} for day in days for key in "acb"
    ]


def test_a_file_of_which_nothing_is_left_goes(table: Table) -> None:
    append(table, rows(("a", 1, JANUARY), ("b", 2, MARCH)))
    replace(table, rows(), [JANUARY])
    assert counts(table) == [1]
    merge(table, rows(("b", 2, JANUARY)), ["_id"])
    assert [task.file.partition[0] for task in table.scan().plan_files()] == [648]


@pytest.mark.parametrize("way", ["in memory", "staged", "side by side"])
def test_a_write_that_fails_half_way_leaves_no_file_and_no_snapshot(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    append(table, rows(("a", 1, JANUARY)))
    if way != "in memory":
        monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
    if way == "side by side":
        monkeypatch.setattr(rewrite, "MUCH", 0)
    before = table.metadata_location, set(tmp_path.rglob("*.parquet"))
    write = Writer.write_arrow

    def fails_at_march(self: Writer, groups: Any, schema: pa.Schema, partition: Any, names: Any) -> Any:
        if partition[0] == 650:
            raise OSError(28, "No space left on device")
        return write(self, groups, schema, partition, names)

    monkeypatch.setattr(Writer, "write_arrow", fails_at_march)
    with pytest.raises(OSError, match="No space left"):
        merge(table, rows(("a", 2, JANUARY), ("m", 1, MARCH)), ["_id"])
    assert (table.metadata_location, set(tmp_path.rglob("*.parquet"))) == before
