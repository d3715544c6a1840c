"""PyIceberg tables of a ref: made with the right properties, committed by compare-and-swap, never purged."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update import AssertRefSnapshotId, SetPropertiesUpdate

from phlo.errors import CatalogUnavailable, InvalidDeclaration, InvalidTableName
from phlo.iceberg import handles, sqlite
from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema([("id", pa.string()), ("day", pa.date32())])


def test_other_iceberg_tools_read_main_and_every_ref(
    catalog: SqlRefCatalog, catalog_uri: str, published: Any, write: Any
) -> None:
    published("raw.g", [1], "run-1")
    write("raw.g", [2], "run-2")
    for ref, expected in (("main", [1]), ("run-2", [1, 2])):
        plain = SqlCatalog(ref, uri=catalog_uri)
        assert plain.list_namespaces() == [("raw",)]
        assert plain.list_tables("raw") == [("raw", "g")]
        table = plain.load_table("raw.g")
        assert sorted(table.scan().to_arrow()["n"].to_pylist()) == expected
        plain.close()


@pytest.mark.parametrize(
    ("partition_by", "said"),
    [
        ("month(dya)", "did you mean `day`"),
        ("hour(day)", "can not partition it"),
        ("day", "can not partition it"),
        ("month(day", "can not partition it"),
    ],
)
def test_a_partitioning_that_can_not_be_is_refused(catalog: SqlRefCatalog, partition_by: str, said: str) -> None:
    catalog.create_ref("r")
    with pytest.raises(InvalidDeclaration, match=said) as error:
        catalog.create_table("raw.g", SCHEMA, "r", partition_by=partition_by)
    assert error.value.next_step == "write day(COLUMN), month(COLUMN) or year(COLUMN)"
    assert catalog.pin("r").tables == {}


@pytest.mark.parametrize(
    ("partition_by", "transforms"), [(None, []), ("", []), ("day(day)", ["day"]), ("year(day)", ["year"])]
)
def test_a_table_is_partitioned_as_asked(
    catalog: SqlRefCatalog, partition_by: str | None, transforms: list[str]
) -> None:
    catalog.create_ref("r")
    table = catalog.create_table("raw.g", SCHEMA, "r", partition_by=partition_by)
    assert [str(field.transform) for field in table.spec().fields] == transforms


def test_a_name_that_can_not_be_leaves_no_files(catalog: SqlRefCatalog, warehouse: Path) -> None:
    catalog.create_ref("r")
    with pytest.raises(InvalidTableName):
        catalog.create_table("raw.../../x", SCHEMA, "r")
    assert not warehouse.exists()


def test_a_commit_on_a_state_that_is_gone_fails(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    table = catalog.load("raw.g", "r")
    snapshot = table.metadata.current_snapshot_id
    assert snapshot is not None
    write("raw.g", [2], "r")
    must = AssertRefSnapshotId(ref="main", snapshot_id=snapshot)
    with pytest.raises(CommitFailedException):
        table.catalog.commit_table(table, (must,), (SetPropertiesUpdate(updates={"a": "b"}),))


def test_a_handle_sees_what_others_committed_when_it_refreshes(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    table = catalog.load("raw.g", "r")
    write("raw.g", [2], "r")
    assert len(table.scan().to_arrow()) == 1
    assert len(table.refresh().scan().to_arrow()) == 2


def test_nothing_is_ever_purged(catalog: SqlRefCatalog, write: Any, warehouse: Path) -> None:
    write("raw.g", [1], "r")
    table = catalog.load("raw.g", "r")
    with pytest.raises(NotImplementedError, match="only maintenance deletes files"):
        table.catalog.purge_table("raw.g")
    files = set(warehouse.rglob("*"))
    catalog.drop_table("raw.g", "r")
    catalog.drop_ref("r")
    assert set(warehouse.rglob("*")) == files


def test_a_metadata_file_is_read_once(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    handles.read_metadata.cache_clear()
    pin = catalog.pin("r")
    for _ in range(3):
        catalog.open_pinned("raw.g", pin)
        catalog.load("raw.g", "r")
    assert handles.read_metadata.cache_info().misses == 1


def test_two_handles_on_one_metadata_file_do_not_change_each_other(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    one, two = catalog.load("raw.g", "r"), catalog.load("raw.g", "r")
    one.append(pa.table({"n": [2]}))
    with two.transaction() as change:
        change.set_properties({"a": "b"})
    assert len(two.scan().to_arrow()) == 2
    assert "a" not in one.properties


def test_a_commit_to_a_locked_catalog_is_a_catalog_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("r")
    table = catalog.create_table("raw.g", SCHEMA, "r")
    holder = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CatalogUnavailable, match="locked"), table.transaction() as change:
        change.set_properties({"a": "b"})
    holder.close()
