"""A project folder that moved: an error that says so, and one command that mends it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Shop

DAY = "2024-01-20"


def test_a_moved_project_says_so_and_is_mended_by_one_command(shop: Shop) -> None:
    shop.deliver(DAY, [{"id": 1}])
    shop.call("materialize", "readings", "--partition", DAY)
    moved = replace(shop, root=shop.root.rename(shop.root.with_name("elsewhere")))
    broken = moved.call("query", "SELECT id FROM raw.readings")
    assert broken.code == 1
    assert "error[project-moved]" in broken.err
    assert "`phlo catalog relocate`" in broken.err
    mended = moved.call("catalog", "relocate")
    assert mended.code == 0, mended.err
    assert mended.out.startswith("Rewrote ")
    assert moved.read("SELECT id FROM raw.readings") == [{"id": 1}]
    moved.deliver(DAY, [{"id": 1}, {"id": 2}])
    assert moved.call("materialize", "readings", "--partition", DAY).code == 0
    assert moved.read("SELECT count(*) AS n FROM raw.readings") == [{"n": 2}]


def test_a_copy_is_another_lake_once_it_is_mended(shop: Shop) -> None:
    shop.deliver(DAY, [{"id": 1}])
    shop.call("materialize", "readings", "--partition", DAY)
    copy = replace(shop, root=shutil.copytree(shop.root, shop.root.with_name("copy")))
    assert copy.call("catalog", "relocate").code == 0
    copy.deliver(DAY, [{"id": 2}])
    copy.call("materialize", "readings", "--partition", DAY)
    assert copy.read("SELECT count(*) AS n FROM raw.readings") == [{"n": 2}]
    assert shop.read("SELECT count(*) AS n FROM raw.readings") == [{"n": 1}]
