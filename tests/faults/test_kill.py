"""SIGKILL in a run: main is a whole publish, and running again neither loses nor doubles a row.

``test_every_step.py`` stops at every step that a command takes on the disk; here a user's process is killed as it is.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

KILLER = str(Path(__file__).parent / "killer")
EVENTS_A_DAY = 10
KILLS = 20


def rows_of(day: int, version: int) -> list[dict[str, Any]]:
    """A day's rows: each version corrects every third row and brings one row more."""
    stay = [{"id": f"{day}-{n}", "version": version if n % 3 == 0 else 0, "day": day} for n in range(20)]
    return [*stay, *({"id": f"{day}-new-{v}", "version": v, "day": day} for v in range(version))]


def check_main(shop: Shop, wanted: dict[int, set[int]]) -> dict[int, int]:
    """Main holds whole days of one version each, and both tables of the same days; return each day's version.

    ``wanted`` is, by day, the versions that a run may have published.
    """
    tables = {next(iter(row.values())) for row in shop.read("SHOW TABLES FROM raw")} if has_published(shop) else set()
    if not tables:
        return {}
    assert tables == {"readings", "events"}
    rows = shop.read("SELECT id, version, day FROM raw.readings ORDER BY id")
    found: dict[int, int] = {}
    for day in {row["day"] for row in rows}:
        mine = [row for row in rows if row["day"] == day]
        version = max(row["version"] for row in mine)
        assert version in wanted[day]
        assert mine == sorted(rows_of(day, version), key=lambda row: row["id"])
        found[day] = version
    events = shop.read("SELECT day, count(*) AS n, count(DISTINCT n) AS different FROM raw.events GROUP BY day")
    assert {row["day"]: (row["n"], row["different"]) for row in events} == {
        name_of(day): (EVENTS_A_DAY, EVENTS_A_DAY) for day in found
    }
    return found


def has_published(shop: Shop) -> bool:
    return bool(shop.call("history", "--json").records)


def name_of(day: int) -> str:
    return f"2024-01-{day:02}"


@pytest.mark.parametrize(
    "function",
    [
        "publishes.py:_enter",
        *(pytest.param(place, marks=pytest.mark.slow) for place in ("write.py:_write", "merge.py:merge")),
    ],
)
def test_a_run_killed_in_the_middle_leaves_main_whole_and_the_next_does_its_work(shop: Shop, function: str) -> None:
    load = ("materialize", "--partition", name_of(1))
    shop.deliver(name_of(1), rows_of(1, 0))
    assert shop.call(*load).code == 0
    shop.deliver(name_of(1), rows_of(1, 1))
    shop.run(*load, code=-9, PYTHONPATH=KILLER, KILL_IN=function)
    assert check_main(shop, {1: {0}}) == {1: 0}
    assert [ref["state"] for ref in shop.call("ref", "list", "--json").records] == ["died"]
    assert shop.call(*load).code == 0
    assert check_main(shop, {1: {1}}) == {1: 1}


@pytest.mark.slow
def test_runs_killed_at_random_moments_leave_main_whole(shop: Shop) -> None:
    shop.deliver(name_of(1), rows_of(1, 0))
    began = time.monotonic()
    shop.run("materialize", "--partition", name_of(1))
    took = time.monotonic() - began
    chance = random.Random(20240120)
    versions, wanted = {1: 0}, {1: {0}}  # what was delivered, and what main may have of it
    for number in range(KILLS):
        day = number % 3 + 1
        version = versions.get(day, -1) + 1
        versions[day] = version
        before = check_main(shop, wanted)
        wanted[day] = {version} | ({before[day]} if day in before else set())
        shop.deliver(name_of(day), rows_of(day, version))
        process = shop.start("materialize", "--partition", name_of(day))
        time.sleep(chance.uniform(0.2, 1.1) * took)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=120)
        after = check_main(shop, wanted)
        assert after.keys() | {day} == before.keys() | {day}
        assert {d: v for d, v in after.items() if d != day} == {d: v for d, v in before.items() if d != day}
    for day, version in versions.items():
        shop.run("materialize", "--partition", name_of(day))
        wanted[day] = {version}
    assert check_main(shop, wanted) == versions
