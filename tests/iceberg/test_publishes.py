"""Publish moves everything or nothing, and its log can take everything back; on SQLite and on Postgres."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import NothingPublished, PublishBlocked, PublishConflict, RunGoesOn, UnknownPublish, UnknownRef
from phlo.iceberg import publishes
from phlo.protocols import MAIN, Load, View

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog

SCHEMA = pa.schema([("n", pa.int64())])


# ── publish ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_publish_moves_tables_and_views_at_once_and_drops_the_ref(
    catalog: SqlRefCatalog, write: Any, rows: Any
) -> None:
    write("raw.g", [1], "run-1")
    write("gold.j", [2, 3], "run-1")
    catalog.put_view("gold.v", View("SELECT 1"), "run-1")
    ours = catalog.pin("run-1")
    assert catalog.pin().tables == {}
    published = catalog.publish("run-1")
    pin = catalog.pin()
    assert (pin.tables, pin.views, pin.seq) == (ours.tables, ours.views, 1)
    assert catalog.refs() == []
    assert [(change.name, change.before) for change in published.changes] == [
        ("gold.j", None), ("gold.v", None), ("raw.g", None),
    ]  # fmt: skip
    with pytest.raises(UnknownRef):
        catalog.publish("run-1")
    with pytest.raises(UnknownRef):
        catalog.pin("run-1")
    assert rows("gold.j") == [2, 3]


def test_the_log_tells_what_publish_returned(catalog: SqlRefCatalog, write: Any) -> None:
    with catalog.lease(["raw.g"], "1"):
        catalog.create_ref("run-1", run_id="1")
        write("raw.g", [1], "run-1")
        catalog.record_load("run-1", Load("raw.g", "2024-01-01", "l1", 5, 1, 0, 3, 1))
        before = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
        published = catalog.publish("run-1")
    assert catalog.publishes() == [published]
    assert (published.seq, published.run_id, published.ref, published.forced, published.restores) == (
        1,
        "1",
        "run-1",
        False,
        None,
    )
    assert published.loads == (Load("raw.g", "2024-01-01", "l1", 5, 1, 0, 3, 1),)
    assert before < published.at < before + dt.timedelta(minutes=2)


def test_what_a_run_that_died_has_left_is_published_by_force_alone(catalog: SqlRefCatalog, write: Any) -> None:
    catalog.create_ref("run-1", run_id="1")
    write("raw.g", [1], "run-1")
    with pytest.raises(PublishBlocked, match="its process ended before the run did"):
        catalog.publish("run-1")
    assert (catalog.publishes(), catalog.ref("run-1").state) == ([], "died")
    assert catalog.publish("run-1", force=True).forced
    assert [publish.forced for publish in catalog.publishes()] == [True]


def test_nobody_else_publishes_the_ref_of_a_run_that_goes_on(
    catalog: SqlRefCatalog, second: SqlRefCatalog, write: Any
) -> None:
    with catalog.lease(["raw.g"], "1"):
        catalog.create_ref("run-1", run_id="1")
        write("raw.g", [1], "run-1")
        for force in (False, True):
            with pytest.raises(RunGoesOn, match="its run goes on"):
                second.publish("run-1", force=force)
        assert catalog.publishes() == []
        assert not catalog.publish("run-1").forced


def test_the_log_is_newest_first_and_can_be_cut_or_asked_for_a_run(catalog: SqlRefCatalog) -> None:
    for n in range(5):
        with catalog.lease(["raw.g"], str(n)):
            catalog.create_ref(f"run-{n}", run_id=str(n))
            catalog.record_load(f"run-{n}", Load("raw.g", f"2024-01-0{n + 1}", f"l{n}"))
            catalog.publish(f"run-{n}")
    assert [publish.seq for publish in catalog.publishes()] == [5, 4, 3, 2, 1]
    assert [publish.seq for publish in catalog.publishes(2)] == [5, 4]
    (found,) = catalog.publishes(run_id="2")
    assert (found.seq, [load.load_id for load in found.loads]) == (3, ["l2"])
    assert catalog.publishes(run_id="none") == []


def test_a_ref_without_changes_but_with_loads_is_a_publish(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("run-1")
    catalog.record_load("run-1", Load("raw.g", "2024-01-01", "l1"))
    published = catalog.publish("run-1")
    assert (published.seq, published.changes) == (1, ())
    assert catalog.loads() == [Load("raw.g", "2024-01-01", "l1")]


def test_a_clock_that_steps_back_does_not_turn_the_log_around(
    catalog: SqlRefCatalog, published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("raw.g", [1], "run-1")
    monkeypatch.setattr(publishes, "now", lambda connection: "2001-01-01T00:00:00.000000+00:00")
    published("raw.g", [2], "run-2")
    newest, first = catalog.publishes()
    assert newest.at == first.at
    assert catalog.pin(as_of=first.at).seq == 2


# ── conflicts ────────────────────────────────────────────────────────────────────────────────────────────


def test_two_runs_that_wrote_one_table_can_not_both_publish(
    catalog: SqlRefCatalog, published: Any, write: Any, rows: Any
) -> None:
    published("raw.g", [1], "run-0")
    write("raw.g", [2], "run-1")
    write("raw.g", [3], "run-2")
    write("raw.other", [3], "run-2")
    catalog.publish("run-1")
    before = catalog.pin()
    with pytest.raises(PublishConflict, match=r"`run-2` can not be published: `raw.g` changed on main") as conflict:
        catalog.publish("run-2")
    assert conflict.value.values["names"] == ["raw.g"]
    assert catalog.pin() == before
    assert len(catalog.publishes()) == 2
    assert rows("raw.g", "run-2") == [1, 3]  # still there to be looked at


def test_what_a_run_read_must_still_be_what_main_has(
    catalog: SqlRefCatalog, published: Any, write: Any, rows: Any
) -> None:
    """Run 1 loads g; run 2 loads m and builds j from g and m: j would be stale."""
    published("raw.g", [1], "run-0")
    catalog.create_ref("run-1")
    catalog.create_ref("run-2")
    write("raw.g", [2], "run-1")
    write("raw.m", [10], "run-2")
    catalog.record_reads("run-2", ["raw.g", "raw.m"])
    write("gold.j", [sum(rows("raw.g", "run-2")) + 10], "run-2")
    catalog.publish("run-1")
    with pytest.raises(PublishConflict) as conflict:
        catalog.publish("run-2")
    assert conflict.value.values["names"] == ["raw.g"]
    assert set(catalog.pin().tables) == {"raw.g"}


def test_reading_another_run_s_unpublished_neighbours_is_no_conflict(
    catalog: SqlRefCatalog, published: Any, write: Any
) -> None:
    published("raw.g", [1], "run-0")
    write("raw.m", [1], "run-1")
    catalog.record_reads("run-1", ["raw.g"])
    published("raw.x", [1], "run-2")
    catalog.publish("run-1")
    assert set(catalog.pin().tables) == {"raw.g", "raw.m", "raw.x"}


def test_a_name_that_was_not_there_when_read_must_still_not_be_there(catalog: SqlRefCatalog, published: Any) -> None:
    catalog.create_ref("run-1")
    catalog.record_reads("run-1", ["raw.new"])
    published("raw.new", [1], "run-2")
    with pytest.raises(PublishConflict, match=r"`raw.new`"):
        catalog.publish("run-1")


def test_reads_are_recorded_once_however_often_and_from_any_side(
    catalog: SqlRefCatalog, second: SqlRefCatalog, published: Any
) -> None:
    catalog.create_ref("run-1")
    catalog.record_reads("run-1", ["raw.a", "raw.b", "raw.a"])
    second.record_reads("run-1", ["raw.b", "raw.c"])
    catalog.record_reads("run-1", [])
    published("raw.c", [1], "run-2")
    published("raw.a", [1], "run-3")
    with pytest.raises(PublishConflict) as conflict:
        catalog.publish("run-1")
    assert conflict.value.values["names"] == ["raw.a", "raw.c"]


def test_reads_of_main_need_no_record(catalog: SqlRefCatalog) -> None:
    catalog.record_reads(MAIN, ["raw.a"])
    assert catalog.refs() == []


def test_two_refs_that_make_one_table_do_not_mix(catalog: SqlRefCatalog, write: Any, rows: Any) -> None:
    write("raw.g", [1], "run-1")
    write("raw.g", [2], "run-2")
    catalog.publish("run-2")
    with pytest.raises(PublishConflict):
        catalog.publish("run-1")
    assert rows("raw.g") == [2]


def test_two_refs_that_make_one_name_in_two_ways_do_not_mix(catalog: SqlRefCatalog, write: Any) -> None:
    write("gold.x", [1], "run-1")
    catalog.create_ref("run-2")
    catalog.put_view("gold.x", View("SELECT 1"), "run-2")
    catalog.create_ref("run-3")
    catalog.put_view("GOLD.x", View("SELECT 1"), "run-3")
    catalog.publish("run-1")
    for ref in ("run-2", "run-3"):
        with pytest.raises(PublishConflict):
            catalog.publish(ref)
    assert (list(catalog.pin().tables), dict(catalog.pin().views)) == (["gold.x"], {})


def test_dropping_what_another_changed_is_a_conflict(catalog: SqlRefCatalog, published: Any, write: Any) -> None:
    published("raw.g", [1], "run-0")
    catalog.create_ref("run-1")
    catalog.drop_table("raw.g", "run-1")
    published("raw.g", [2], "run-2")
    with pytest.raises(PublishConflict):
        catalog.publish("run-1")


def test_the_same_view_put_again_is_no_change_and_no_conflict(catalog: SqlRefCatalog) -> None:
    view = View("SELECT 1", (("a", "integer"),))
    for ref in ("run-1", "run-2"):
        catalog.create_ref(ref)
        catalog.put_view("gold.v", view, ref)
        published = catalog.publish(ref)
    assert published.changes == ()


def test_a_blocked_ref_is_published_by_force_alone_and_the_log_says_so(
    catalog: SqlRefCatalog, write: Any, rows: Any
) -> None:
    write("raw.g", [1], "run-1")
    catalog.fail_ref("run-1", "`unique(n)` failed", blocked=True)
    with pytest.raises(PublishBlocked, match="`run-1` can not be published: `unique") as blocked:
        catalog.publish("run-1")
    assert "phlo ref publish run-1 --force" in blocked.value.next_step
    assert catalog.pin().tables == {}
    assert catalog.publish("run-1", force=True).forced
    assert catalog.publishes()[0].forced
    assert rows("raw.g") == [1]


def test_force_does_not_overrule_a_conflict(catalog: SqlRefCatalog, published: Any, write: Any) -> None:
    write("raw.g", [1], "run-1")
    catalog.fail_ref("run-1", "a check failed", blocked=True)
    published("raw.g", [2], "run-2")
    with pytest.raises(PublishConflict):
        catalog.publish("run-1", force=True)


def test_force_where_none_was_needed_is_not_logged_as_forced(catalog: SqlRefCatalog, write: Any) -> None:
    write("raw.g", [1], "run-1")
    assert not catalog.publish("run-1", force=True).forced


# ── undo ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_undo_is_a_publish_that_brings_the_earlier_state_back(
    catalog: SqlRefCatalog, published: Any, rows: Any
) -> None:
    published("raw.g", [1], "run-1")
    before = catalog.pin()
    published("raw.g", [2], "run-2")
    published("raw.h", [3], "run-3")
    undone = catalog.undo(2)
    assert (undone.seq, undone.restores, undone.ref, undone.run_id) == (4, 1, MAIN, "")
    assert catalog.pin().tables == before.tables
    assert rows("raw.g") == [1]
    assert catalog.publishes()[0] == undone
    assert rows("raw.g", catalog.pin(seq=3)) == [1, 2]


def test_an_undo_of_an_undo_brings_all_of_it_back(catalog: SqlRefCatalog, published: Any) -> None:
    published("raw.g", [1], "run-1")
    published("raw.g", [2], "run-2")
    after = catalog.pin().tables
    catalog.undo()
    assert catalog.undo().restores == 2
    assert catalog.pin().tables == after


def test_the_first_publish_can_be_undone(catalog: SqlRefCatalog, published: Any) -> None:
    published("raw.g", [1], "run-1")
    assert catalog.undo().restores == 0
    assert catalog.pin().tables == {}
    assert set(catalog.pin(seq=1).tables) == {"raw.g"}


def test_there_must_be_something_to_undo(catalog: SqlRefCatalog, published: Any) -> None:
    with pytest.raises(NothingPublished):
        catalog.undo()
    with pytest.raises(NothingPublished):
        catalog.undo(1)
    published("raw.g", [1], "run-1")
    for seq in (0, 2):
        with pytest.raises(UnknownPublish):
            catalog.undo(seq)


def test_a_run_whose_tables_were_undone_meanwhile_conflicts(catalog: SqlRefCatalog, published: Any, write: Any) -> None:
    published("raw.g", [1], "run-1")
    write("raw.g", [2], "run-2")
    write("raw.other", [2], "run-3")
    catalog.undo()
    with pytest.raises(PublishConflict):
        catalog.publish("run-2")
    catalog.publish("run-3")
    assert set(catalog.pin().tables) == {"raw.other"}


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────


def test_fifty_commits_on_a_ref_leave_every_file_of_main(
    catalog: SqlRefCatalog, published: Any, rows: Any, warehouse: Any
) -> None:
    published("raw.g", [0], "run-0")
    catalog.create_ref("run-1")
    table = catalog.load("raw.g", "run-1")
    with table.transaction() as change:  # as another tool might have set it
        change.set_properties(
            {"write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": "1"}
        )
    pointer = catalog.pin().tables["raw.g"]
    files = {file for file in warehouse.rglob("*") if file.is_file()}
    for n in range(50):
        table.append(pa.table({"n": [n]}))
    assert {file for file in files if not file.exists()} == set()
    assert catalog.pin().tables["raw.g"] == pointer
    assert rows("raw.g") == [0]
    assert len(rows("raw.g", "run-1")) == 51


def test_a_table_of_many_commits_has_few_manifests_and_small_metadata(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("run-1")
    table = catalog.create_table("raw.g", SCHEMA, "run-1")
    for n in range(45):
        table.append(pa.table({"n": [n]}))
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(table.io)) < 25
    assert len(table.metadata.metadata_log) <= 10
