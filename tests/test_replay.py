"""``phlo rejected replay``: from a mended schema to published rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

DAY = "2024-01-20"

WORKFLOW = """
import pandera.pandas as pa
import phlo
from phlo.quality import RangeCheck


class Reading(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=40)


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def checked(partition_date: str):
    return [{"id": "a", "sgv": 100}, {"id": "b", "sgv": 30}, {"id": "c", "sgv": "high"}]


@phlo.quality(table="raw.checked", checks=[RangeCheck(column="sgv", min_value=20)])
def plausible(): ...
"""


def begin(shop: Shop) -> None:
    write(shop, WORKFLOW)
    assert shop.call("materialize", "checked", "--partition", DAY).code == 0


def write(shop: Shop, text: str) -> None:
    (shop.root / "workflows" / "checked.py").write_text(text)


def test_a_mended_schema_lets_rejected_rows_in(shop: Shop) -> None:
    begin(shop)
    write(shop, WORKFLOW.replace("ge=40", "ge=1"))
    done = shop.call("rejected", "replay", "checked")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "1 of 2 rejected rows of raw.checked was accepted: 1 new, 0 updated.",
        "1 is still rejected.",
        "Published 2 tables as publish 2.",
    ]
    assert shop.read("SELECT id FROM raw.checked ORDER BY id") == [{"id": "a"}, {"id": "b"}]
    assert [row["row"]["id"] for row in shop.call("rejected", "show", "checked", "--json").records] == ["c"]
    again = shop.call("rejected", "replay", "raw.checked", "--partition", DAY, "--json").records
    assert (again["rows"], again["rejected"]) == (1, 1)
    assert (
        "checked has no rejected rows on 2024-01-21."
        in shop.call("rejected", "replay", "checked", "--partition", "2024-01-21").err
    )


def test_a_replay_whose_rows_do_not_pass_the_checks_publishes_nothing(shop: Shop) -> None:
    begin(shop)
    write(shop, WORKFLOW.replace("ge=40", "ge=1").replace("min_value=20", "min_value=35"))
    done = shop.call("rejected", "replay", "checked")
    assert (done.code, "error[checks-failed]" in done.err) == (1, True)
    assert shop.read("SELECT id FROM raw.checked") == [{"id": "a"}]
    assert len(shop.call("rejected", "show", "checked", "--json").records) == 2


def test_a_table_that_no_workflow_loads_can_not_be_replayed(shop: Shop) -> None:
    done = shop.call("rejected", "replay", "raw.reading")
    assert (done.code, "did you mean `readings`?" in done.err) == (2, True)


@pytest.mark.slow
def test_a_replay_does_not_count_as_a_load(shop: Shop) -> None:
    begin(shop)
    write(shop, WORKFLOW.replace("ge=40", "ge=1"))
    before = shop.call("history", "--json").records[0]["loads"]
    shop.call("rejected", "replay", "checked")
    log = shop.call("history", "--json").records
    assert (log[0]["loads"], log[1]["loads"]) == ([], before)
