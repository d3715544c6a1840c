"""What `phlo query` prints: rows by position on the screen and in CSV, objects in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

TWICE = "SELECT 1 AS a, 2 AS a, 'x' AS b"


def test_columns_of_one_name_keep_their_places_on_the_screen_and_in_csv(shop: Shop) -> None:
    assert shop.call("query", TWICE, "--csv").out == "a,a,b\n1,2,x\n"
    assert shop.call("query", TWICE).out.splitlines()[2].split() == ["1", "2", "x"]


def test_json_objects_refuse_columns_of_one_name(shop: Shop) -> None:
    refused = shop.call("query", TWICE, "--json")
    assert (refused.code, refused.out) == (1, "")
    assert "error[ambiguous-column]: The columns `a` and `a` have the same name in SQL" in refused.err


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("true", "true"),
        ("CAST(NULL AS varchar)", ""),
        ("INTERVAL '2' DAY", "2 00:00:00.000"),
        ("INTERVAL '14' MONTH", "1-2"),
        ("DECIMAL '1.50'", "1.50"),
        ("DATE '2024-01-20'", "2024-01-20"),
    ],
)
def test_csv_writes_values_as_trino_does(shop: Shop, expression: str, written: str) -> None:
    assert shop.call("query", f"SELECT {expression} AS v, 1 AS one", "--csv").out == f"v,one\n{written},1\n"


def test_a_map_is_a_json_object(shop: Shop) -> None:
    asked = shop.call("query", "SELECT MAP(ARRAY['a', 'b'], ARRAY[1, 2]) AS m", "--json")
    assert json.loads(asked.out) == [{"m": {"a": 1, "b": 2}}]


def test_a_plan_is_printed_as_it_is(shop: Shop) -> None:
    plan = shop.call("query", "EXPLAIN SELECT 1")
    assert plan.code == 0
    assert "\\n" not in plan.out
    assert len(plan.out.splitlines()) > 3
