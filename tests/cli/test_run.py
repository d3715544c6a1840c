"""``phlo materialize``, ``run`` and ``backfill``: what they do, and what they say."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from phlo.cli.outcome import transformed
from phlo.profiles import open_lake
from phlo.protocols import Load, View
from phlo.transform.results import NodeResult, TransformResult

if TYPE_CHECKING:
    from tests.conftest import Shop

DAY = "2024-01-20"


def rows(count: int, value: int = 1) -> list[dict[str, Any]]:
    return [{"id": n, "value": value} for n in range(count)]


def values(shop: Shop, *options: str) -> list[int]:
    found = shop.call("query", "SELECT value FROM raw.readings ORDER BY id", "--json", *options).records
    return [row["value"] for row in found]


def test_a_day_is_loaded_and_published(shop: Shop) -> None:
    shop.deliver(DAY, rows(3))
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 0, done.err
    assert done.err.startswith("⚡ Materializing readings...\n")
    assert "raw.readings     3    3        0          0         0         0" in done.out
    assert done.out.endswith("✅ Successfully materialized readings\n")
    assert values(shop) == [1, 1, 1]


def test_loading_it_again_changes_nothing_and_says_so(shop: Shop) -> None:
    shop.deliver(DAY, rows(3))
    shop.call("materialize", "readings", "--partition", DAY)
    again = shop.call("materialize", "readings", "--partition", DAY, "--json").records
    assert again["changes"] == []
    assert (again["loads"][0]["rows_unchanged"], again["loads"][0]["rows_written"]) == (3, 0)


def test_corrections_arrive(shop: Shop) -> None:
    shop.deliver(DAY, rows(3))
    shop.call("materialize", "readings", "--partition", DAY)
    shop.deliver(DAY, [*rows(2, value=7), {"id": 9, "value": 1}])
    load = shop.call("materialize", "readings", "--partition", DAY, "--json").records["loads"][0]
    assert (load["rows_written"], load["rows_updated"]) == (1, 2)
    assert values(shop) == [7, 7, 1, 1]


def test_an_empty_day_is_a_success_and_counts_as_loaded(shop: Shop) -> None:
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 0, done.err
    assert f"The source of raw.readings had no rows for {DAY}." in done.out
    skipped = shop.call("backfill", "readings", "--start-date", DAY, "--end-date", DAY)
    assert "Skipping 1 day already published" in skipped.err


def test_a_dry_run_shows_the_plan_and_runs_nothing(shop: Shop) -> None:
    shop.deliver(DAY, rows(3))
    plan = shop.call("materialize", "--partition", DAY, "--dry-run", "--json").records
    assert [(step["step"], step["table"]) for step in plan] == [
        ("load", "raw.readings"),
        ("load", "raw.events"),
        ("check", "raw.readings"),
    ]
    assert shop.call("history", "--json").records == []


def test_without_an_asset_everything_is_materialized(shop: Shop) -> None:
    shop.deliver(DAY, rows(1))
    changed = shop.call("materialize", "--partition", DAY, "--json").records["changes"]
    assert {change["name"] for change in changed} == {"raw.readings", "raw.events"}
    assert shop.call("run", "--partition", DAY, "--json").records["changes"] == []


def test_a_blocking_check_publishes_nothing_shows_rows_and_keeps_the_ref(shop: Shop) -> None:
    shop.deliver(DAY, rows(2))
    shop.call("materialize", "readings", "--partition", DAY)
    shop.deliver("2024-01-21", [{"id": 5, "value": None}, {"id": 6, "value": 3}])
    checks = shop.root / "workflows" / "quality.py"
    checks.write_text(
        "import phlo\nfrom phlo.quality import NullCheck\n"
        "@phlo.quality(table='raw.readings', checks=[NullCheck(columns=['value'])])\ndef values_are_there(): ...\n"
    )
    failed = shop.call("materialize", "readings", "--partition", "2024-01-21")
    assert failed.code == 1
    assert "error[checks-failed]: 1 blocking check failed" in failed.err
    assert "✗ raw.readings: NullCheck" in failed.err
    assert "5   NULL" in failed.err
    assert values(shop) == [1, 1]
    (ref,) = shop.call("ref", "list", "--json").records
    assert (ref["state"], ref["blocked"]) == ("failed", True)
    assert values(shop, "--ref", ref["name"]) == [1, 1, None, 3]
    (diff,) = (
        each for each in shop.call("ref", "diff", ref["name"], "--json").records if each["name"] == "raw.readings"
    )
    assert (diff["rows_before"], diff["rows_after"]) == (2, 4)
    assert f"Loaded on {ref['name']}, and not published:" in failed.err
    refused = shop.call("ref", "publish", ref["name"], "--yes")
    assert refused.code == 1
    assert "error[publish-blocked]" in refused.err
    forced = shop.call("ref", "publish", ref["name"], "--yes", "--force")
    assert forced.code == 0, forced.err
    assert values(shop) == [1, 1, None, 3]
    assert shop.call("history", "--json").records[0]["forced"] is True


def test_a_check_that_does_not_block_is_a_warning(shop: Shop) -> None:
    shop.deliver(DAY, [{"id": 5, "value": None}])
    (shop.root / "workflows" / "quality.py").write_text(
        "import phlo\nfrom phlo.quality import CountCheck\n"
        "@phlo.quality(table='raw.readings', checks=[CountCheck(min_rows=2)], blocking=False)\ndef enough(): ...\n"
    )
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 0, done.err
    assert "warning: raw.readings: CountCheck" in done.err
    assert "1 of 2 checks passed." in done.out


def test_a_backfill_loads_each_day_once_in_chunks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.backfill.CHUNK", 2)
    for day in range(1, 6):
        shop.deliver(f"2024-01-0{day}", [{"id": day, "value": day}])
    done = shop.call(
        "backfill", "readings", "--start-date", "2024-01-01", "--end-date", "2024-01-05", "--parallel", "3"
    )
    assert done.code == 0, done.err
    assert values(shop) == [1, 2, 3, 4, 5]
    again = shop.call("backfill", "readings", "--start-date", "2024-01-01", "--end-date", "2024-01-06", "--json")
    (only,) = again.records
    assert [load["partition"] for load in only["loads"]] == ["2024-01-06"]
    forced = shop.call(
        "backfill", "readings", "--start-date", "2024-01-01", "--end-date", "2024-01-02", "--force", "--json"
    )
    assert [load["partition"] for load in forced.records[0]["loads"]] == ["2024-01-01", "2024-01-02"]


def test_a_backfill_never_skips_today(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("phlo.cli.run", "phlo.backfill"):  # midnight may come meanwhile
        monkeypatch.setattr(f"{module}.today", lambda: dt.date.fromisoformat(DAY))
    for _ in range(2):
        (ran,) = shop.call("backfill", "readings", "--start-date", DAY, "--end-date", DAY, "--json").records
        assert [load["partition"] for load in ran["loads"]] == [DAY]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("materialize", "reading"), "There is no asset named `reading`; did you mean `readings`?"),
        (("materialize", "readings", "--partition", "2024-1-2"), "`2024-1-2` is not a date"),
        (("materialize", "readings", "--partition", "2024-02-30"), "`2024-02-30` is not a date"),
        (
            ("backfill", "readings", "--start-date", "2024-02-02", "--end-date", "2024-02-01"),
            "The range ends on 2024-02-01, before it begins on 2024-02-02",
        ),
    ],
)
def test_wrong_words_are_an_error_that_says_how_to_go_on(shop: Shop, arguments: tuple[str, ...], says: str) -> None:
    done = shop.call(*arguments)
    assert done.code == 2
    assert says in done.err
    assert "\nhint: " in done.err
    assert done.out == ""


def test_a_broken_workflow_file_costs_its_own_assets_and_the_exit_code(shop: Shop) -> None:
    shop.deliver(DAY, rows(1))
    (shop.root / "workflows" / "broken.py").write_text("import nothing_like_it\n")
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 1
    assert "error[workflow-import-failed]: `workflows/broken.py` does not import (line 1)" in done.err
    assert values(shop) == [1]


def test_a_schema_that_does_not_import_is_shown_once_and_nothing_left_to_run_is_a_failure(shop: Shop) -> None:
    (shop.root / "workflows" / "schema.py").write_text("class Broken(:\n")
    (shop.root / "workflows" / "ingestion" / "shop.py").write_text("from workflows.schema import Broken\n")
    (shop.root / "workflows" / "other.py").write_text("from workflows.schema import Broken\n")
    done = shop.call("run")
    assert (done.code, done.err.count("error["), done.err.count("invalid syntax")) == (1, 1, 1)
    assert "; nor, because of it, do `workflows/ingestion/shop.py`, `workflows/other.py`" in done.err
    assert done.err.endswith("There is nothing to run: mend the files that do not import.\n")


def test_a_source_that_raises_publishes_nothing_and_names_its_line(shop: Shop) -> None:
    (shop.root / "source" / f"{DAY}.json").mkdir()
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 1
    assert "workflows/ingestion/shop.py" in done.err
    assert "IsADirectoryError" in done.err
    assert "Traceback" not in done.err
    (ref,) = shop.call("ref", "list", "--json").records
    assert ref["state"] == "failed"
    assert ref["reason"]
    assert f"Nothing was loaded and nothing was published; {ref['name']} is as main was" in done.err
    assert shop.call("ref", "diff", ref["name"]).out == "It changed nothing.\n"


def test_history_and_undo(shop: Shop) -> None:
    shop.deliver(DAY, rows(2))
    shop.call("materialize", "readings", "--partition", DAY)
    shop.deliver(DAY, rows(2, value=8))
    shop.call("materialize", "readings", "--partition", DAY)
    undone = shop.call("undo", "--yes")
    assert undone.code == 0, undone.err
    assert undone.out.endswith("Moved 1 table back as publish 3. `phlo undo 3` takes that back.\n")
    assert values(shop) == [1, 1]
    assert "undo to 1  raw.readings" in shop.call("undo", "--dry-run").out
    log = shop.call("history", "--json").records
    assert [(each["seq"], each["restores"]) for each in log] == [(3, 1), (2, None), (1, None)]
    assert shop.call("undo", "--yes").code == 0
    assert values(shop) == [8, 8]


def test_an_undo_that_names_no_publish_passes_over_a_run_that_changed_nothing(shop: Shop) -> None:
    shop.deliver(DAY, rows(2))
    first = shop.call("materialize", "readings", "--partition", DAY)
    assert "Published 1 table as publish 1" in first.out
    again = shop.call("materialize", "readings", "--partition", DAY)
    assert "Nothing changed: recorded as publish 2" in again.out
    assert shop.call("undo", "--yes").code == 0
    assert shop.call("catalog", "tables", "--json").records == []


def test_as_of_reads_what_was_published_then(shop: Shop) -> None:
    shop.deliver(DAY, rows(1))
    shop.call("materialize", "readings", "--partition", DAY)
    then = shop.call("history", "--json").records[0]["at"]
    shop.deliver(DAY, rows(1, value=8))
    shop.call("materialize", "readings", "--partition", DAY)
    assert (values(shop), values(shop, "--as-of", then)) == ([8], [1])
    early = shop.call("query", "SELECT 1 AS one FROM raw.readings", "--as-of", "2001-01-01")
    assert early.code == 1
    assert "error[before-first-publish]" in early.err


def test_a_table_that_was_made_later_is_not_said_to_be_unknown(shop: Shop) -> None:
    """Its first load rejects nothing, so `rejected.readings` is made by the second run."""
    shop.deliver(DAY, rows(1))
    shop.call("materialize", "readings", "--partition", DAY)
    then = shop.call("history", "--json").records[0]["at"]
    shop.deliver(DAY, [*rows(1), {"id": None, "value": "1"}])
    shop.call("materialize", "readings", "--partition", DAY)
    made = shop.call("history", "--json").records[0]["at"]
    early = shop.call("query", "SELECT count(*) FROM Rejected.readings", "--as-of", then)
    assert early.code == 1
    assert "error[table-not-yet]" in early.err
    assert f"since publish 2 at {made}" in early.err
    assert shop.call("query", "SELECT count(*) FROM rejected.readings", "--as-of", made).code == 0
    assert "error[unknown-table]" in shop.call("query", "SELECT * FROM raw.nothing", "--as-of", then).err


def test_dropping_a_ref_asks_first(shop: Shop) -> None:
    (shop.root / "source" / f"{DAY}.json").write_text("{not json")
    shop.call("materialize", "readings", "--partition", DAY)
    (ref,) = shop.call("ref", "list", "--json").records
    assert shop.call("ref", "drop", ref["name"], "--dry-run").code == 0
    assert len(shop.call("ref", "list", "--json").records) == 1
    assert shop.call("ref", "drop", ref["name"], "--yes").code == 0
    assert json.loads(shop.call("ref", "list", "--json").out) == []


def test_a_broken_file_that_may_declare_checks_keeps_everything_from_being_published(shop: Shop) -> None:
    shop.deliver(DAY, rows(1))
    (shop.root / "workflows" / "quality.py").write_text(
        "import phlo\n@phlo.quality(tabel='raw.readings')\ndef x(): ...\n"
    )
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 1
    assert "error[checks-unavailable]: `workflows/quality.py` may declare checks" in done.err
    assert shop.call("history", "--json").records == []


def test_rows_that_lost_to_another_with_their_key_are_counted(shop: Shop) -> None:
    shop.deliver(DAY, [*rows(3), *rows(2, value=5)])
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert "raw.readings     5    3        0          0         0         2" in done.out
    assert values(shop) == [5, 5, 1]


def test_a_project_without_assets_says_how_to_begin_and_publishes_nothing(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "shop.py").unlink()
    done = shop.call("run")
    assert done.code == 0
    assert "`phlo create-workflow` adds a workflow" in done.err
    assert shop.call("history", "--json").records == []


def test_undoing_a_publish_that_changed_nothing_says_so_and_publishes_nothing(shop: Shop) -> None:
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("dev-ann")
    catalog.publish("dev-ann")
    said = shop.call("undo", "1", "--yes")
    assert (said.code, said.err) == (0, "No table has changed since before publish 1, so there is nothing to undo.\n")
    assert len(catalog.publishes()) == 1


def test_undoing_a_publish_that_only_recorded_a_load_lets_the_load_count_no_longer(shop: Shop) -> None:
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("dev-ann")
    catalog.record_load("dev-ann", Load("raw.readings", DAY, "l1"))
    catalog.publish("dev-ann")
    said = shop.call("undo", "1", "--yes")
    assert "No table had to move: what counts as loaded is as it was before publish 1, as publish 2." in said.out
    assert catalog.loads() == []
    assert shop.call("undo", "2", "--yes").code == 0  # and the undo can be undone
    assert [load.partition for load in catalog.loads()] == [DAY]


def test_undoing_a_publish_that_was_never_made_is_an_error_at_once(shop: Shop) -> None:
    shop.call("materialize", "events", "--partition", DAY)
    done = shop.call("undo", "99", "--dry-run")
    assert done.code == 1
    assert "error[unknown-publish]" in done.err


@pytest.mark.parametrize("verb", ["diff", "publish", "drop"])
def test_main_is_no_ref_to_publish_or_drop(shop: Shop, verb: str) -> None:
    done = shop.call("ref", verb, "main")
    assert done.code == 2
    assert "main is what refs branch off" in done.err


def test_the_checks_of_a_view_run_when_what_it_reads_changes(shop: Shop) -> None:
    shop.deliver(DAY, rows(2))
    shop.call("materialize", "readings", "--partition", DAY)
    catalog = open_lake(shop.root).catalog
    catalog.create_ref("views")
    catalog.put_view("silver.small", View("SELECT id, value FROM raw.readings"), "views")
    catalog.put_view("gold.small", View("SELECT id, value FROM silver.small"), "views")
    catalog.publish("views")
    (shop.root / "workflows" / "quality.py").write_text(
        "import phlo\nfrom phlo.quality import RangeCheck\n"
        "@phlo.quality(table='gold.small', checks=[RangeCheck(column='value', max_value=5)])\ndef small(): ...\n"
    )
    shop.deliver(DAY, rows(2, value=9))
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 1
    assert "gold.small: RangeCheck" in done.err
    assert values(shop) == [1, 1]


DBT_SOURCES = (
    "sources: [{name: raw, schema: raw, tables: [{name: readings, columns: [{name: value, data_tests: [TEST]}]}]}]"
)


def test_a_data_test_of_a_loaded_table_blocks_it_though_no_model_runs(shop: Shop) -> None:
    folder = shop.root / "transforms" / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: shop\nversion: '1.0'\nprofile: shop\n")
    (folder / "models" / "sources.yml").write_text(DBT_SOURCES.replace("TEST", "unique"))
    shop.deliver(DAY, rows(2))
    failed = shop.call("materialize", "readings", "--partition", DAY)
    assert failed.code == 1
    assert "error[data-tests-failed]: 1 data test failed" in failed.err
    assert "source_unique_raw_readings_value" in failed.err
    shop.deliver(DAY, rows(1))
    done = shop.call("backfill", "readings", "--start-date", DAY, "--end-date", DAY)
    assert done.code == 0, done.err
    assert "1 test passed" in done.out


def test_tests_that_warn_are_told_apart_from_those_that_pass() -> None:
    passed = NodeResult("not_null_id", "test", "pass", 0.1)
    warned = NodeResult("known_status", "test", "warn", 0.1, rows=2, message="Got 2 results, configured to warn")
    model = NodeResult("orders", "model", "success", 0.1)
    assert transformed(TransformResult([model], [passed])) == ["1 model built, 1 test passed."]
    assert transformed(TransformResult([model], [passed, warned])) == [
        "1 model built, 1 test passed, 1 warned.",
        "warning: test known_status: Got 2 results, configured to warn",
    ]
