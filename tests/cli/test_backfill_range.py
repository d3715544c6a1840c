"""Where ``phlo backfill`` begins and ends when nobody says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

VISITS = """
import phlo


@phlo.ingestion(unique_key="day", partition_start="{start}")
def visits(partition_date: str):
    return [{{"day": partition_date}}]
"""


@pytest.fixture(autouse=True)
def a_day_in_january(monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime as dt

    for module in ("phlo.cli.run", "phlo.plan", "phlo.backfill"):
        monkeypatch.setattr(f"{module}.today", lambda: dt.date(2024, 1, 5))


def test_it_begins_with_the_asset_s_first_day_and_ends_today(shop: Shop) -> None:
    (shop.root / "workflows/ingestion/visits.py").write_text(VISITS.format(start="2024-01-03"))
    done = shop.call("backfill", "visits")
    assert done.code == 0, done.err
    assert [row["day"] for row in shop.read("SELECT day FROM raw.visits ORDER BY day")] == [
        "2024-01-03", "2024-01-04", "2024-01-05",
    ]  # fmt: skip


def test_it_begins_with_the_project_s_first_day_where_the_asset_has_none(shop: Shop) -> None:
    with (shop.root / "pyproject.toml").open("a") as file:
        file.write("start_date = 2024-01-02\n")
    plan = shop.call("backfill", "events", "--end-date", "2024-01-04", "--dry-run")
    assert "2024-01-02 to 2024-01-04, 3 days" in plan.out


def test_what_is_given_wins(shop: Shop) -> None:
    (shop.root / "workflows/ingestion/visits.py").write_text(VISITS.format(start="2024-01-03"))
    plan = shop.call("backfill", "visits", "--start-date", "2024-01-01", "--dry-run")
    assert "2024-01-01 to 2024-01-05, 5 days" in plan.out


def test_without_any_first_day_it_asks_for_one(shop: Shop) -> None:
    done = shop.call("backfill", "events")
    assert done.code == 2
    assert "--start-date" in done.err


def test_a_backfill_of_days_that_main_has_says_that_there_is_nothing_to_do(shop: Shop) -> None:
    arguments = ("backfill", "events", "--start-date", "2024-01-01", "--end-date", "2024-01-02")
    shop.call(*arguments)
    again = shop.call(*arguments)
    assert (again.code, again.out) == (0, "Nothing to do: main has every one of these days.\n")
    assert again.err == "Skipping 2 days already published (--force loads them again).\n"
    assert shop.call(*arguments, "--json").records == []


def test_a_day_without_rows_is_one_that_main_has_until_it_is_forced(shop: Shop) -> None:
    arguments = ("backfill", "readings", "--start-date", "2024-01-02", "--end-date", "2024-01-02")
    assert "The source of raw.readings had no rows for 2024-01-02." in shop.call(*arguments).out
    shop.deliver("2024-01-02", [{"id": "late"}])
    assert "--force loads them again" in shop.call(*arguments).err
    assert shop.call(*arguments, "--force").code == 0
    assert shop.read("SELECT id FROM raw.readings") == [{"id": "late"}]


def test_days_that_have_not_begun_are_loaded_with_a_warning(shop: Shop) -> None:
    done = shop.call("backfill", "events", "--start-date", "2024-01-04", "--end-date", "2024-01-07")
    assert done.code == 0
    assert "warning: 2024-01-06 to 2024-01-07, 2 days are in the future: today is 2024-01-05 (UTC)" in done.err
    done = shop.call("materialize", "events", "--partition", "2024-01-06")
    assert "warning: 2024-01-06 is in the future" in done.err
    assert "future" not in shop.call("materialize", "events", "--partition", "2024-01-05").err
