"""Which models do not have yet what their tables got: told from the publish log, the builds and dbt's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.transform.test_lineage import RAW, note

from phlo.transform.behind import Since, find_behind
from phlo.transform.lineage import FILE, built_by, counting
from phlo.transform.models import Model
from phlo.transform.session import Compiled

if TYPE_CHECKING:
    from phlo.profiles import Lake


def model(table: str, *parents: str) -> Model:
    return Model(table.split(".")[1], table, f"model.shop.{table}", "model", "table", "", parents)


CHAIN = [model("silver.orders", "raw.orders"), model("gold.days", "silver.orders", "raw.calendar")]


def test_a_model_is_behind_what_changed_after_it_was_built_since_the_first_such_publish() -> None:
    built = {"silver.orders": 1, "gold.days": 1}
    assert find_behind(CHAIN, (), built, {"raw.orders": [1]}) == {}
    found = find_behind(CHAIN, (), built, {"raw.orders": [9, 7, 1]})
    assert found == {"silver.orders": (Since("raw.orders", 7),), "gold.days": (Since("raw.orders", 7),)}


def test_a_model_that_was_built_from_one_that_is_behind_is_behind_too() -> None:
    found = find_behind(CHAIN, (), {"silver.orders": 1, "gold.days": 8}, {"raw.orders": [7, 1], "raw.calendar": [3]})
    assert found == {"silver.orders": (Since("raw.orders", 7),), "gold.days": (Since("raw.orders", 7),)}


def test_a_model_between_that_was_built_again_is_what_the_next_is_behind() -> None:
    changed = {"raw.orders": [7, 1], "silver.orders": [8, 1], "raw.calendar": [9]}
    found = find_behind(CHAIN, (), {"silver.orders": 8, "gold.days": 1}, changed)
    assert found == {"gold.days": (Since("raw.calendar", 9), Since("silver.orders", 8))}
    assert find_behind(CHAIN, (), {"silver.orders": 8, "gold.days": 1}, {"raw.orders": [7, 1]}) == {}, "same rows again"


def test_a_view_shows_what_its_tables_have_and_is_behind_nothing_itself() -> None:
    built = {"gold.days": 1, "silver.orders": 1}
    found = find_behind(CHAIN, {"silver.orders"}, built, {"raw.orders": [7], "silver.orders": [1]})
    assert found == {"gold.days": (Since("raw.orders", 7),)}
    found = find_behind(CHAIN, {"silver.orders"}, built, {"raw.orders": [1], "silver.orders": [5, 1]})
    assert found == {"gold.days": (Since("silver.orders", 5),)}, "its SQL is another"


def test_what_was_never_built_lacks_everything() -> None:
    assert list(find_behind(CHAIN, (), {}, {"raw.orders": [1]})) == ["silver.orders", "gold.days"]


def test_a_build_that_changed_nothing_counts_as_one(lake: Lake) -> None:
    model = Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}")
    publishes = []
    for ref in ("run-a", "run-b"):
        note(lake, ref, model)
        publishes.append(lake.catalog.publish(ref).seq)
    counted = list(counting(lake.catalog.publishes()))
    assert counted[0].changes == ()
    assert built_by(lake.project.state, counted) == {"gold.v": publishes[1]}
    lake.catalog.undo()
    assert built_by(lake.project.state, counting(lake.catalog.publishes())) == {"gold.v": publishes[0]}
    (lake.project.state / FILE).write_bytes(b"no database")
    assert built_by(lake.project.state, counted) == {}
