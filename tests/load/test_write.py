from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pandas
import pandera.pandas as pa
import pyarrow
import pytest
from loading import DAY, Lake, ingestion
from pandera.typing import Series

from phlo.declarations import SilentReporter
from phlo.errors import PartitioningChanged, SchemaError, SchemaMismatch, TooManyRejected, UnknownKey
from phlo.load.write import Loaded, load_id, remarks, summarize, write_loads

NEXT = DAY + dt.timedelta(days=1)


class Reading(pa.DataFrameModel):
    _id: Series[str] = pa.Field(nullable=False)
    sgv: Series[int] = pa.Field(ge=1, le=1000)

    class Config:
        strict = True
        coerce = True


def counts(load: Loaded) -> tuple[int, int, int, int, int]:
    return (load.rows_read, load.rows_written, load.rows_updated, load.rows_unchanged, load.rows_rejected)


def merged(rows: Any, **options: Any) -> Any:
    return ingestion(rows=rows, unique_key=("_id",), validation_schema=Reading, **options)


def test_a_load_writes_good_rows_and_files_the_others_with_their_reasons(lake: Lake) -> None:
    rows = [{"_id": "a", "sgv": 100, "noise": 1}, {"_id": "b", "mbg": 5}, {"_id": "c", "sgv": "5"}]
    (load,) = lake.load("1", merged(rows))
    assert counts(load) == (3, 2, 0, 0, 1)
    assert load.extra_fields == {"noise": 1, "mbg": 1}
    assert lake.rows("raw.readings", "_id", "sgv", "partition_date") == [("a", 100, DAY), ("c", 5, DAY)]
    assert lake.rows("rejected.readings", "reason", "column", "row", "partition_date") == [
        ("`sgv` is null", "sgv", '{"_id":"b","mbg":5}', DAY)
    ]
    assert lake.rows("rejected.readings", "_phlo_load_id") == [(load.load_id,)]


class Told(SilentReporter):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, message: str) -> None:
        self.said.append(message)


class Wide(pa.DataFrameModel):
    id: str
    noise: float = pa.Field(nullable=True)
    device: str = pa.Field(nullable=True)
    unit: str = pa.Field(nullable=True, default="mg/dL")
    retries: int = pa.Field(nullable=True, default=0)
    battery: int | None


@pytest.mark.parametrize("arrow", [False, True], ids=["dicts", "Arrow"])
def test_a_nullable_column_that_no_row_has_a_field_for_is_named_once(lake: Lake, *, arrow: bool) -> None:
    lake.reporter = told = Told()
    days = {str(DAY): [{"id": "a", "Noise": 1, "device": None}], str(NEXT): [{"id": "b", "noise": 2.0}]}
    rows = {day: pyarrow.Table.from_pylist(each) for day, each in days.items()} if arrow else days
    what = ingestion(rows=rows, unique_key=("id",), validation_schema=Wide)
    (one,) = lake.load("1", what, DAY)
    assert (one.rows_written, one.rows_rejected) == (1, 0)
    assert told.said == ["NULL in raw.readings, for no row of its source has the field: `noise`, did you mean `Noise`?"]
    told.said.clear()
    lake.load("2", what, DAY, NEXT)
    assert told.said == [
        "NULL in raw.readings, for no row of its source has the field: "
        "`noise` (1 of 2 loads), did you mean `Noise`?; `device` (1 of 2 loads)"
    ]


def test_days_that_are_written_one_by_one_are_told_of_together(lake: Lake) -> None:
    lake.reporter = told = Told()
    rows = [{"id": "a", "noise": 1.0}]
    what = ingestion(rows=rows, unique_key=("id",), validation_schema=Wide, deduplication="first")
    lake.load("1", what, DAY, NEXT)
    assert told.said == ["NULL in raw.readings, for no row of its source has the field: `device`"]


def test_nothing_is_said_of_fields_where_there_is_no_row_or_no_schema(lake: Lake) -> None:
    lake.reporter = told = Told()
    lake.load("1", ingestion(rows=[], unique_key=("id",), validation_schema=Wide))
    lake.load("2", ingestion(rows=[{"id": "a", "x": 1}]), DAY)
    lake.load("3", ingestion(rows=[{"id": "a"}]), NEXT)
    assert told.said == []


def test_loading_the_same_again_changes_nothing(lake: Lake) -> None:
    what = merged([{"_id": "a", "sgv": 100}, {"_id": "b", "sgv": 0}])
    lake.load("1", what)
    before = lake.rows("raw.readings", "_id", "sgv", "_phlo_load_id")
    (load,) = lake.load("2", what)
    assert counts(load) == (2, 0, 0, 1, 1)
    assert lake.rows("raw.readings", "_id", "sgv", "_phlo_load_id") == before


def test_a_correction_updates_its_row_and_a_rejected_one_leaves_the_old_row_and_says_so(lake: Lake) -> None:
    lake.load("1", merged([{"_id": "a", "sgv": 100}, {"_id": "b", "sgv": 110}]))
    (load,) = lake.load("2", merged([{"_id": "a", "sgv": 99}, {"_id": "b", "sgv": -1}, {"_id": "new", "sgv": -1}]))
    assert counts(load) == (3, 0, 1, 0, 2)
    assert load.corrections_rejected == 1
    assert lake.rows("raw.readings", "_id", "sgv") == [("a", 99), ("b", 110)]


def test_rejected_rows_of_a_partition_are_replaced_by_its_next_load(lake: Lake) -> None:
    days = {str(DAY): [{"_id": "a"}], str(NEXT): [{"_id": "b"}]}
    lake.load("1", merged(days), DAY, NEXT)
    lake.load("2", merged({str(DAY): [{"_id": "a", "sgv": 5}]}), DAY)
    assert lake.rows("rejected.readings", "partition_date") == [(NEXT,)]


def test_an_empty_day_succeeds_and_its_table_can_be_read(lake: Lake) -> None:
    (load,) = lake.load("1", merged([]))
    assert counts(load) == (0, 0, 0, 0, 0)
    assert lake.rows("raw.readings", "_id", "sgv") == []
    assert "rejected.readings" not in lake.catalog.pin().tables
    assert [each.partition for each in lake.catalog.loads()] == [str(DAY)]


def test_partitions_apply_in_ascending_order_in_one_snapshot_whatever_order_they_are_given_in(lake: Lake) -> None:
    rows = {str(DAY): [{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 1}], str(NEXT): [{"_id": "a", "sgv": 2}]}
    loads = lake.load("1", merged(rows), NEXT, DAY)
    assert lake.rows("raw.readings", "_id", "sgv", "partition_date") == [("a", 2, NEXT), ("b", 1, DAY)]
    assert [counts(load) for load in loads] == [(2, 1, 0, 0, 0), (1, 1, 0, 0, 0)]
    assert len(lake.catalog.load("raw.readings").snapshots()) == 1


def test_counts_are_right_for_each_partition_of_a_snapshot_that_inserts_updates_and_leaves_alone(lake: Lake) -> None:
    lake.load("1", merged([{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 1}, {"_id": "c", "sgv": 1}]))
    rows = {
        str(DAY): [{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 7}, {"_id": "d", "sgv": 1}, {"_id": "d", "sgv": 2}],
        str(NEXT): [{"_id": "c", "sgv": 1}, {"_id": "e", "sgv": 1}, {"_id": "f", "sgv": 1}],
    }
    loads = lake.load("2", merged(rows), DAY, NEXT)
    assert [counts(load) for load in loads] == [(4, 1, 1, 1, 0), (3, 2, 1, 0, 0)]
    total = summarize(loads)[0]
    assert counts(total) == (7, 3, 2, 1, 0)


def test_the_first_of_equal_keys_can_count_within_a_load_but_a_later_partition_still_corrects(lake: Lake) -> None:
    rows = {str(DAY): [{"_id": "a", "sgv": 1}, {"_id": "a", "sgv": 2}], str(NEXT): [{"_id": "a", "sgv": 3}]}
    lake.load("1", merged({str(DAY): rows[str(DAY)]}, deduplication="first"))
    assert lake.rows("raw.readings", "sgv") == [(1,)]
    lake.load("2", merged(rows, deduplication="first"), DAY, NEXT)
    assert lake.rows("raw.readings", "sgv") == [(3,)]


@pytest.mark.parametrize("strategy", ["append", "replace"])
def test_a_rerun_replaces_the_rows_of_its_partitions_alone(lake: Lake, strategy: Any) -> None:
    def rows(first: int, second: int) -> dict[str, list[dict[str, Any]]]:
        return {str(DAY): [{"_id": "a", "sgv": first}] * 2, str(NEXT): [{"_id": "a", "sgv": second}]}

    lake.load("1", merged(rows(1, 2), merge_strategy=strategy), DAY, NEXT)
    loads = lake.load("2", merged(rows(5, 6), merge_strategy=strategy), DAY)
    assert lake.rows("raw.readings", "sgv") == [(2,), (5,), (5,)]
    assert counts(loads[0]) == (2, 2, 0, 0, 0)
    loads = lake.load("3", merged(rows(5, 2), merge_strategy=strategy), DAY, NEXT)
    assert [counts(load) for load in loads] == [(2, 0, 0, 2, 0), (1, 0, 0, 1, 0)]
    loads = lake.load("4", merged({str(DAY): []}, merge_strategy=strategy), DAY)
    assert lake.rows("raw.readings", "sgv") == [(2,)]


def test_a_table_without_partitions_has_no_partition_date(lake: Lake) -> None:
    what = merged([{"_id": "a", "sgv": 1}, {"_id": "b"}], partitioned=False)
    lake.load("1", what, None)
    assert lake.rows("raw.readings", "_id", "sgv") == [("a", 1)]
    assert "partition_date" not in lake.catalog.load("raw.readings").schema().column_names
    assert [load.partition for load in lake.catalog.loads()] == [None]


@pytest.mark.parametrize("strategy", ["append", "replace"])
def test_rows_loaded_as_a_whole_are_not_joined_by_the_same_rows_by_day(lake: Lake, strategy: Any) -> None:
    rows = [{"_id": "a", "sgv": 1}]
    lake.load("1", merged(rows, merge_strategy=strategy, partitioned=False), None)
    lake.open("2")
    with pytest.raises(PartitioningChanged, match="was loaded as a whole so far, and `deliver` now loads it by day"):
        lake.write(merged(rows, merge_strategy=strategy))
    assert lake.rows("raw.readings", "_id", ref=lake.ref) == [("a",)]


def test_rows_loaded_by_day_are_not_joined_by_the_same_rows_as_a_whole(lake: Lake) -> None:
    lake.load("1", merged([{"_id": "a", "sgv": 1}], merge_strategy="append"))
    lake.open("2")
    with pytest.raises(PartitioningChanged, match="was loaded by day so far") as failure:
        lake.write(merged([{"_id": "a", "sgv": 1}], merge_strategy="append", partitioned=False), None)
    assert failure.value.next_step.startswith("let it take partition_date: str again, or ")
    lake.load("3", merged([{"_id": "b", "sgv": 1}], merge_strategy="replace", partitioned=False), None)
    assert lake.rows("raw.readings", "_id") == [("b",)]


@pytest.mark.parametrize("first", [True, False])
def test_merged_rows_are_told_apart_by_their_key_whether_loaded_by_day_or_not(lake: Lake, first: bool) -> None:
    for run, by_day in (("1", first), ("2", not first)):
        lake.load(run, merged([{"_id": "a", "sgv": 1}], partitioned=by_day), DAY if by_day else None)
    assert lake.rows("raw.readings", "_id", "sgv") == [("a", 1)]


def test_too_many_rejected_rows_fail_the_load_and_can_be_looked_at_on_the_ref(lake: Lake) -> None:
    rows = [{"_id": str(n), "sgv": 100 if n % 3 == 0 else None} for n in range(30)]
    lake.open("1")
    with pytest.raises(TooManyRejected) as failure:
        lake.write(merged(rows))
    assert str(failure.value) == "20 of 30 rows of `readings` were rejected (2024-01-20): `sgv` is null (20)"
    assert len(lake.rows("rejected.readings", "row", ref=lake.ref)) == 20
    assert "raw.readings" not in lake.catalog.pin(lake.ref).tables


def test_a_column_that_the_source_calls_otherwise_is_told_by_the_fields_that_nobody_names(lake: Lake) -> None:
    lake.open("1")
    with pytest.raises(TooManyRejected) as failure:
        lake.write(merged([{"_id": str(n), "glucose": 100} for n in range(30)]))
    assert str(failure.value).endswith("`sgv` is null (30). The schema does not name glucose (30)")


def test_a_share_of_few_rows_says_nothing_and_the_limit_can_be_set(lake: Lake) -> None:
    lake.open("1")
    rows = [{"_id": str(n), "sgv": 0} for n in range(19)]
    assert lake.write(merged(rows))[0].rows_rejected == 19
    rows.append({"_id": "19", "sgv": 0})
    lake.open("2")
    assert lake.write(merged(rows, max_rejected=1.0))[0].rows_rejected == 20


def test_no_share_at_all_means_no_rejected_row_of_few_either(lake: Lake) -> None:
    lake.open("1")
    with pytest.raises(TooManyRejected, match="1 of 2 rows"):
        lake.write(merged([{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 0}], max_rejected=0.0))


def test_on_invalid_fail_allows_no_rejected_row(lake: Lake) -> None:
    lake.open("1")
    with pytest.raises(TooManyRejected):
        lake.write(merged([{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 0}], on_invalid="fail"))
    assert lake.rows("rejected.readings", "column", ref=lake.ref) == [("sgv",)]


def test_a_load_that_the_ref_has_is_not_written_again(lake: Lake) -> None:
    lake.open("1")
    first = lake.write(merged([{"_id": "a", "sgv": 1}]))
    assert lake.write(merged([{"_id": "a", "sgv": 2}])) == first
    assert lake.rows("raw.readings", "sgv", ref=lake.ref) == [(1,)]


def test_an_attempt_that_died_before_the_ledger_is_repeated_to_the_same_rows_and_numbers(lake: Lake) -> None:
    lake.load("1", merged([{"_id": "a", "sgv": 1}, {"_id": "c", "sgv": 3}]))
    rows = {
        str(DAY): [{"_id": "a", "sgv": 9}, {"_id": "b", "sgv": 2}, {"_id": "c", "sgv": 3}],
        str(NEXT): [{"_id": "d", "sgv": 4}],
    }
    what = merged(rows)
    lake.open("2")
    staged = lake.stage(what, DAY, NEXT)

    class Dies:
        def __getattr__(self, name: str) -> Any:
            if name == "record_load":
                raise ConnectionAbortedError
            return getattr(lake.catalog, name)

    with pytest.raises(ConnectionAbortedError):
        write_loads(what, staged, lake.engine, Dies(), lake.ref)  # type: ignore[arg-type]
    after = lake.rows("raw.readings", "_id", "sgv", "_phlo_load_id", "_phlo_loaded_at", ref=lake.ref)
    loads = write_loads(what, lake.stage(what, DAY, NEXT), lake.engine, lake.catalog, lake.ref)
    assert [counts(load) for load in loads] == [(3, 1, 1, 1, 0), (1, 1, 0, 0, 0)]
    assert lake.rows("raw.readings", "_id", "sgv", "_phlo_load_id", "_phlo_loaded_at", ref=lake.ref) == after


def test_a_new_field_of_the_model_becomes_a_column_and_a_removed_one_turns_null(lake: Lake) -> None:
    class Named(Reading):
        device: Series[str] = pa.Field(nullable=True)

    lake.load("1", merged([{"_id": "a", "sgv": 1}]))
    lake.load("2", replace(merged([{"_id": "b", "sgv": 2, "device": "x"}]), validation_schema=Named))
    lake.load("3", merged([{"_id": "b", "sgv": 3, "device": "x"}]))
    assert lake.rows("raw.readings", "_id", "sgv", "device") == [("a", 1, None), ("b", 3, None)]


@pytest.mark.parametrize(
    ("narrow", "wide", "value", "stored"),
    [(pandas.Int32Dtype, int, 2**40, "long"), (pandas.Float32Dtype, float, 1e300, "double")],
)
def test_a_column_widens_with_its_model_and_does_not_narrow_again(
    lake: Lake, narrow: Any, wide: Any, value: Any, stored: str
) -> None:
    def model(kind: Any) -> Any:
        return type("Sized", (pa.DataFrameModel,), {"__annotations__": {"_id": str, "n": kind}, "__module__": __name__})

    def load(run: str, kind: Any, key: str, number: Any) -> None:
        what = ingestion(rows=[{"_id": key, "n": number}], unique_key=("_id",), validation_schema=model(kind))
        lake.load(run, what)

    load("1", narrow, "a", 1)
    load("2", wide, "b", value)
    load("3", narrow, "c", 3)
    assert lake.rows("raw.readings", "_id", "n") == [("a", 1), ("b", value), ("c", 3)]
    assert str(lake.catalog.load("raw.readings").schema().find_type("n")) == stored


def test_a_change_of_type_that_loses_values_is_an_error_before_any_row_is_written(lake: Lake) -> None:
    class Text(pa.DataFrameModel):
        _id: Series[str]
        sgv: Series[str]

    lake.load("1", merged([{"_id": "a", "sgv": 1}, {"_id": "b", "sgv": 0}]))
    before = lake.catalog.pin()
    lake.open("2")
    with pytest.raises(SchemaMismatch):
        lake.write(replace(merged([{"_id": "a", "sgv": "x"}, {"_id": None}]), validation_schema=Text))
    assert lake.catalog.pin(lake.ref).tables == before.tables


def test_a_key_that_the_schema_lacks_is_an_error_with_the_nearest_name(lake: Lake) -> None:
    lake.open("1")
    with pytest.raises(SchemaError, match=r"unique key `id` is not a column of it; did you mean `_id`"):
        lake.write(replace(merged([{"_id": "a", "sgv": 1}]), unique_key=("id",)))


def test_a_key_that_rows_without_a_schema_lack_is_an_error_that_names_their_columns(lake: Lake) -> None:
    lake.open("1")
    rows = [{"_id": "a", "sgv": None, **{f"c{n:02}": 1 for n in range(12)}}]
    with pytest.raises(UnknownKey) as caught:
        lake.write(ingestion(rows=rows, unique_key=("id",)))
    assert str(caught.value) == (
        "No row of `raw.readings` has a value in a column `id`, its unique key; they have `_id`, "
        + ", ".join(f"`c{n:02}`" for n in range(9))
        + " and 3 more; did you mean `_id`?"
    )
    assert caught.value.next_step.startswith("name columns of the rows in unique_key: ")
    lake.open("2")
    with pytest.raises(UnknownKey, match=r"in a column `sgv`, its unique key; they have `_id`$"):
        lake.write(ingestion(rows=[{"_id": "a", "sgv": None}], unique_key=("sgv",)))


def test_a_key_that_is_the_day_alone_is_warned_of_where_a_day_has_several_rows(lake: Lake) -> None:
    lake.reporter = told = Told()
    lake.load("1", ingestion(rows=[{"n": 1}], unique_key=("partition_date",)))
    assert told.said == []
    (load,) = lake.load("2", ingestion(rows=[{"n": 1}, {"n": 2}], unique_key=("partition_date",)), NEXT)
    assert (load.rows_written, load.rows_repeated) == (1, 1)
    assert told.said == ["raw.readings keeps one row of each day, for its unique key is `partition_date` alone"]


def test_keys_of_several_columns_merge_and_find_their_corrections(lake: Lake) -> None:
    class Dose(pa.DataFrameModel):
        at: Series[dt.datetime]
        who: Series[str]
        units: Series[float] = pa.Field(ge=0)

    def doses(*units: float) -> Any:
        rows = [{"at": f"2024-01-20T0{n}:00:00Z", "who": "O'Neill", "units": u} for n, u in enumerate(units)]
        return ingestion(rows=rows, unique_key=("at", "who"), validation_schema=Dose)

    lake.load("1", doses(1.0, 2.0))
    (load,) = lake.load("2", doses(1.5, -2.0, -3.0))
    assert (counts(load), load.corrections_rejected) == ((3, 0, 1, 0, 2), 1)
    assert lake.rows("raw.readings", "units") == [(1.5,), (2.0,)]


def test_without_a_schema_columns_are_those_of_the_rows_and_keep_their_types(lake: Lake) -> None:
    what = ingestion(rows=[{"_id": "a", "n": 1, "x": None}, {"_id": "b", "n": 2, "tags": ["u", "v"]}])
    lake.load("1", what)
    assert lake.rows("raw.readings", "_id", "n", "tags") == [("a", 1, None), ("b", 2, '["u","v"]')]
    (load,) = lake.load("2", ingestion(rows=[{"_id": "c", "n": 2.5}, {"_id": "d", "n": "3", "x": True}]))
    assert lake.rows("raw.readings", "_id", "n", "x") == [("d", 3, True)]
    assert load.reasons == {"`n` is not a whole number": 1}


def test_without_a_schema_and_without_rows_there_is_no_table_yet(lake: Lake) -> None:
    (load,) = lake.load("1", ingestion(rows=[], unique_key=("_id",)))
    assert counts(load) == (0, 0, 0, 0, 0)
    assert lake.catalog.pin().tables == {}


def test_a_load_is_named_by_run_table_and_partition() -> None:
    names = {
        load_id("r", "raw.a", DAY),
        load_id("r", "raw.a", NEXT),
        load_id("r", "raw.b", DAY),
        load_id("r", "raw.a", None),
    }
    assert len(names) == 4
    assert load_id("r", "raw.a", DAY) == load_id("r", "raw.a", DAY)


def test_a_key_may_hold_the_partition(lake: Lake) -> None:
    class Hourly(pa.DataFrameModel):
        hour: Series[int]
        n: Series[int] = pa.Field(ge=0)

    def hourly(rows: dict[str, list[dict[str, int]]]) -> Any:
        return ingestion(rows=rows, unique_key=("partition_date", "hour"), validation_schema=Hourly)

    lake.load("1", hourly({str(DAY): [{"hour": 1, "n": 1}], str(NEXT): [{"hour": 1, "n": 2}]}), DAY, NEXT)
    (load,) = lake.load("2", hourly({str(NEXT): [{"hour": 1, "n": -1}, {"hour": 2, "n": -1}]}), NEXT)
    assert (load.rows_rejected, load.corrections_rejected) == (2, 1)
    (load,) = lake.load("3", hourly({str(NEXT): [{"hour": 1, "n": 3}]}), NEXT)
    assert lake.rows("raw.readings", "partition_date", "hour", "n") == [(DAY, 1, 1), (NEXT, 1, 3)]


def test_names_of_columns_stay_as_they_are_whatever_they_are(lake: Lake) -> None:
    names = ["select", "a b", 'a"b', "é", "with.dot", "dateString", "1st", "a'b"]
    what = ingestion(rows=[{"_id": "a", **dict.fromkeys(names, 1)}, {"_id": None}], unique_key=("_id",))
    lake.load("1", what)
    assert lake.rows("raw.readings", *names) == [(1,) * len(names)]


def test_a_key_named_with_quotes_finds_its_corrections(lake: Lake) -> None:
    class Quoted(pa.DataFrameModel):
        key: Series[str] = pa.Field(alias='k"e y')
        n: Series[int] = pa.Field(ge=0)

    def rows(*values: int) -> Any:
        given = [{'k"e y': "it's", "n": value} for value in values]
        return ingestion(rows=given, unique_key=('k"e y',), validation_schema=Quoted)

    lake.load("1", rows(1))
    (load,) = lake.load("2", rows(-1))
    assert load.corrections_rejected == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Series[int], 2**60),
        (Series[float], 0.1),
        (Series[float], "-Infinity"),
        (Series[bool], True),
        (Series[dt.date], "2024-01-20"),
        (Series[dt.datetime], "2024-01-20T01:02:03.000004"),
        (Series[pa.Decimal], "1.5"),
    ],
    ids=["int", "float", "infinity", "bool", "date", "time", "decimal"],
)
def test_keys_of_every_type_find_their_corrections(lake: Lake, kind: Any, value: Any) -> None:
    model = type("Keyed", (pa.DataFrameModel,), {"__annotations__": {"k": kind, "n": Series[int]}, "n": pa.Field(ge=0)})
    lake.load("1", ingestion(rows=[{"k": value, "n": 1}], unique_key=("k",), validation_schema=model))
    (load,) = lake.load("2", ingestion(rows=[{"k": value, "n": -1}], unique_key=("k",), validation_schema=model))
    assert load.corrections_rejected == 1


@pytest.mark.parametrize("key", ["it's", 'a"b', "a\\b", "a\nb", "--", "é\U0001f600", "a\u0000b", "%s {x} ?", "", " "])
def test_keys_of_any_text_find_their_corrections(lake: Lake, key: str) -> None:
    lake.load("1", merged([{"_id": key, "sgv": 1}]))
    (load,) = lake.load("2", merged([{"_id": key, "sgv": 0}]))
    assert load.corrections_rejected == 1


def test_a_key_that_is_a_list_is_an_error(lake: Lake) -> None:
    class Listed(pa.DataFrameModel):
        tags: Series[list[int]]

    lake.open("1")
    with pytest.raises(SchemaError, match="the unique key `tags` is a list<item: int64>, which no rows can be told"):
        lake.write(ingestion(rows=[{"tags": [1]}], unique_key=("tags",), validation_schema=Listed))


def test_more_rejected_corrections_than_one_query_asks_for_are_all_counted(lake: Lake) -> None:
    lake.load("1", merged([{"_id": str(n), "sgv": 1} for n in range(2500)]))
    bad = [{"_id": str(n), "sgv": 0} for n in range(1000, 3000)]
    (load,) = lake.load("2", merged(bad, max_rejected=1.0))
    assert load.corrections_rejected == 1500


def test_an_attempt_that_died_on_a_new_table_is_counted_as_new_rows(lake: Lake) -> None:
    what = merged([{"_id": "a", "sgv": 1}])
    lake.open("1")
    staged = lake.stage(what, DAY)
    write_loads(what, staged, lake.engine, _Forgets(lake.catalog), lake.ref)  # type: ignore[arg-type]
    (load,) = write_loads(what, staged, lake.engine, lake.catalog, lake.ref)
    assert counts(load) == (1, 1, 0, 0, 0)


class _Forgets:
    """A catalog whose ledger does not get to hear of a load."""

    def __init__(self, catalog: Any) -> None:
        self._catalog = catalog

    def record_load(self, ref: str, load: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)


def test_remarks_say_what_counts_do_not_and_nothing_of_a_load_without_it(lake: Lake) -> None:
    lake.load("1", merged([{"_id": "a", "sgv": 1}]))
    loads = lake.load("2", merged([{"_id": "a", "sgv": 0, **{f"x{n}": 1 for n in range(7)}}, {"_id": "b"}]))
    assert remarks(loads) == [
        "Rejected from raw.readings: `sgv` is not at least 1 (1), `sgv` is null (1).",
        "1 of them would have corrected a row of raw.readings, which stays as it was.",
        "Left out of raw.readings, for its schema does not name them: "
        "x0 (1), x1 (1), x2 (1), x3 (1), x4 (1), and 2 more.",
    ]
    assert remarks(lake.load("3", merged([{"_id": "a", "sgv": 1}]))) == []


def test_many_keys_of_several_columns_are_asked_for_together(lake: Lake) -> None:
    class Pair(pa.DataFrameModel):
        a: Series[int]
        b: Series[str]
        n: Series[int] = pa.Field(ge=0)

    def pairs(count: int, n: int) -> Any:
        rows = [{"a": k, "b": str(k), "n": n} for k in range(count)]
        return ingestion(rows=rows, unique_key=("a", "b"), validation_schema=Pair, max_rejected=1.0)

    lake.load("1", pairs(1100, 1))
    (load,) = lake.load("2", pairs(1200, -1))
    assert load.corrections_rejected == 1100
