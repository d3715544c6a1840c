"""dbt's selectors, as ``phlo run --select`` takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.conftest import Shop

from phlo.errors import DbtStopped, NothingSelected
from phlo.plan import select_plan
from phlo.transform.select import selected_tables

if TYPE_CHECKING:
    from phlo.profiles import Lake

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dbt", "ignore::ResourceWarning")


@pytest.mark.parametrize(
    ("select", "exclude", "tables"),
    [
        (["stg_glucose_entries"], [], {"bronze.stg_glucose_entries"}),
        (["+fct_glucose_readings"], ["source:*"], {"bronze.stg_glucose_entries", "silver.fct_glucose_readings"}),
        (["source:raw_iceberg"], [], {"raw.glucose_entries"}),
        (["resource_type:seed resource_type:snapshot"], [], {"bronze.devices", "silver.glucose_history"}),
        (["bronze,config.materialized:table"], [], {"bronze.stg_glucose_entries"}),
    ],
    ids=["a name", "with parents, less the sources", "a source", "two at once", "an intersection"],
)
def test_a_selection_is_the_tables_that_dbt_means(
    shared_lake: Lake, select: list[str], exclude: list[str], tables: set[str]
) -> None:
    assert selected_tables(shared_lake.project, select, exclude) == tables


def test_a_plan_of_selectors_says_them(shared_lake: Lake) -> None:
    plan = select_plan(shared_lake, ["+stg_glucose_entries"], ["source:*"])
    assert [model.name for model in plan.models] == ["stg_glucose_entries"]
    assert plan.selection == "--select +stg_glucose_entries --exclude source:*"


def test_a_selection_of_nothing_and_an_unknown_method_are_errors(shared_lake: Lake) -> None:
    with pytest.raises(NothingSelected, match="`no_such_model` selects no model and no source") as nothing:
        selected_tables(shared_lake.project, ["no_such_model"], ingestions=["orders", "customers"])
    assert nothing.value.next_step.endswith("loaded by its name: `phlo materialize orders customers`")
    with pytest.raises(DbtStopped, match="nope"):
        selected_tables(shared_lake.project, ["nope:x"])


def test_the_command_takes_dbt_s_selectors(shared_lake: Lake) -> None:
    shop = Shop(shared_lake.project.root)
    done = shop.call("run", "--select", "+stg_glucose_entries", "--exclude", "source:*", "--dry-run", "--json")
    assert done.records == [{"step": "transform", "table": "bronze.stg_glucose_entries", "how": "table"}]
