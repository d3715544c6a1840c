"""The decorator of ingestion: what it records, and how it refuses wrong arguments."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

import phlo
from phlo.declarations import Ingestion, declared, relative
from phlo.errors import InvalidDeclaration
from phlo.ingestion import phlo_ingestion


def day(partition_date: str) -> list[dict[str, Any]]:
    return []


def record(**options: Any) -> Ingestion:
    declared.clear()
    phlo.ingestion(**options)(day)
    (found,) = declared
    assert isinstance(found, Ingestion)
    return found


def test_the_two_spellings_are_one_decorator() -> None:
    assert phlo.ingestion is phlo_ingestion


def test_defaults_are_those_of_the_shortest_example() -> None:
    found = record()
    assert (found.table_name, found.table, found.rejected_table) == ("day", "raw.day", "rejected.day")
    assert (found.unique_key, found.merge_strategy, found.cron, found.group) == ((), "append", None, "default")


def test_a_unique_key_makes_it_merge() -> None:
    assert record(unique_key="_id").merge_strategy == "merge"
    assert record(unique_key=["subject", "at"]).unique_key == ("subject", "at")


def test_append_may_have_a_unique_key() -> None:
    assert record(unique_key="_id", merge_strategy="append").merge_strategy == "append"


def test_it_knows_where_the_function_stands() -> None:
    found = record()
    assert found.source.function == "day"
    assert found.source.file == __file__


def test_a_partition_start_may_be_text_or_a_date() -> None:
    assert record(partition_start="2024-01-01").partition_start == dt.date(2024, 1, 1)
    assert record(partition_start=dt.date(2024, 1, 1)).partition_start == dt.date(2024, 1, 1)


def test_a_function_without_partition_date_is_not_partitioned() -> None:
    def everything() -> list[dict[str, Any]]:
        return []

    declared.clear()
    phlo.ingestion()(everything)
    (found,) = declared
    assert isinstance(found, Ingestion)
    assert not found.partitioned


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tabel_name": "x"}, "there is no argument `tabel_name`; did you mean `table_name`?"),
        ({"table_name": "a.b"}, "table_name=`a.b` is not a table name"),
        ({"table_name": "a@b"}, "table_name=`a@b` is not a table name"),
        ({"unique_key": 3}, "unique_key=`3` is not a column"),
        ({"unique_key": []}, "unique_key=`[]` is not a column"),
        ({"unique_key": ["id", "id"]}, "unique_key=`['id', 'id']` names a column twice"),
        ({"unique_key": "_phlo_load_id"}, "is a column that Phlo adds itself"),
        ({"merge_strategy": "mrege"}, 'is none of "merge", "append", "replace"; did you mean `merge`?'),
        ({"merge_strategy": "upsert"}, 'merge_strategy=`upsert` is none of "merge", "append", "replace"'),
        ({"merge_strategy": "merge"}, 'merge_strategy="merge" needs a unique_key'),
        ({"merge_config": "last"}, "merge_config=`last` is not a dict"),
        ({"merge_config": {"dedup": "last"}}, "there is no argument `dedup`"),
        ({"merge_config": {"deduplication_method": "latest"}}, "deduplication_method=`latest` is none of"),
        ({"on_invalid": "ignore"}, 'on_invalid=`ignore` is none of "reject", "fail"'),
        ({"validation_schema": dict}, "is not a Pandera model"),
        ({"cron": "hourly"}, "cron=`hourly` is not five fields (minute, hour, day of the month,"),
        ({"cron": "60 * * * *"}, "cron=`60 * * * *`: `60` is no minute"),
        ({"cron": "0 24 * * *"}, "`24` is no hour"),
        ({"cron": "0 0 0 * *"}, "`0` is no day of the month"),
        ({"cron": "0 0 1 13 *"}, "`13` is no month"),
        ({"cron": "0 0 * * 8"}, "`8` is no day of the week"),
        ({"cron": "0 0 * * 1,x"}, "`1,x` is no day of the week"),
        ({"cron": "*/0 * * * *"}, "`*/0` is no minute"),
        ({"cron": "0 5-1 * * *"}, "`5-1` is no hour"),
        ({"cron": "0 *-5 * * *"}, "`*-5` is no hour"),
        ({"cron": "0 ²  * * *"}, "`²` is no hour"),
        ({"cron": "0 0 30 2 *"}, "cron=`0 0 30 2 *` never comes: no such month has 30 days"),
        ({"freshness_hours": (24, 1)}, "is not (warn, fail) in hours"),
        ({"freshness_hours": 24}, "is not (warn, fail) in hours"),
        ({"max_rejected": 50}, "max_rejected=`50` is not a share from 0 to 1"),
        ({"partition_start": "2024-02-30"}, "`2024-02-30` is not a date"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it_the_function_and_the_file(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        record(**options)
    assert says in str(caught.value)
    assert f"{relative(__file__, Path.cwd())}:" in str(caught.value)
    assert "(day)" in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize(
    "cron",
    ["0 */1 * * *", "*/15 6-22 * * mon-fri", "0 0 29 2 *", "5,35 0-6/2 1 JAN,jul 7", "10/20 * * * *", "0 0 31 2 1"],
)
def test_what_cron_understands_is_a_schedule(cron: str) -> None:
    assert record(cron=cron).cron == cron


def test_a_function_that_takes_something_else_is_refused() -> None:
    def delivers(partition: str) -> list[dict[str, Any]]:
        return []

    with pytest.raises(InvalidDeclaration, match=r"takes `partition`, but .* must be named `partition_date`"):
        phlo.ingestion()(delivers)


def test_the_hint_of_a_wrong_choice_is_the_nearest_right_one_or_the_default() -> None:
    hints = {}
    for wrong in ("repalce", "upsert"):
        with pytest.raises(InvalidDeclaration) as caught:
            record(merge_strategy=wrong)
        hints[wrong] = caught.value.next_step
    assert hints == {"repalce": 'for merge_strategy, write "replace"', "upsert": 'for merge_strategy, write "merge"'}


def test_without_parentheses_or_an_arguments_name_it_shows_how_to_write_it() -> None:
    decorate: Any = phlo.ingestion  # a type checker refuses both
    for wrong, says in (
        (lambda: decorate(day), "(day): it stands without parentheses"),
        (lambda: decorate("id")(day), "(day): the argument `'id'` has no name"),
        (lambda: decorate("id", group="a")(day), "(day): the argument `'id'` has no name"),
    ):
        declared.clear()
        with pytest.raises(InvalidDeclaration) as caught:
            wrong()
        assert says in str(caught.value)
        assert caught.value.next_step == 'write @phlo.ingestion(unique_key="id")'
        assert declared == []


def test_the_day_may_be_part_of_a_key_only_where_the_function_takes_it() -> None:
    assert record(unique_key="partition_date").unique_key == ("partition_date",)
    assert record(unique_key=["partition_date", "hour"]).unique_key == ("partition_date", "hour")

    def everything() -> list[dict[str, Any]]:
        return []

    with pytest.raises(InvalidDeclaration, match="unique_key=`partition_date` is a column that Phlo adds itself"):
        phlo.ingestion(unique_key=["id", "partition_date"])(everything)
