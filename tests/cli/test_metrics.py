"""`phlo status`, `metrics` and `logs`: what runs said and amount to, without importing a workflow."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Shop

DAY = "2024-01-20"
OTHER = "2024-01-21"


@pytest.fixture
def ran(shop: Shop) -> Shop:
    """Two runs that were published, one whose check failed, and one whose source broke."""
    shop.deliver(DAY, [{"id": n} for n in range(8)])
    assert shop.call("materialize", "readings", "--partition", DAY).code == 0
    assert shop.call("materialize", "--partition", DAY).code == 0
    workflow = shop.root / "workflows/ingestion/shop.py"
    kept = workflow.read_text()
    more = (
        'from phlo.quality import CountCheck\n@phlo.quality(table="raw.readings", checks=[CountCheck(min_rows=99)])\n'
    )
    workflow.write_text(f"{kept}\n{more}def enough(): ...\n")
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    workflow.write_text(kept)
    (shop.root / "source" / f"{OTHER}.json").write_text("{broken")
    assert shop.call("materialize", "readings", "--partition", OTHER).code == 1
    return shop


def test_a_check_that_is_no_longer_declared_is_no_longer_shown(ran: Shop) -> None:
    assert any("CountCheck" in line for line in ran.call("status").out.splitlines())
    assert ran.call("materialize", "readings", "--partition", DAY).code == 0
    (readings,) = (each for each in ran.call("status", "--json").records["assets"] if each["name"] == "raw.readings")
    assert (readings["checks"], readings["failing"]) == (1, [])


def test_runs_tables_and_lines_are_told(ran: Shop) -> None:  # one test: the four runs cost two seconds
    figures = ran.call("metrics", "--json").records
    assert (figures["runs"], figures["succeeded"]) == (4, 2)
    assert figures["assets"] == {"raw.readings": 24, "raw.events": 10}
    assert figures["p50_seconds"] <= figures["p95_seconds"]
    said = ran.call("metrics").out
    assert said.startswith(
        "Pipeline Metrics (Last 24 Hours)\n\nSuccess Rate:  50.0%  (2/4 runs)\nData Processed: 34 rows"
    )
    assert "Top Assets by Volume:\n  readings  24 rows\n  events    10 rows\n" in said
    assert ran.call("metrics", "summary", "--period", "7d").out.startswith("Pipeline Metrics (Last 7 Days)")

    asset = ran.call("metrics", "asset", "readings", "--json").records
    assert (asset["table"], asset["figures"]["runs"], asset["last_status"]) == ("raw.readings", 4, "failed")
    assert (asset["size"]["rows"], len(asset["failing"])) == (8, 1)
    assert "Table Size:     8 rows, 1 file" in ran.call("metrics", "asset", "raw.readings").out

    found = {each["name"]: each for each in ran.call("status", "--json").records["assets"]}
    assert (found["raw.readings"]["last_status"], found["raw.events"]["last_status"]) == ("failed", "success")
    assert found["raw.readings"]["rows"] == 8
    screen = ran.call("status").out
    assert "✗ raw.readings: CountCheck" in screen
    assert "2 refs besides main:" in screen

    lines = ran.call("logs").out.splitlines()
    assert len([line for line in lines if " published " in line]) == 2
    errors = ran.call("logs", "--level", "error", "--since", "1h").out.splitlines()
    assert [" ERROR " in line for line in errors] == [True] * 3  # the check, the end of its run, the broken source
    assert ran.call("logs", "--since", "2099-01-01").out == ""
    of_events = ran.call("logs", "--asset", "events").out
    assert "raw.events 2024-01-20: 10 rows read, 10 new" in of_events
    assert "raw.readings 2024-01-20: " not in of_events
    records = [json.loads(line) for line in ran.call("logs", "--json", "--limit", "5").out.splitlines()]
    assert (len(records), records[-1]["level"]) == (5, "ERROR")
    run = records[-1]["run_id"]
    assert {line.split()[3] for line in ran.call("logs", "--run", f"run-{run}").out.splitlines()} == {run}

    script = (
        "import sys\nfrom phlo.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\nprint(sorted("
    )
    script += "{'dlt', 'dbt', 'pandera', 'pandas', 'duckdb', 'dagster', 'workflows'} & sys.modules.keys()))"
    for command in ("status", "metrics", "logs"):
        done = subprocess.run(
            [sys.executable, "-c", script, "--project", str(ran.root), command],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_before_the_first_run_they_say_what_to_do(shop: Shop) -> None:
    assert shop.call("status").out.endswith("\nNothing has run yet; `phlo run` loads, checks and publishes.\n")
    assert "No run has ended in this time" in shop.call("metrics").out
    assert "There are no such lines" in shop.call("logs").err


def test_the_status_names_tables_that_nothing_has_loaded_yet(shop: Shop) -> None:
    (shop.root / "workflows" / "other.py").write_text("import phlo\n\n@phlo.ingestion\ndef meals():\n    return []\n")
    (shop.root / "workflows" / "broken.py").write_text("def (")
    found = {each["name"]: each for each in json.loads(shop.call("status", "--json").out)["assets"]}
    assert (found["raw.meals"]["published"], found["raw.meals"]["rows"]) == (None, None)
    line = next(line for line in shop.call("status").out.splitlines() if "raw.meals" in line)
    assert line.split() == ["raw.meals", "-", "never", "-", "-"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("metrics", "--period", "soon"), "error[invalid-period]: `soon` is not a period"),
        (("metrics", "--period", "99999999999w"), "error[invalid-period]"),
        (("logs", "--since", "soon"), "error[invalid-time]: `soon` is not a time"),
        (("logs", "--run", "20240120-1"), "error[unknown-run]: There is no run `20240120-1`"),
        (("metrics", "asset", "readingz"), "error[unknown-asset]: There is no asset named `readingz`"),
        (("logs", "--level", "loud"), "`loud` is not one of"),
    ],
)
def test_what_is_not_there_is_said(shop: Shop, arguments: tuple[str, ...], said: str) -> None:
    done = shop.call(*arguments)
    assert done.code == 2
    assert said in done.err


def journal(root: Path, run_id: str, *lines: dict[str, object]) -> Path:
    file = root / ".phlo/state/runs" / f"{run_id}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        for line in lines:
            out.write(json.dumps({"at": dt.datetime.now(dt.UTC).isoformat(), **line}) + "\n")
    return file


def test_a_run_that_died_is_an_error_and_a_torn_line_is_left_out(shop: Shop) -> None:
    began = {"event": "began", "run_id": "r1", "selection": "raw.g", "partitions": [], "tables": ["raw.g"]}
    file = journal(shop.root, "r1", {**began, "by": "cli", "pid": 0, "process": "gone", "host": os.uname().nodename})
    with file.open("a") as out:
        out.write('{"at": "2024')
    assert "its process ended before the run did" in shop.call("logs", "--level", "ERROR").out
    assert "Success Rate:  0.0%  (0/1 run)" in shop.call("metrics").out
    assert re.search(r"raw\.g +died", shop.call("status").out)


def test_follow_shows_what_comes_until_it_is_stopped(shop: Shop) -> None:
    began = {"event": "began", "run_id": "r1", "selection": "raw.g", "partitions": [], "tables": ["raw.g"]}
    journal(shop.root, "r1", {**began, "by": "cli", "pid": 0, "process": "gone", "host": "elsewhere"})
    process = shop.start("logs", "--follow")
    assert process.stdout is not None
    assert "began raw.g" in process.stdout.readline()
    journal(shop.root, "r1", {"event": "log", "level": "INFO", "message": "and on"})
    assert "and on" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")


def test_a_test_of_dbt_that_failed_is_on_the_screen_while_it_is_declared(shop: Shop) -> None:
    failed = {"event": "test", "name": "unique_g_id", "table": "", "status": "fail", "message": "Got 2 results"}
    unit = {**failed, "name": "unit_g", "kind": "unit_test", "message": "actual differs"}
    ended = {"event": "ended", "status": "failed", "error": {"code": "data-tests-failed", "message": "1 test failed"}}
    journal(shop.root, "r1", BEGAN, {**failed, "kind": "test"}, unit, ended)
    graph = shop.root / ".phlo" / "state" / "dbt" / "graph.json"
    graph.parent.mkdir()
    test = {"name": "unique_g_id", "unique_id": "test.shop.unique_g_id", "tables": ["silver.g"], "path": "g.yml"}
    graph.write_text(json.dumps({"fingerprint": "", "models": [], "tests": [test]}))
    assert "✗ unique_g_id: Got 2 results" in shop.call("status").out
    both = ["unique_g_id: Got 2 results", "unit_g: actual differs"]
    assert shop.call("status", "--json").records["failing_tests"] == both
    graph.write_text(json.dumps({"fingerprint": "", "models": [], "tests": [{**test, "name": "not_null_g_id"}]}))
    assert shop.call("status", "--json").records["failing_tests"] == both[1:]
    graph.unlink()  # then nobody knows which are declared
    assert shop.call("status", "--json").records["failing_tests"] == both


def test_the_last_check_of_a_table_leaves_the_screen_when_it_is_taken_away(shop: Shop) -> None:
    failed = {"event": "check", "name": "ids", "table": "silver.g", "passed": False, "message": "ids: 2 are null"}
    journal(shop.root, "r1", BEGAN, failed, {"event": "ended", "status": "failed", "error": {}})
    journal(shop.root, "r2", {**BEGAN, "run_id": "r2"}, {"event": "ended", "status": "failed", "error": {}})
    assert "✗ ids: 2 are null" in shop.call("status").out  # a run that failed may not have come to its checks
    journal(shop.root, "r3", {**BEGAN, "run_id": "r3"}, {"event": "ended", "status": "success"})
    assert "ids" not in shop.call("status").out


BEGAN = {
    "event": "began", "run_id": "r1", "selection": "g", "partitions": [], "tables": ["silver.g"], "by": "cli",
    "pid": 0, "process": "gone", "host": "elsewhere",
}  # fmt: skip
