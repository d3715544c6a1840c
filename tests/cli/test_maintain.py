"""`phlo maintain` shows its plan, asks, and leaves every table as it was."""

from __future__ import annotations

import io
import os
import time
from typing import TYPE_CHECKING

import pytest

from phlo.profiles import open_lake
from phlo.protocols import View

if TYPE_CHECKING:
    from tests.conftest import Shop

DAYS = [f"2024-01-{day:02}" for day in range(20, 24)]


def load(shop: Shop) -> None:
    for day in DAYS[:2]:
        shop.deliver(day, [{"id": day, "n": 1}])
        assert shop.call("materialize", "readings", "--partition", day).code == 0


def test_the_plan_comes_first_and_nothing_happens_without_a_yes(shop: Shop) -> None:
    load(shop)
    orphan = next((shop.root / ".phlo/state/warehouse/raw").glob("readings-*")) / "data" / "lost.parquet"
    orphan.write_bytes(b"x" * 2048)
    old = time.time() - 7200
    os.utime(orphan, (old, old))
    planned = shop.call("maintain", "--dry-run")
    assert planned.code == 0
    assert planned.out == (
        "Failed refs to drop: none\n"
        "The past of main is kept whole (history_days = 30)\n"
        "Tables to tidy: none\n"
        "Files that nothing reaches: 1 (2.0 KiB)\n"
    )
    assert shop.call("maintain").code != 0  # nobody there to answer
    assert orphan.exists()
    done = shop.call("maintain", "--yes")
    assert "Dropped 0 refs, tidied 0 tables, deleted 1 file (2.0 KiB) and 0 old records of runs." in done.out
    assert not orphan.exists()
    assert shop.read("SELECT id FROM raw.readings ORDER BY id") == [{"id": day} for day in DAYS[:2]]


def test_journals_and_staging_beyond_retention_go(shop: Shop) -> None:
    load(shop)
    state = shop.root / ".phlo" / "state"
    journal = next((state / "runs").glob("*.jsonl"))
    old = time.time() - 31 * 86400
    os.utime(journal, (old, old))
    record = shop.call("maintain", "--json").records
    assert (record["files"], record["left"]) == (0, [])
    assert not journal.exists()
    assert len(list((state / "runs").glob("*.jsonl"))) == 1


def test_an_undo_that_names_no_publish_passes_over_maintenance(shop: Shop) -> None:
    load(shop)
    catalog = open_lake(shop.root).catalog
    with catalog.lease(["raw.readings"], "maintain-1"):
        catalog.create_ref("maintain-1", run_id="maintain-1")
        with catalog.load("raw.readings", "maintain-1").transaction() as change:
            change.set_properties(tidied="yes")
        assert catalog.publish("maintain-1").seq == 3
    shown = shop.call("undo", "--dry-run").out
    assert [line.split()[0] for line in shown.splitlines()[3:]] == ["3", "2"]
    assert shop.call("undo", "--yes").code == 0
    assert shop.read("SELECT id FROM raw.readings") == [{"id": DAYS[0]}]


def test_a_ref_whose_process_is_gone_is_listed_as_such(shop: Shop) -> None:
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("run-dead", run_id="dead")
    with catalog.lease(["raw.readings"], "alive"):
        catalog.create_ref("run-alive", run_id="alive")
        listed = {line.split()[0]: line.split()[1] for line in shop.call("ref", "list").out.splitlines()[2:]}
        shown = shop.call("status").out
        refused = shop.call("ref", "publish", "run-alive", "--yes", "--force")
    assert (refused.code, "error[run-goes-on]" in refused.err) == (1, True)
    assert listed == {"run-alive": "open", "run-dead": "died"}
    assert "run-dead: died, just now: its process ended before the run did" in shown


def test_the_ref_of_a_run_that_died_is_published_by_force_alone(shop: Shop) -> None:
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("run-dead", run_id="dead")
    catalog.put_view("gold.half", View("SELECT 1 AS one"), "run-dead")
    refused = shop.call("ref", "publish", "run-dead", "--yes")
    assert (refused.code, "error[publish-blocked]" in refused.err) == (1, True)
    assert shop.call("history", "--json").records == []
    assert shop.call("ref", "publish", "run-dead", "--yes", "--force").code == 0
    assert shop.call("history", "--json").records[0]["forced"] is True


def test_without_a_terminal_a_question_says_what_answers_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    load(shop)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    asked = shop.call("undo")
    assert asked.code == 130
    assert "hint: --yes does it without asking" in asked.err
    assert len(shop.call("history", "--json").records) == 2


def test_a_project_that_never_ran_has_nothing_to_maintain(shop: Shop) -> None:
    assert "Files that nothing reaches: 0 (0 bytes)" in shop.call("maintain", "--dry-run").out
    assert shop.call("maintain", "--yes").code == 0


@pytest.mark.slow
def test_the_events_of_old_runs_of_dagster_go_and_the_index_of_assets_stays(shop: Shop) -> None:
    pytest.importorskip("dagster", reason="Dagster is not installed")
    from dagster import EventLogEntry

    from phlo.orchestration.instance import open_instance
    from phlo.project import find_project

    with open_instance(find_project(str(shop.root))) as instance:
        for run in ("old", "new"):
            instance.event_log_storage.store_event(EventLogEntry(None, "INFO", "said", run, time.time()))
    events = shop.root / ".phlo/state/dagster/history/runs"
    before = {file.name for file in events.glob("*.db")}
    assert {"old.db", "new.db", "index.db"} <= before
    open_lake(shop.root).catalog.create_ref("run-kept", run_id="kept")
    beside = events.parents[1]
    for run in ("old", "new"):
        (beside / "storage" / run / "compute_logs").mkdir(parents=True)
    (beside / "held").mkdir()
    for run in ("old", "new", "kept"):
        (beside / "held" / f"run-{run}.json").touch()
    held = [beside / "held" / f"run-{run}.json" for run in ("old", "kept")]
    draft = events.parent / "blank-1.db.3f.draft"
    draft.touch()
    for file in (draft, events / "old.db", events / "index.db", beside / "storage" / "old" / "compute_logs", *held):
        os.utime(file, (time.time() - 31 * 86400,) * 2)
    assert "2 old records of runs" in shop.call("maintain", "--yes").out
    assert {file.name for file in events.glob("*.db")} == before - {"old.db"}
    assert not draft.exists()
    assert [each.name for each in (beside / "storage").iterdir()] == ["new"]
    assert {each.name for each in (beside / "held").iterdir()} == {"run-new.json", "run-kept.json"}
