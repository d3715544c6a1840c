"""Loading raw data alone leaves models behind: commands say so, with what mends it, and ``phlo status`` marks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

PROJECT = """
name: shop
version: "1.0"
profile: phlo
models: {shop: {silver: {+schema: silver, +materialized: table}}}
"""
SOURCES = "sources: [{name: raw, tables: [{name: readings}]}]"
MODELS = {
    "seen": '{{ config(materialized="view") }} select id, value from {{ source("raw", "readings") }}',
    "doubled": 'select id, value * 2 as doubled from {{ ref("seen") }}',
    "total": 'select sum(doubled) as total from {{ ref("doubled") }}',
}

CHECKED = """
import pandera.pandas as pa
import phlo


class Reading(pa.DataFrameModel):
    id: int
    value: int = pa.Field(ge=5)


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def readings(partition_date: str):
    return [{"id": 1, "value": 4}, {"id": 2, "value": 6}]
"""


def models(shop: Shop) -> None:
    folder = shop.root / "transforms" / "dbt"
    (folder / "models" / "silver").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "models" / "sources.yml").write_text(SOURCES)
    for name, sql in MODELS.items():
        (folder / "models" / "silver" / f"{name}.sql").write_text(sql)


def behind(shop: Shop) -> dict[str, Any]:
    assets = shop.call("status", "--json").records["assets"]
    return {each["name"]: each["behind"] for each in assets if each["behind"]}


@pytest.mark.slow
def test_models_that_are_behind_are_named_with_the_command_that_makes_them_and_loads_nothing(shop: Shop) -> None:
    models(shop)
    shop.deliver("2024-01-20", [{"id": 1, "value": 4}])
    first = shop.call("materialize", "readings", "--partition", "2024-01-20")
    assert "No model was made: `phlo run --exclude 'source:*'` makes them all, and loads nothing." in first.out
    made = shop.call("run", "--exclude", "source:*", "--json").records
    assert (len(made["models"]), made["loads"]) == (3, [])
    assert behind(shop) == {}
    assert " behind" not in shop.call("status").out

    shop.deliver("2024-01-21", [{"id": 2, "value": 5}])
    loaded = shop.call("materialize", "readings", "--partition", "2024-01-21")
    command = "phlo materialize silver.doubled+"
    told = f"2 models are behind raw.readings: `{command}` makes them again, and loads nothing.\n"
    assert loaded.out.endswith(f"{told}✅ Successfully materialized readings\n")
    since = [{"table": "raw.readings", "publish": 3}]
    assert behind(shop) == {"silver.doubled": since, "silver.total": since}
    status = shop.call("status").out
    assert status.count("raw.readings since publish 3") == 2
    assert f"`{command}` makes again what is behind, and loads nothing." in status
    nothing = shop.call("backfill", "readings", "--start-date", "2024-01-20", "--end-date", "2024-01-21")
    assert nothing.out == f"Nothing to do: main has every one of these days.\n{told}"

    done = shop.call(*command.split()[1:], "--json").records
    assert (done["loads"], len(done["models"])) == ([], 2)
    assert behind(shop) == {}
    assert shop.read("SELECT total FROM silver.total") == [{"total": 18}]
    assert (
        "behind" not in shop.call("backfill", "readings", "--start-date", "2024-01-20", "--end-date", "2024-01-21").out
    )
    shop.call("undo", "--yes")
    assert behind(shop) == {"silver.doubled": since, "silver.total": since}


@pytest.mark.slow
def test_a_replay_of_rejected_rows_names_what_makes_the_models_and_loads_nothing(shop: Shop) -> None:
    models(shop)
    workflow = shop.root / "workflows" / "readings.py"
    (shop.root / "workflows" / "ingestion" / "shop.py").unlink()
    workflow.write_text(CHECKED)
    assert shop.call("run", "--partition", "2024-01-20").code == 0
    workflow.write_text(CHECKED.replace("ge=5", "ge=1"))
    done = shop.call("rejected", "replay", "readings")
    command = "phlo materialize silver.doubled+"
    assert done.out.splitlines()[-2:] == [
        "Published 2 tables as publish 2.",
        f"2 models are behind raw.readings: `{command}` makes them again, and loads nothing.",
    ]
    assert shop.call(*command.split()[1:], "--json").records["loads"] == []
    assert shop.read("SELECT total FROM silver.total") == [{"total": 20}]
