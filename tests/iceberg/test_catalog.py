"""What every catalog does with refs, tables, views and pins; each test runs on SQLite and on Postgres."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import (
    BeforeFirstPublish,
    InvalidRefName,
    InvalidTableName,
    MissingTableFiles,
    NameTaken,
    NoHistory,
    ReadOnlyTable,
    RefExists,
    UnknownPublish,
    UnknownRef,
    UnknownTable,
)
from phlo.iceberg import handles
from phlo.protocols import MAIN, Catalog, Change, View

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog

SCHEMA = pa.schema([("n", pa.int64())])
ONE = pa.table({"n": [1]})


def test_it_is_a_catalog(catalog: SqlRefCatalog) -> None:
    assert isinstance(catalog, Catalog)


def test_an_empty_catalog_has_an_empty_main(catalog: SqlRefCatalog) -> None:
    pin = catalog.pin()
    assert (pin.ref, dict(pin.tables), dict(pin.views), pin.seq) == (MAIN, {}, {}, 0)
    assert catalog.refs() == []
    assert catalog.publishes() == []
    assert catalog.loads() == []


# ── refs ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ref_begins_as_main_is_and_then_goes_its_own_way(
    catalog: SqlRefCatalog, published: Any, write: Any, rows: Any
) -> None:
    published("raw.g", [1], "run-1")
    write("raw.g", [2], "run-2")
    assert rows("raw.g", "run-2") == [1, 2]
    assert rows("raw.g") == [1]
    assert catalog.pin("run-2").seq is None


def test_a_ref_knows_its_run_and_what_it_branched_from(catalog: SqlRefCatalog, published: Any) -> None:
    published("raw.g", [1], "run-1")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    with catalog.lease(["raw.g"], "2"):
        made = catalog.create_ref("run-2", run_id="2", selection="raw.g")
        assert made == catalog.ref("run-2") == catalog.refs()[0]
    assert (made.state, made.run_id, made.selection, made.base_seq, made.reason, made.blocked) == (
        "open", "2", "raw.g", 1, "", False,
    )  # fmt: skip
    assert before < made.created_at < before + dt.timedelta(minutes=2)


def test_refs_are_listed_newest_first(catalog: SqlRefCatalog) -> None:
    for name in ("b", "a", "c"):
        catalog.create_ref(name)
    assert [ref.name for ref in catalog.refs()] == ["c", "a", "b"]


def test_an_unknown_ref_is_named_with_its_nearest(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("run-glucose")
    for ask in (catalog.ref, catalog.pin, catalog.drop_ref, catalog.publish, catalog.diff, catalog.loads):
        with pytest.raises(UnknownRef, match="no ref `run-glucos`; did you mean `run-glucose`"):
            ask("run-glucos")
    with pytest.raises(UnknownRef, match="did you mean `main`"):
        catalog.diff("run-glucose", "mian")
    with pytest.raises(UnknownRef):
        catalog.fail_ref("gone", "because")
    with pytest.raises(UnknownRef):
        catalog.create_table("raw.g", SCHEMA, "gone")
    with pytest.raises(UnknownRef):
        catalog.load("raw.g", "gone")
    with pytest.raises(UnknownRef):
        catalog.record_reads("gone", ["raw.g"])


def test_two_refs_can_not_have_one_name(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("run-1")
    with pytest.raises(RefExists, match=r"already a ref `run-1`"):
        catalog.create_ref("run-1")


def test_a_ref_that_can_not_be_named_so_is_not_made(catalog: SqlRefCatalog) -> None:
    with pytest.raises(InvalidRefName):
        catalog.create_ref(MAIN)
    assert catalog.refs() == []


def test_a_failed_ref_keeps_its_reason_and_its_tables(catalog: SqlRefCatalog, write: Any, rows: Any) -> None:
    write("raw.g", [1], "run-1")
    catalog.fail_ref("run-1", "the source answered 500", blocked=True)
    ref = catalog.ref("run-1")
    assert (ref.state, ref.reason, ref.blocked) == ("failed", "the source answered 500", True)
    assert rows("raw.g", "run-1") == [1]


def test_a_dropped_ref_is_gone_and_its_name_is_free(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "run-1")
    catalog.put_view("gold.v", View("SELECT 1"), "run-1")
    catalog.record_reads("run-1", ["raw.other"])
    catalog.drop_ref("run-1")
    assert catalog.refs() == []
    catalog.create_ref("run-1")
    assert not catalog.pin("run-1").tables
    assert not catalog.pin("run-1").views
    assert catalog.diff("run-1") == []


def test_a_table_of_a_dropped_ref_can_not_be_committed_to(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "run-1")
    table = catalog.load("raw.g", "run-1")
    catalog.drop_ref("run-1")
    with pytest.raises(UnknownRef, match="no ref `run-1`"):
        table.append(ONE)
    catalog.create_ref("run-1")
    with pytest.raises(UnknownTable, match=r"no table `raw.g` on `run-1`"):
        table.append(ONE)
    assert catalog.pin().tables == catalog.pin("run-1").tables == {}


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────


def test_main_moves_only_by_a_publish(catalog: SqlRefCatalog, published: Any, rows: Any) -> None:
    published("raw.g", [1], "run-1")
    with pytest.raises(ReadOnlyTable, match=r"`raw.g` on `main` can not be written"):
        catalog.load("raw.g").append(ONE)
    with pytest.raises(ReadOnlyTable):
        catalog.create_table("raw.h", SCHEMA, MAIN)
    with pytest.raises(ReadOnlyTable):
        catalog.drop_table("raw.g", MAIN)
    with pytest.raises(ReadOnlyTable):
        catalog.put_view("gold.v", View("SELECT 1"), MAIN)
    with pytest.raises(ReadOnlyTable):
        catalog.drop_view("gold.v", MAIN)
    assert rows("raw.g") == [1]


def test_two_commits_on_one_state_of_a_ref_do_not_lose_a_row(
    catalog: SqlRefCatalog, second: SqlRefCatalog, write: Any, rows: Any
) -> None:
    write("raw.g", [1], "run-1")
    one, two = catalog.load("raw.g", "run-1"), second.load("raw.g", "run-1")
    one.append(pa.table({"n": [2]}))
    two.append(pa.table({"n": [3]}))  # PyIceberg reloads and tries again
    assert rows("raw.g", "run-1") == [1, 2, 3]


def test_threads_that_commit_to_one_table_lose_no_row(catalog: SqlRefCatalog, write: Any, rows: Any) -> None:
    write("raw.g", [0], "run-1")

    def commit(n: int) -> None:
        catalog.load("raw.g", "run-1").append(pa.table({"n": [n]}))

    threads = [threading.Thread(target=commit, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows("raw.g", "run-1") == [0, 1, 2, 3, 4]


def test_a_pinned_table_stays_as_it_was_and_is_for_reading(catalog: SqlRefCatalog, write: Any, rows: Any) -> None:
    write("raw.g", [1], "run-1")
    pin = catalog.pin("run-1")
    write("raw.g", [2], "run-1")
    assert rows("raw.g", pin) == [1]
    with pytest.raises(ReadOnlyTable, match="on `run-1` can not be written"):
        catalog.open_pinned("raw.g", pin).append(ONE)


def test_a_table_keeps_full_bounds_of_its_keys_and_is_partitioned_as_asked(catalog: SqlRefCatalog) -> None:
    schema = pa.schema([("id", pa.string()), ("partition_date", pa.date32())])
    catalog.create_ref("r")
    table = catalog.create_table("raw.g", schema, "r", partition_by="month(partition_date)", keys=["id"])
    assert table.properties["write.metadata.metrics.column.id"] == "full"
    assert [(field.name, str(field.transform)) for field in table.spec().fields] == [("partition_date_month", "month")]
    assert [field.name for field in table.schema().fields] == ["id", "partition_date"]
    again = catalog.load("raw.g", "r")
    assert (again.spec(), again.schema(), again.metadata_location) == (
        table.spec(),
        table.schema(),
        table.metadata_location,
    )


def test_a_table_that_can_not_be_made_leaves_no_file(catalog: SqlRefCatalog, write: Any, warehouse: Path) -> None:
    write("raw.g", [1], "r")
    files = set(warehouse.rglob("*"))
    for name, ref, error in (("raw.G", "r", NameTaken), ("raw.h", "gone", UnknownRef), ("raw.h", MAIN, ReadOnlyTable)):
        with pytest.raises(error):
            catalog.create_table(name, SCHEMA, ref)
    assert set(warehouse.rglob("*")) == files


def test_two_tables_of_one_name_never_share_a_folder(catalog: SqlRefCatalog, warehouse: Path) -> None:
    catalog.create_ref("a")
    catalog.create_ref("b")
    one, two = catalog.create_table("raw.g", SCHEMA, "a"), catalog.create_table("raw.g", SCHEMA, "b")
    assert one.location() != two.location()
    assert one.location().startswith(f"{warehouse}/raw/g-")


def test_a_name_is_taken_once_on_a_ref_whatever_its_case_and_kind(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    catalog.create_table("raw.g", SCHEMA, "r")
    with pytest.raises(NameTaken, match=r"already a table `raw.g`"):
        catalog.create_table("raw.g", SCHEMA, "r")
    with pytest.raises(NameTaken, match=r"already a table `raw.g`"):
        catalog.create_table("RAW.G", SCHEMA, "r")
    with pytest.raises(NameTaken):
        catalog.put_view("raw.g", View("SELECT 1"), "r")
    catalog.put_view("raw.v", View("SELECT 1"), "r")
    with pytest.raises(NameTaken, match=r"already a view `raw.v`"):
        catalog.create_table("raw.v", SCHEMA, "r")
    with pytest.raises(NameTaken):
        catalog.put_view("raw.V", View("SELECT 1"), "r")


def test_a_table_that_can_not_be_named_so_is_not_made(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    with pytest.raises(InvalidTableName):
        catalog.create_table("raw.g@run", SCHEMA, "r")
    with pytest.raises(InvalidTableName):
        catalog.put_view("raw.g#1", View("SELECT 1"), "r")
    assert not catalog.pin("r").tables


def test_an_unknown_table_is_named_with_its_nearest(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.glucose", [1], "r")
    for ask in (catalog.load, catalog.drop_table):
        with pytest.raises(UnknownTable, match=r"no table `raw.glucos` on `r`; did you mean `raw.glucose`"):
            ask("raw.glucos", "r")
    with pytest.raises(UnknownTable, match="did you mean"):
        catalog.open_pinned("raw.glucos", catalog.pin("r"))
    with pytest.raises(UnknownTable):
        catalog.drop_view("raw.glucose", "r")


def test_a_table_whose_files_are_gone_is_named_with_the_file(
    catalog: SqlRefCatalog, second: SqlRefCatalog, write: Any
) -> None:
    write("raw.g", [1], "r")
    pointer = Path(catalog.pin("r").tables["raw.g"])
    pointer.rename(pointer.with_suffix(".away"))
    handles.read_metadata.cache_clear()
    with pytest.raises(MissingTableFiles, match=r"of table `raw.g` is missing"):
        second.load("raw.g", "r")


# ── views ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_view_lives_on_its_ref_until_it_is_published(catalog: SqlRefCatalog) -> None:
    view = View("SELECT 'ß' AS \"naïve\"", (("naïve", "varchar"),))
    catalog.create_ref("r")
    catalog.put_view("gold.v", View("SELECT 1"), "r")
    catalog.put_view("gold.v", view, "r")
    assert catalog.pin("r").views == {"gold.v": view}
    assert catalog.pin().views == {}
    catalog.publish("r")
    assert catalog.pin().views == {"gold.v": view}


def test_a_dropped_view_and_a_dropped_table_are_published_as_drops(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "a")
    catalog.put_view("gold.v", View("SELECT 1"), "a")
    catalog.publish("a")
    catalog.create_ref("b")
    catalog.drop_table("raw.g", "b")
    catalog.drop_view("gold.v", "b")
    assert set(catalog.pin().tables) == {"raw.g"}
    published = catalog.publish("b")
    assert [(change.name, change.kind, change.after) for change in published.changes] == [
        ("gold.v", "view", None),
        ("raw.g", "table", None),
    ]
    assert not catalog.pin().tables
    assert not catalog.pin().views


def test_a_table_may_become_a_view_and_a_view_a_table(catalog: SqlRefCatalog, write: Any, rows: Any) -> None:
    write("gold.x", [1], "a")
    catalog.publish("a")
    catalog.create_ref("b")
    catalog.drop_table("gold.x", "b")
    catalog.put_view("gold.x", View("SELECT 2 AS n"), "b")
    assert [(change.kind, change.before is None, change.after is None) for change in catalog.publish("b").changes] == [
        ("table", False, True),
        ("view", True, False),
    ]
    assert (set(catalog.pin().tables), set(catalog.pin().views)) == (set(), {"gold.x"})
    assert rows("gold.x", catalog.pin(seq=1)) == [1]
    assert catalog.pin(seq=1).views == {}
    catalog.create_ref("c")
    catalog.drop_view("gold.x", "c")
    write("gold.x", [3], "c")
    catalog.publish("c")
    assert rows("gold.x") == [3]
    assert set(catalog.pin(seq=2).views) == {"gold.x"}
    assert catalog.pin(seq=2).tables == {}


# ── pins ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_as_of_is_the_last_publish_at_or_before_a_time(catalog: SqlRefCatalog, published: Any, rows: Any) -> None:
    for n in (1, 2, 3):
        published("raw.g", [n], f"run-{n}")
    third, second_, first = catalog.publishes()
    moment = dt.timedelta(microseconds=1)
    assert rows("raw.g", catalog.pin(as_of=first.at)) == [1]
    assert rows("raw.g", catalog.pin(as_of=second_.at - moment)) == [1]
    assert rows("raw.g", catalog.pin(as_of=second_.at)) == [1, 2]
    assert rows("raw.g", catalog.pin(as_of=third.at + dt.timedelta(days=999))) == [1, 2, 3]
    assert catalog.pin(as_of=second_.at).seq == 2


def test_a_naive_as_of_is_utc_and_any_zone_is_understood(catalog: SqlRefCatalog, published: Any) -> None:
    published("raw.g", [1], "run-1")
    at = catalog.publishes()[0].at
    assert catalog.pin(as_of=at.replace(tzinfo=None)).seq == 1
    assert catalog.pin(as_of=at.astimezone(dt.timezone(dt.timedelta(hours=-11)))).seq == 1


def test_before_the_first_publish_is_an_error_that_names_it(catalog: SqlRefCatalog, published: Any) -> None:
    with pytest.raises(BeforeFirstPublish, match="no time yet"):
        catalog.pin(as_of=dt.datetime(2024, 1, 1))
    published("raw.g", [1], "run-1")
    with pytest.raises(BeforeFirstPublish, match=catalog.publishes()[0].at.strftime("%Y-%m-%dT%H:%M")):
        catalog.pin(as_of=dt.datetime(2024, 1, 1))


def test_a_publish_can_be_pinned_by_its_number(catalog: SqlRefCatalog, published: Any, rows: Any) -> None:
    published("raw.g", [1], "run-1")
    published("raw.h", [2], "run-2")
    assert set(catalog.pin(seq=1).tables) == {"raw.g"}
    assert set(catalog.pin(seq=2).tables) == {"raw.g", "raw.h"}
    for seq in (0, 3, -1):
        with pytest.raises(UnknownPublish, match=f"no publish {seq}; the newest is 2"):
            catalog.pin(seq=seq)


def test_only_main_has_a_history(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    with pytest.raises(NoHistory):
        catalog.pin("r", dt.datetime.now(dt.UTC))
    with pytest.raises(NoHistory):
        catalog.pin("r", seq=1)


# ── diff ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_diff_says_what_a_ref_changed_since_it_branched(catalog: SqlRefCatalog, published: Any, write: Any) -> None:
    published("raw.g", [1], "run-1")
    catalog.create_ref("r")
    published("raw.other", [1], "run-2")  # main moved on: not the ref's doing
    before = catalog.pin().tables["raw.g"]
    write("raw.g", [2], "r")
    catalog.put_view("gold.v", View("SELECT 1"), "r")
    assert catalog.diff("r") == [
        Change("gold.v", "view", None, "SELECT 1"),
        Change("raw.g", "table", before, catalog.pin("r").tables["raw.g"]),
    ]


def test_diff_compares_any_two_refs(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "a")
    catalog.create_ref("b")
    pointer = catalog.pin("a").tables["raw.g"]
    assert catalog.diff("b", "a") == [Change("raw.g", "table", pointer, None)]
    assert catalog.diff("a", "b") == [Change("raw.g", "table", None, pointer)]
    assert catalog.diff(MAIN) == []
    assert catalog.diff("b", "b") == []


def test_what_is_made_and_dropped_again_is_no_change(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    catalog.drop_table("raw.g", "r")
    assert catalog.diff("r") == []
