"""Runs at once: on one table the second waits or fails at once; on two tables both go through; four do as well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

SLOW = """
import time
from pathlib import Path

import phlo

HERE = Path(__file__).resolve().parents[1] / "source"


@phlo.ingestion(unique_key="id")
def slow(partition_date: str):
    (HERE / "began").touch()
    while not (HERE / "go").exists():
        time.sleep(0.05)
    return [{"id": partition_date}]


@phlo.ingestion(unique_key="id")
def quick(partition_date: str):
    return [{"id": partition_date}]
"""


def begin(shop: Shop) -> None:
    (shop.root / "workflows" / "slow.py").write_text(SLOW)


def wait_until_it_began(shop: Shop) -> None:
    ends = time.monotonic() + 30
    while not (shop.root / "source" / "began").exists():
        assert time.monotonic() < ends, "the run did not begin"
        time.sleep(0.05)


def test_a_second_run_on_one_table_says_for_whom_it_waits_and_loses_nothing(shop: Shop) -> None:
    begin(shop)
    first = shop.start("materialize", "slow", "--partition", "2024-01-20")
    wait_until_it_began(shop)
    refused = shop.call("materialize", "slow", "--partition", "2024-01-21", "--no-wait")
    assert refused.code == 1
    assert "error[table-leased]: `raw.slow` is being written by" in refused.err
    assert f"pid {first.pid}" in refused.err
    second = shop.start("materialize", "slow", "--partition", "2024-01-21")
    assert second.stderr is not None
    said = [second.stderr.readline() for _ in range(2)]
    assert f"pid {first.pid}" in said[1]
    (shop.root / "source" / "go").touch()
    assert [first.wait(60), second.wait(60)] == [0, 0]
    assert [row["id"] for row in shop.read("SELECT id FROM raw.slow ORDER BY id")] == ["2024-01-20", "2024-01-21"]
    for process in (first, second):
        process.communicate()


@pytest.mark.slow
def test_two_runs_on_two_tables_both_publish(shop: Shop) -> None:
    begin(shop)
    first = shop.start("materialize", "slow", "--partition", "2024-01-20")
    wait_until_it_began(shop)
    shop.run("materialize", "quick", "--partition", "2024-01-20")
    (shop.root / "source" / "go").touch()
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert [len(publish["changes"]) for publish in shop.call("history", "--json").records] == [1, 1]


@pytest.mark.slow
def test_a_run_that_waits_for_one_that_is_killed_goes_on(shop: Shop) -> None:
    begin(shop)
    first = shop.start("materialize", "slow", "--partition", "2024-01-20")
    wait_until_it_began(shop)
    second = shop.start("materialize", "slow", "--partition", "2024-01-21")
    assert second.stderr is not None
    assert [second.stderr.readline() for _ in range(2)][1].startswith("warning: waiting for")
    (shop.root / "source" / "go").touch()
    first.kill()
    first.communicate()
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    ids = {row["id"] for row in shop.read("SELECT id FROM raw.slow")}
    assert ids in ({"2024-01-21"}, {"2024-01-20", "2024-01-21"})  # the first may have been quicker than the kill


@pytest.mark.slow
def test_four_runs_on_two_tables_lose_and_double_nothing(shop: Shop) -> None:
    begin(shop)
    first = shop.start("materialize", "slow", "--partition", "2024-01-20")
    wait_until_it_began(shop)
    waiting = [
        shop.start("materialize", *tables, "--partition", day)
        for tables, day in ((["slow"], "2024-01-21"), (["slow", "quick"], "2024-01-22"), (["slow"], "2024-01-20"))
    ]
    for process in waiting:
        assert process.stderr is not None
        assert f"pid {first.pid}" in [process.stderr.readline() for _ in range(2)][1]
    shop.run("materialize", "quick", "--partition", "2024-01-20")  # one table of those that wait is nobody's yet
    (shop.root / "source" / "go").touch()
    for process in (first, *waiting):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    read = {table: [row["id"] for row in shop.read(f"SELECT id FROM raw.{table}")] for table in ("slow", "quick")}
    assert sorted(read["slow"]) == ["2024-01-20", "2024-01-21", "2024-01-22"]
    assert sorted(read["quick"]) == ["2024-01-20", "2024-01-22"]
    assert len(shop.call("history", "--json").records) == 5
