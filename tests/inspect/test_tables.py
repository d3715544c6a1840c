"""Tables, views and snapshots as people ask for them, from a real catalog."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from tests.iceberg.deleting import delete_positions, delete_values

from phlo.errors import UnknownNamespace, UnknownTable
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import merge
from phlo.iceberg.tables import plan
from phlo.inspect import Description, TableInfo, describe, history, tables
from phlo.inspect.tables import resolve
from phlo.protocols import Pin, View

READINGS = pa.schema([("_id", pa.string()), ("sgv", pa.int64()), ("partition_date", pa.date32())])
DAY = dt.date(2024, 1, 20)


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    return SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")


@pytest.fixture
def published(catalog: SqlRefCatalog) -> SqlRefCatalog:
    """Main with a table of two snapshots, an empty table and a view."""
    catalog.create_ref("run-1")
    table = catalog.create_table("raw.readings", READINGS, "run-1")
    table.append(rows(("a", 110), ("b", 120)))
    table.append(rows(("c", 130)))
    catalog.create_table("bronze.empty", READINGS, "run-1", partition_by="month(partition_date)")
    view = View("SELECT sgv FROM raw.readings", (("sgv", "bigint"),))
    catalog.put_view("silver.values", view, "run-1")
    catalog.publish("run-1")
    return catalog


def rows(*pairs: tuple[str, int]) -> pa.Table:
    return pa.Table.from_pylist([{"_id": key, "sgv": sgv, "partition_date": DAY} for key, sgv in pairs], READINGS)


def test_tables_and_views_are_listed_by_name_with_their_sizes(published: SqlRefCatalog) -> None:
    empty, readings, view = tables(published, published.pin())
    assert (empty.name, empty.kind, empty.rows, empty.files, empty.bytes) == ("bronze.empty", "table", 0, 0, 0)
    assert (readings.name, readings.rows, readings.files) == ("raw.readings", 3, 2)
    assert readings.bytes is not None
    assert readings.bytes > 500
    assert readings.modified is not None
    assert abs(readings.modified - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=5)
    assert view == TableInfo("silver.values", "view")


def test_rows_that_another_engine_deleted_do_not_count(published: SqlRefCatalog) -> None:
    published.create_ref("run-2")
    table = published.load("raw.readings", "run-2")
    (path, *_) = (task.file.file_path for task in plan(table) if task.file.record_count == 2)
    delete_positions(table, {path: [0]})
    delete_values(table, [{"sgv": 110}, {"sgv": 5}], ["sgv"])  # one that is gone already, and one that never was
    pin = published.pin("run-2")
    assert describe(published, pin, "raw.readings").rows == 2
    assert {each.name: each.rows for each in tables(published, pin)}["raw.readings"] == 2
    assert [each.rows for each in history(published, pin, "raw.readings")] == [None, None, 3, 2]
    merge(table, rows(("a", 1), ("b", 2), ("c", 3)), ["_id"])
    assert describe(published, published.pin("run-2"), "raw.readings").rows == 3
    delete_values(table, [{"sgv": 1}], [])
    assert describe(published, published.pin("run-2"), "raw.readings").rows is None


def test_an_empty_lake_has_no_tables(catalog: SqlRefCatalog) -> None:
    assert tables(catalog, catalog.pin()) == []


def test_one_schema_is_listed_alone(published: SqlRefCatalog) -> None:
    assert [each.name for each in tables(published, published.pin(), "raw")] == ["raw.readings"]


def test_a_schema_without_tables_is_an_error_that_names_the_nearest(published: SqlRefCatalog) -> None:
    with pytest.raises(UnknownNamespace, match="did you mean `silver`") as caught:
        tables(published, published.pin(), "silvr")
    assert caught.value.code == "unknown-namespace"
    assert "phlo catalog tables" in caught.value.next_step


def test_a_table_is_described_with_what_the_spec_shows(published: SqlRefCatalog) -> None:
    found = describe(published, published.pin(), "raw.readings")
    assert (found.name, found.namespace, found.kind, found.format) == ("raw.readings", "raw", "table", "Iceberg")
    assert "/warehouse/raw/readings-" in found.location
    assert (found.metadata.startswith(f"{found.location}/metadata/"), Path(found.metadata).is_file()) == (True, True)
    assert (found.rows, found.files, found.partitioning) == (3, 2, ())
    assert [(column.name, column.type) for column in found.columns] == [
        ("_id", "string"),
        ("sgv", "long"),
        ("partition_date", "date"),
    ]
    assert found.snapshot is not None
    assert (found.snapshot.operation, found.snapshot.rows, found.snapshot.added) == ("append", 3, 1)
    assert found.modified == found.snapshot.at


def test_the_sizes_are_those_of_the_files_on_disk(published: SqlRefCatalog, tmp_path: Path) -> None:
    files = list((tmp_path / "warehouse" / "raw").rglob("*.parquet"))
    found = describe(published, published.pin(), "readings")
    assert (found.files, found.bytes) == (len(files), sum(file.stat().st_size for file in files))


def test_a_table_that_was_never_written_has_no_snapshot(published: SqlRefCatalog) -> None:
    found = describe(published, published.pin(), "bronze.empty")
    assert (found.rows, found.files, found.snapshot) == (0, 0, None)
    assert found.modified is not None
    assert history(published, published.pin(), "bronze.empty") == []


def test_partitioning_is_said_in_words(published: SqlRefCatalog) -> None:
    found = describe(published, published.pin(), "bronze.empty")
    assert found.partitioning == ("partition_date (monthly)",)


def test_a_view_is_described_by_its_sql_and_columns(published: SqlRefCatalog) -> None:
    found = describe(published, published.pin(), "silver.values")
    assert isinstance(found, Description)
    assert (found.location, found.metadata) == ("", "")
    assert (found.kind, found.format, found.sql) == ("view", "View", "SELECT sgv FROM raw.readings")
    assert [(column.name, column.type) for column in found.columns] == [("sgv", "bigint")]
    assert history(published, published.pin(), "silver.values") == []


def test_history_lists_snapshots_newest_first(published: SqlRefCatalog) -> None:
    newest, oldest = history(published, published.pin(), "raw.readings")
    assert (newest.rows, newest.added, oldest.rows, oldest.added) == (3, 1, 2, 2)
    assert newest.parent == oldest.id
    assert oldest.parent is None


def test_history_can_be_limited(published: SqlRefCatalog) -> None:
    assert len(history(published, published.pin(), "raw.readings", limit=1)) == 1


def test_a_pin_shows_the_state_it_fixed_and_not_what_came_later(published: SqlRefCatalog) -> None:
    before = published.pin()
    published.create_ref("run-2")
    published.load("raw.readings", "run-2").delete("_id = 'a'")
    published.publish("run-2")
    assert [describe(published, pin, "readings").rows for pin in (before, published.pin())] == [3, 2]
    assert [len(history(published, pin, "readings")) for pin in (before, published.pin())] == [2, 3]


@pytest.mark.parametrize("look", [describe, history])
def test_an_unknown_table_is_an_error_that_names_the_nearest(published: SqlRefCatalog, look) -> None:
    with pytest.raises(UnknownTable, match=r"`raw.reading` on `main`; did you mean `raw.readings`"):
        look(published, published.pin(), "raw.reading")


def test_a_short_name_that_two_tables_have_is_an_error_that_names_both() -> None:
    pin = Pin("main", {"raw.readings": "x", "rejected.readings": "y"})
    with pytest.raises(UnknownTable, match=r"`raw\.readings` or `rejected\.readings`"):
        resolve(pin, "readings")
