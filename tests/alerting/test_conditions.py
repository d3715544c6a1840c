"""Each kind of rule finds what it is about, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from phlo.alerting.conditions import Facts, problems
from phlo.alerting.config import Rule
from phlo.journal import RunRecord
from phlo.protocols import Load, Newest

NOW = dt.datetime(2024, 1, 20, 12, tzinfo=dt.UTC)


def run(status: Any, hour: int, lines: tuple[dict[str, Any], ...] = (), **more: Any) -> RunRecord:
    began = NOW.replace(hour=hour)
    return RunRecord(f"r{hour}", status, began, began, more.pop("selection", "raw.g"), lines=lines, **more)


def published(hours_ago: float, *loads: Load) -> Newest:
    return Newest(NOW - dt.timedelta(hours=hours_ago), loads)


def found(rule: Rule, *, runs: Any = (), newest: Any = None, rows: Any = (), covered: bool = False) -> dict[str, str]:
    facts = Facts(runs, newest or {}, lambda _: list(rows), NOW)
    return {each.subject: each.message for each in problems(rule, facts, checks_covered=covered)}


def test_a_selection_whose_newest_run_failed_is_told() -> None:
    rule = Rule("bad", "run_failed")
    error = {"code": "source-unreachable", "message": "no answer\nmore"}
    failed = run("failed", 2, error=error)
    assert found(rule, runs=[run("success", 1), failed]) == {"raw.g": "raw.g failed (run r2): no answer"}
    assert found(rule, runs=[failed, run("success", 3)]) == {}
    assert found(rule, runs=[failed, run("interrupted", 3)]) != {}
    assert "ended before the run did" in found(rule, runs=[run("died", 3)])["raw.g"]
    assert found(rule, runs=[failed, run("success", 3, selection="raw.h")]) != {}


def test_a_run_whose_checks_failed_is_told_once() -> None:
    failed = run("failed", 2, error={"code": "checks-failed", "message": "1 blocking check failed"})
    assert found(Rule("bad", "run_failed"), runs=[failed], covered=True) == {}
    assert found(Rule("bad", "run_failed"), runs=[failed]) != {}


def test_a_check_that_did_not_pass_the_last_time_is_told() -> None:
    line = {"event": "check", "table": "raw.g", "name": "NullCheck", "blocking": True, "message": "raw.g: NullCheck: 3"}
    rule = Rule("checks", "check_failed")
    bad, good = run("failed", 1, ({**line, "passed": False},)), run("success", 2, ({**line, "passed": True},))
    assert found(rule, runs=[bad]) == {"raw.g: NullCheck": "raw.g: NullCheck: 3"}
    assert found(rule, runs=[bad, good]) == {}
    warned = run("success", 3, ({**line, "passed": False, "blocking": False},))
    assert found(rule, runs=[warned]) == {}
    assert found(Rule("all", "check_failed", options={"blocking_only": False}), runs=[warned]) != {}
    assert found(Rule("one", "check_failed", options={"table": "raw.h"}), runs=[bad]) == {}


def test_a_dbt_test_that_failed_is_told() -> None:
    line = {"event": "test", "name": "unique_g_id", "table": "", "status": "fail", "message": "Got 2 results"}
    rule = Rule("checks", "check_failed")
    assert found(rule, runs=[run("failed", 1, (line,))]) == {"unique_g_id": "unique_g_id: Got 2 results"}
    assert found(rule, runs=[run("success", 1, ({**line, "status": "warn"},))]) == {}


@pytest.mark.parametrize(("hours", "late"), [(23, False), (25, True)])
def test_a_table_is_late_by_its_last_publish(hours: float, late: bool) -> None:
    rule = Rule("late", "freshness", options={"table": "raw.g", "older_than_hours": 24})
    assert bool(found(rule, newest={"raw.g": published(hours), "raw.h": published(1)})) is late
    assert found(rule, newest={"raw.h": published(1)}) == {"raw.g": "raw.g was never published"}


def test_a_large_share_of_rejected_rows_is_told_by_the_newest_load() -> None:
    rule = Rule("rejected", "rejected", options={"share": 0.1})
    bad = published(1, Load("raw.g", "2024-01-19", "l", rows_read=10, rows_rejected=2))
    assert found(rule, newest={"raw.g": bad}) == {"raw.g": "raw.g: 2 of 10 rows were rejected (20%)"}
    good = published(0, Load("raw.g", "2024-01-19", "m", rows_read=100, rows_rejected=2))
    assert found(rule, newest={"raw.g": good, "silver.g": published(0)}) == {}


def test_a_query_that_has_rows_is_told_with_some_of_them() -> None:
    rule = Rule("variable", "query", description="CV above 40 %", options={"sql": "select 1"})
    assert found(rule) == {}
    assert found(rule, rows=[{"day": n} for n in range(5)]) == {
        "variable": "variable: day = 0; day = 1; day = 2; … (CV above 40 %)"
    }


def test_secrets_do_not_get_into_messages() -> None:
    error = {"code": "x", "message": "GET https://ann:pw@host/?token=abc123"}
    said = found(Rule("bad", "run_failed"), runs=[run("failed", 1, error=error)])["raw.g"]
    assert "pw" not in said
    assert "abc123" not in said
