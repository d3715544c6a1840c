"""The ledger says which partitions main holds now; on SQLite and on Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import InvalidTableName, ReadOnlyTable
from phlo.protocols import MAIN, Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.iceberg.catalog import SqlRefCatalog


@pytest.fixture
def loaded(catalog: SqlRefCatalog) -> Callable[..., None]:
    """Publish loads of days of January in a run of their own."""

    def loaded(run: str, *days: int, table: str = "raw.g") -> None:
        catalog.create_ref(run)
        for day in days:
            catalog.record_load(run, Load(table, f"2024-01-{day:02}", f"{run}/{day}"))
        catalog.publish(run)

    return loaded


@pytest.fixture
def ids(catalog: SqlRefCatalog) -> Callable[[], set[str]]:
    """The load ids that count now."""
    return lambda: {load.load_id for load in catalog.loads()}


def test_a_load_counts_once_it_is_published(catalog: SqlRefCatalog) -> None:
    load = Load(
        "raw.g", "2024-01-01", "l1", rows_read=10, rows_written=3, rows_updated=2, rows_unchanged=4, rows_rejected=1
    )
    catalog.create_ref("run-1")
    catalog.record_load("run-1", load)
    assert catalog.loads() == []
    assert catalog.loads("run-1") == [load]
    catalog.publish("run-1")
    assert catalog.loads() == [load]


def test_the_newest_load_of_a_partition_is_the_one_that_counts(loaded: Any, ids: Any) -> None:
    loaded("a", 1, 2)
    loaded("b", 2, 3)
    assert ids() == {"a/1", "b/2", "b/3"}


def test_loads_of_a_table_without_partitions_have_none(catalog: SqlRefCatalog) -> None:
    for run in ("a", "b"):
        catalog.create_ref(run)
        catalog.record_load(run, Load("raw.users", None, run))
        catalog.publish(run)
    assert catalog.loads() == [Load("raw.users", None, "b")]


def test_a_load_that_is_recorded_again_replaces_itself(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    catalog.record_load("r", Load("raw.g", "2024-01-01", "l1", rows_read=1))
    catalog.record_load("r", Load("raw.g", "2024-01-01", "l1", rows_read=2))
    catalog.record_load("r", Load("raw.g", "2024-01-02", "l2"))
    assert [(load.load_id, load.rows_read) for load in catalog.loads("r")] == [("l1", 2), ("l2", 0)]
    catalog.record_load("r", Load("raw.g", "2024-01-01", "l3"))
    assert [load.load_id for load in catalog.loads("r")] == ["l3", "l2"]


def test_loads_that_are_recorded_together_replace_one_another_in_their_order(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    catalog.record_load("r", *(Load("raw.g", f"2024-01-0{day}", f"l{day}", rows_read=day) for day in (1, 2)))
    same_id, same_day = Load("raw.g", "2024-01-03", "l2"), Load("raw.g", "2024-01-03", "l9", rows_read=9)
    catalog.record_load("r", same_id, same_day, Load("raw.h", None, "l10"))
    assert [(load.table, load.load_id, load.rows_read) for load in catalog.loads("r")] == [
        ("raw.g", "l1", 1),
        ("raw.g", "l9", 9),
        ("raw.h", "l10", 0),
    ]
    catalog.record_load("r")
    assert len(catalog.loads("r")) == 3


def test_loads_of_a_dropped_ref_never_counted(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    catalog.record_load("r", Load("raw.g", "2024-01-01", "l1"))
    catalog.drop_ref("r")
    catalog.create_ref("r")
    assert catalog.loads("r") == []
    catalog.publish("r")
    assert catalog.loads() == []


def test_undone_loads_do_not_count_until_the_undo_is_undone(catalog: SqlRefCatalog, loaded: Any, ids: Any) -> None:
    loaded("a", 1)
    loaded("b", 1, 2)
    catalog.undo()
    assert ids() == {"a/1"}
    catalog.undo()
    assert ids() == {"b/1", "b/2"}
    catalog.undo()
    assert ids() == {"a/1"}


def test_loads_after_an_undo_count_on_top_of_the_state_it_restored(
    catalog: SqlRefCatalog, loaded: Any, ids: Any
) -> None:
    loaded("a", 1)
    loaded("b", 2)
    loaded("c", 3)
    catalog.undo(2)
    loaded("d", 4)
    assert ids() == {"a/1", "d/4"}
    catalog.undo(4)  # the undo itself, and what came after
    assert ids() == {"a/1", "b/2", "c/3"}
    catalog.undo(1)
    assert ids() == set()


def test_loads_of_a_table_that_was_dropped_do_not_count(
    catalog: SqlRefCatalog, write: Any, loaded: Any, ids: Any
) -> None:
    write("raw.g", [1], "x")
    catalog.publish("x")
    loaded("a", 1)
    loaded("b", 1, table="raw.h")
    catalog.create_ref("y")
    catalog.drop_table("raw.g", "y")
    catalog.publish("y")
    assert ids() == {"b/1"}
    catalog.undo()
    assert ids() == {"a/1", "b/1"}


def test_loads_of_a_table_that_was_made_anew_do_not_count(
    catalog: SqlRefCatalog, write: Any, loaded: Any, ids: Any
) -> None:
    write("raw.g", [1], "x")
    catalog.publish("x")
    loaded("a", 1)
    catalog.create_ref("y")
    catalog.record_load("y", Load("raw.g", "2024-01-09", "lost"))
    catalog.drop_table("raw.g", "y")
    write("raw.g", [2], "y")
    catalog.record_load("y", Load("raw.g", "2024-01-02", "new"))
    catalog.publish("y")
    assert ids() == {"new"}


def test_what_a_load_found_unchanged_must_still_be_what_main_has(
    catalog: SqlRefCatalog, published: Any, second: SqlRefCatalog
) -> None:
    from phlo.errors import PublishConflict

    published("raw.g", [1], "run-0")
    catalog.create_ref("run-1")
    catalog.record_load("run-1", Load("raw.g", "2024-01-01", "l1", rows_unchanged=1))
    published("raw.g", [2], "run-2")
    with pytest.raises(PublishConflict):
        catalog.publish("run-1")


def test_main_takes_no_load_of_its_own(catalog: SqlRefCatalog) -> None:
    with pytest.raises(ReadOnlyTable):
        catalog.record_load(MAIN, Load("raw.g", "2024-01-01", "l1"))
    catalog.create_ref("r")
    with pytest.raises(InvalidTableName):
        catalog.record_load("r", Load("g", "2024-01-01", "l1"))


def test_counts_may_be_larger_than_an_int(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("r")
    catalog.record_load("r", Load("raw.g", None, "l1", rows_read=10**10))
    assert catalog.publish("r").loads[0].rows_read == 10**10


def test_a_commit_after_the_load_was_recorded_is_still_that_load(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "r")
    catalog.record_load("r", Load("raw.g", "2024-01-01", "l1"))
    catalog.load("raw.g", "r").append(pa.table({"n": [2]}))
    catalog.publish("r")
    assert [load.load_id for load in catalog.loads()] == ["l1"]
