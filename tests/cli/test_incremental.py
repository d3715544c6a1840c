"""Incremental models by commands: the documented filter misses no row, and ``--full-refresh`` makes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "dbt.md"
PROJECT = """
name: shop
version: "1.0"
profile: phlo
models: {shop: {silver: {+schema: silver}}}
"""
SOURCES = "sources: [{name: raw, tables: [{name: readings}]}]"

CHECKED = """
import pandera.pandas as pa
import phlo


class Reading(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=40)


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def readings(partition_date: str):
    return [{"id": f"{partition_date}-1", "sgv": 110}, {"id": f"{partition_date}-2", "sgv": 39}]
"""


def documented() -> str:
    """The guide's incremental model."""
    (model,) = re.findall(r"```sql\n(\{\{ config\(materialized=\"incremental\".*?)```", GUIDE.read_text(), re.DOTALL)
    return str(model)


def lay_out(shop: Shop, model: str) -> Path:
    folder = shop.root / "transforms" / "dbt"
    (folder / "models" / "silver").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "models" / "sources.yml").write_text(SOURCES)
    file = folder / "models" / "silver" / "fct_readings.sql"
    file.write_text(model)
    (shop.root / "workflows" / "ingestion" / "shop.py").unlink()
    (shop.root / "workflows" / "readings.py").write_text(CHECKED)
    return file


def run(shop: Shop, *words: str) -> None:
    done = shop.call(*words)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_the_documented_filter_sees_rows_that_are_replayed_after_later_ones_were(shop: Shop) -> None:
    lay_out(shop, documented())
    run(shop, "run", "--partition", "2024-01-20")
    run(shop, "run", "--partition", "2024-01-21")
    (shop.root / "workflows" / "readings.py").write_text(CHECKED.replace("ge=40", "ge=20"))
    run(shop, "rejected", "replay", "readings", "--partition", "2024-01-20")
    run(shop, "run", "--partition", "2024-01-22")
    both = "SELECT id, sgv FROM {} ORDER BY id"
    rows = shop.read(both.format("raw.readings"))
    assert [row["id"] for row in rows] == [
        *("2024-01-20-1", "2024-01-20-2", "2024-01-21-1", "2024-01-22-1", "2024-01-22-2")
    ]
    assert shop.read(both.format("silver.fct_readings")) == rows


@pytest.mark.slow
def test_full_refresh_makes_a_model_from_all_rows_as_its_error_says(shop: Shop) -> None:
    model = documented().replace("unique_key=", "on_schema_change='fail', unique_key=")
    file = lay_out(shop, model)
    run(shop, "run", "--partition", "2024-01-20")
    file.write_text(model.replace("sgv", "sgv * 2 AS sgv", 1))
    run(shop, "run", "--partition", "2024-01-21")
    values = "SELECT sgv FROM silver.fct_readings ORDER BY id"
    assert shop.read(values) == [{"sgv": 110}, {"sgv": 220}]
    file.write_text(model.replace("sgv", "sgv / 18.0 AS mmol", 1))
    failed = shop.call("materialize", "silver.fct_readings")
    command = "phlo materialize silver.fct_readings --full-refresh"
    assert failed.code and f"`{command}` makes it again from all rows" in failed.err + failed.out
    run(shop, *command.split()[1:])
    assert len(shop.read("SELECT mmol FROM silver.fct_readings")) == 2
    file.write_text(model)
    run(shop, "run", "--full-refresh", "--select", "fct_readings")
    assert shop.read(values) == [{"sgv": 110}, {"sgv": 110}]
