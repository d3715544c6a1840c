"""Running declared checks on a ref: scopes, results, few queries, and checks that can't run."""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pandera.pandas as pandera
import pyarrow as pa
import pytest
from tests.quality.conftest import FIRST, REF, SECOND, THIRD, quality

from phlo.protocols import View
from phlo.quality import (
    CountCheck,
    CustomSQLCheck,
    FreshnessCheck,
    Measure,
    NullCheck,
    Outcome,
    PatternCheck,
    RangeCheck,
    SchemaCheck,
    Scope,
    UniqueCheck,
)
from phlo.quality.protocol import MeasuredCheck
from phlo.quality.results import read_outcome
from phlo.quality.runner import run_checks

if TYPE_CHECKING:
    import pandas as pd
    from tests.quality.conftest import Lake

READINGS = "raw.readings"


class ThresholdCheck:
    """A plugin's check, as the spec uses it: no base class, nothing of Phlo's."""

    def __init__(self, column: str, max_value: float, tolerance: float) -> None:
        self.column, self.max_value, self.tolerance = column, max_value, tolerance

    def execute(self, df: pd.DataFrame) -> dict[str, Any]:
        violations = int((df[self.column] > self.max_value).sum())
        return {"passed": violations <= self.tolerance * len(df), "violations": violations, "total": len(df)}


class Broken:
    """A plugin's check that raises."""

    name = "broken_check"

    def execute(self, df: pd.DataFrame) -> dict[str, Any]:
        raise ZeroDivisionError("of the plugin")


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_says_which_check_of_which_table_found_what(readings: Lake) -> None:
    result = readings.one(READINGS, RangeCheck("sgv", 20, 600), blocking=False, group="nightscout")
    assert (result.table, result.name, result.quality) == (READINGS, "RangeCheck(sgv, 20 to 600)", "readings_quality")
    assert (result.passed, result.blocking, result.group) == (False, False, "nightscout")
    assert (result.violations, result.total, result.error) == (2, 5, "")
    assert result.message == "raw.readings: RangeCheck(sgv, 20 to 600): 2 of 5 rows have a `sgv` that is not 20 to 600"
    assert sorted(row["sgv"] for row in result.rows) == [5, 700]
    assert result.rows[0]["partition_date"] in (FIRST, SECOND)
    assert result.seconds > 0


def test_results_come_in_the_order_of_declaration(readings: Lake) -> None:
    plugin = ThresholdCheck("sgv", 250, 0.5)
    checks = [plugin, UniqueCheck("_id"), NullCheck("nope"), RangeCheck("sgv", 1, 2), Broken(), CountCheck(1)]
    names = [result.name for result in readings.check(READINGS, *checks, changed=[FIRST])]
    assert names == [
        "ThresholdCheck",
        "UniqueCheck(_id)",
        "NullCheck(nope)",
        "RangeCheck(sgv, 1 to 2)",
        "broken_check",
        "CountCheck(at least 1)",
    ]


def test_the_same_check_may_stand_in_two_declarations(readings: Lake) -> None:
    check = NullCheck("sgv")
    qualities = [quality(READINGS, check, blocking=True), quality(READINGS, check, blocking=False)]
    results = run_checks(qualities, readings.engine, readings.catalog.pin(REF), {})
    assert [(result.blocking, result.violations) for result in results] == [(True, 1), (False, 1)]


def test_no_checks_are_no_results(lake: Lake) -> None:
    assert run_checks([], lake.engine, lake.catalog.pin(REF), {}) == []


def test_at_most_five_failing_rows_are_kept(lake: Lake) -> None:
    lake.put(READINGS, [{"_id": str(i)} for i in range(50)])
    result = lake.one(READINGS, NullCheck("sgv"))
    assert (result.violations, len(result.rows)) == (50, 5)


def test_an_empty_table_passes_what_looks_at_rows_and_fails_what_counts_them(lake: Lake) -> None:
    lake.put(READINGS, [])
    results = lake.check(
        READINGS, NullCheck("sgv"), UniqueCheck("_id"), RangeCheck("sgv", 1, 2), CountCheck(min_rows=1)
    )
    assert [(result.passed, result.total) for result in results] == [(True, 0), (True, 0), (True, 0), (False, 0)]
    assert results[-1].message.endswith("0 rows, 1 missing for at least 1")


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────────


def test_in_raw_only_the_partitions_of_the_run_are_looked_at(readings: Lake) -> None:
    assert readings.one(READINGS, NullCheck("_id"), changed=[FIRST]).total == 3
    result = readings.one(READINGS, NullCheck("_id"), changed=[SECOND])
    assert (result.violations, result.total) == (2, 2)


def test_scope_table_looks_at_all_rows(readings: Lake) -> None:
    assert readings.one(READINGS, NullCheck("_id"), changed=[FIRST], scope="table").total == 5


def test_elsewhere_all_rows_are_looked_at_unless_the_scope_says_changed(readings: Lake) -> None:
    readings.put("silver.readings", [{"_id": "a", "partition_date": FIRST}, {"partition_date": SECOND}])
    assert readings.one("silver.readings", NullCheck("_id"), changed=[FIRST]).total == 2
    assert readings.one("silver.readings", NullCheck("_id"), changed=[FIRST], scope="changed").total == 1


def test_uniqueness_and_freshness_are_of_the_whole_table_whatever_the_scope(readings: Lake) -> None:
    readings.put(READINGS, [{"_id": "a", "partition_date": THIRD}])
    unique, fresh = readings.check(
        READINGS, UniqueCheck("_id"), FreshnessCheck("partition_date", 1e6), changed=[SECOND], scope="changed"
    )
    assert (unique.violations, unique.total) == (2, 6)
    assert {row["_id"]: row["row_count"] for row in unique.rows} == {"a": 2, "b": 2}
    assert "2024-01-25" in fresh.message


def test_a_table_without_partitions_is_looked_at_as_a_whole(lake: Lake) -> None:
    lake.put("raw.devices", [{"name": "a"}, {"name": None}], pa.schema([("name", pa.string())]))
    assert lake.one("raw.devices", NullCheck("name"), changed=[FIRST]).total == 2


def test_a_table_that_the_run_did_not_write_is_looked_at_as_a_whole(readings: Lake) -> None:
    assert readings.one(READINGS, NullCheck("_id")).total == 5


def test_many_partitions_become_few_spans(readings: Lake) -> None:
    queries = spy(readings)
    year = [dt.date(2023, 12, 1) + dt.timedelta(days=i) for i in range(400)]
    assert readings.one(READINGS, NullCheck("_id"), changed=[*year, dt.date(2020, 1, 1)]).total == 5
    assert max(map(len, queries)) < 400


def test_rows_are_counted_for_each_changed_partition_by_itself(readings: Lake) -> None:
    result = readings.one(READINGS, CountCheck(min_rows=2, max_rows=2), changed=[FIRST, SECOND, THIRD])
    assert (result.passed, result.violations, result.total) == (False, 3, 5)
    found = {row["partition_date"]: row["row_count"] for row in result.rows}
    assert found == {FIRST: 3, THIRD: 0}
    assert readings.one(READINGS, CountCheck(2, 3), changed=[FIRST, SECOND]).passed
    assert readings.one(READINGS, CountCheck(5, 5), scope="table", changed=[FIRST, SECOND]).passed


def test_custom_sql_sees_the_rows_in_scope(readings: Lake) -> None:
    check = CustomSQLCheck("any", "SELECT r._id FROM {table} AS r")
    assert readings.one(READINGS, check, changed=[SECOND]).violations == 2
    assert readings.one(READINGS, check).violations == 5


def test_custom_sql_may_join_other_tables(readings: Lake) -> None:
    readings.put("silver.known", [{"_id": "a"}])
    sql = "SELECT t._id FROM {table} t WHERE t._id IS NOT NULL AND t._id NOT IN (SELECT _id FROM silver.known)"
    result = readings.one(READINGS, CustomSQLCheck("known", sql))
    assert (result.violations, [row["_id"] for row in result.rows]) == (2, ["b", "b"])


def test_a_view_can_be_checked(readings: Lake) -> None:
    readings.catalog.put_view("silver.high", View("SELECT sgv FROM raw.readings WHERE sgv > 100"), REF)
    results = readings.check("silver.high", RangeCheck("sgv", 0, 600), NullCheck("sgv"), CountCheck(1))
    assert [(result.passed, result.total) for result in results] == [(False, 3), (True, 3), (True, 3)]


# ── few queries ──────────────────────────────────────────────────────────────────────────────────────────


def spy(lake: Lake) -> list[str]:
    """Write down every query from here on."""
    queries: list[str] = []
    plain = lake.engine.query

    def query(sql: str, pin: Any) -> pa.Table:
        queries.append(sql)
        return plain(sql, pin)

    lake.engine.query = query  # type: ignore[method-assign]
    return queries


def test_the_passing_checks_of_a_table_take_one_query_beside_that_of_its_columns(readings: Lake) -> None:
    queries = spy(readings)
    checks = [RangeCheck("sgv", 1, 999), CountCheck(5), PatternCheck("_id", "."), UniqueCheck(["_id", "sgv"])]
    assert all(result.passed for result in readings.check(READINGS, *checks))
    assert len(queries) == 2


def test_failing_rows_take_one_query_for_each_failed_check(readings: Lake) -> None:
    queries = spy(readings)
    readings.check(READINGS, NullCheck("sgv"), NullCheck("partition_date"), RangeCheck("sgv", 20, 600))
    assert len(queries) == 4


def test_plugins_share_one_read_of_the_rows(readings: Lake) -> None:
    queries = spy(readings)
    readings.check(READINGS, ThresholdCheck("sgv", 250, 0), ThresholdCheck("sgv", 900, 0))
    assert len(queries) == 2


def test_what_is_checked_joins_the_read_set_of_the_ref(readings: Lake) -> None:
    readings.catalog.publish(REF)
    readings.catalog.create_ref("run-2")
    run_checks([quality(READINGS, NullCheck("sgv"))], readings.engine, readings.catalog.pin("run-2"), {})
    readings.catalog.create_ref("run-3")
    readings.engine.write(READINGS, pa.table({"_id": ["z"]}), "run-3", mode="append")
    readings.catalog.publish("run-3")
    readings.catalog.create_table("silver.other", pa.schema([("x", pa.int64())]), "run-2")
    from phlo.errors import PublishConflict

    with pytest.raises(PublishConflict, match=r"raw\.readings"):
        readings.catalog.publish("run-2")


# ── checks on data ───────────────────────────────────────────────────────────────────────────────────────


def test_a_plugin_gets_the_rows_in_scope_as_a_data_frame(readings: Lake) -> None:
    passed, failed = readings.check(
        READINGS, ThresholdCheck("sgv", 250, 0.5), ThresholdCheck("sgv", 250, 0.05), changed=[FIRST]
    )
    assert (passed.passed, passed.violations, passed.total) == (True, 1, 3)
    assert (failed.passed, failed.name) == (False, "ThresholdCheck")
    assert failed.message == "raw.readings: ThresholdCheck: 1 of 3 rows violate it"


def test_a_plugin_may_say_more_and_show_rows(readings: Lake) -> None:
    class Talkative:
        name = "talkative"

        def execute(self, df: pd.DataFrame) -> dict[str, Any]:
            rows = df.to_dict("records")
            return {"passed": False, "violations": 9, "total": 5, "message": "All wrong", "rows": rows * 2}

    result = readings.one(READINGS, Talkative())
    assert result.message == "raw.readings: talkative: All wrong"
    assert len(result.rows) == 5
    assert result.rows[0]["_id"] in ("a", "b", None)


def test_a_plugin_may_show_its_rows_as_a_data_frame(readings: Lake) -> None:
    class Framed:
        def execute(self, df: pd.DataFrame) -> dict[str, Any]:
            high = df[df["sgv"] > 600]
            return {"passed": high.empty, "violations": len(high), "total": len(df), "rows": high[["_id", "sgv"]]}

    assert readings.one(READINGS, Framed()).rows == ({"_id": "b", "sgv": 700.0},)


def test_a_secret_in_what_a_plugin_raises_is_not_told(readings: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "hunter2-and-more")

    class Leaking:
        def execute(self, df: pd.DataFrame) -> dict[str, Any]:
            raise ValueError("postgresql://ann:hunter2-and-more@db refused")

    assert "hunter2" not in readings.one(READINGS, Leaking()).message


def test_a_plugin_that_raises_is_a_failed_check_and_the_others_run(readings: Lake) -> None:
    broken, fine = readings.check(READINGS, Broken(), CountCheck(1))
    assert (broken.passed, broken.blocking, broken.error) == (False, True, "ZeroDivisionError")
    assert broken.message == "raw.readings: broken_check could not run: ZeroDivisionError: of the plugin"
    assert fine.passed


def test_a_plugin_that_returns_no_result_is_a_failed_check(readings: Lake) -> None:
    class Half:
        def execute(self, df: pd.DataFrame) -> dict[str, Any]:
            return {"passed": True}

    result = readings.one(READINGS, Half())
    assert not result.passed
    assert "its execute() returns no `violations` and no `total`" in result.message
    with pytest.raises(TypeError, match="not a dict"):
        read_outcome(None)  # type: ignore[arg-type]


def test_a_plugin_may_speak_sql(readings: Lake) -> None:
    class Even(MeasuredCheck):
        name, columns = "even", ("sgv",)

        def measure(self, scope: Scope) -> Measure:
            return Measure("count_if(sgv % 2 = 1)")

        def judge(self, value: Any, total: int) -> Outcome:
            return Outcome(value == 0, value, total, "odd")

    class Raising(Even):
        def judge(self, value: Any, total: int) -> Outcome:
            raise RuntimeError("no judge")

    even, raising, fine = readings.check(READINGS, Even(), Raising(), CountCheck(1))
    assert (even.violations, even.rows, even.error) == (1, (), "")
    assert (raising.error, fine.passed) == ("RuntimeError", True)


# ── checks with a schema ─────────────────────────────────────────────────────────────────────────────────


class Entries(pandera.DataFrameModel):
    _id: str = pandera.Field(unique=True, nullable=False)
    sgv: int = pandera.Field(ge=20, le=600)
    noise: float = pandera.Field(nullable=True, lt=1e9)

    class Config:
        strict = True


def test_a_schema_check_names_what_does_not_fit(readings: Lake) -> None:
    result = readings.one(READINGS, SchemaCheck(schema=Entries))
    assert (result.name, result.passed, result.violations, result.total) == ("SchemaCheck(Entries)", False, 4, 5)
    assert result.error == ""
    assert "4 of 5 rows do not fit Entries: " in result.message
    reasons = " / ".join(str(row["reason"]) for row in result.rows)
    assert "`sgv` = `700` is not at most 600" in reasons
    assert "`sgv` is null" in reasons
    assert "`_id` is null" in reasons
    assert {row["sgv"] for row in result.rows} == {700, None, 5, 120}


def test_a_schema_check_passes_what_fits_and_looks_at_the_scope_alone(lake: Lake) -> None:
    lake.put(READINGS, [{"_id": str(i), "sgv": 100 + i, "partition_date": FIRST} for i in range(300)])
    lake.put(READINGS, [{"_id": None, "sgv": 9, "partition_date": SECOND}])
    assert lake.one(READINGS, SchemaCheck(Entries), changed=[FIRST]).message.endswith("SchemaCheck(Entries): 300 rows")
    assert not lake.one(READINGS, SchemaCheck(Entries), changed=[FIRST, SECOND]).passed
    assert lake.one(READINGS, SchemaCheck(Entries, tolerance=0.01), changed=[FIRST, SECOND]).passed


def test_a_schema_check_finds_a_repeated_value_across_batches(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("phlo.quality.frames"), "BATCH", 10)
    lake.put(READINGS, [{"_id": str(i % 95), "sgv": 100, "partition_date": FIRST} for i in range(100)])
    assert lake.one(READINGS, SchemaCheck(Entries)).violations == 5


def test_a_column_that_the_schema_needs_and_the_table_lacks_is_named(readings: Lake) -> None:
    class Silver(pandera.DataFrameModel):
        nois: float

    result = readings.one(READINGS, SchemaCheck(Silver))
    assert (result.passed, result.error) == (False, "unknown-column")
    assert "There is no column `nois` in `raw.readings`; did you mean `noise`?" in result.message


# ── checks that can't run ────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_table_fails_its_checks_and_names_the_nearest(readings: Lake) -> None:
    wrong = quality("raw.reading", NullCheck("sgv"), CountCheck(1))
    right = quality(READINGS, CountCheck(1))
    *failed, passed = run_checks([wrong, right], readings.engine, readings.catalog.pin(REF), {})
    assert [result.error for result in failed] == ["unknown-table"] * 2
    assert failed[0].message == (
        "raw.reading: NullCheck(sgv) could not run: There is no table `raw.reading` on `run-1`; "
        "did you mean `raw.readings`?"
    )
    assert passed.passed


def test_an_unknown_column_names_the_nearest(readings: Lake) -> None:
    wrong, right = readings.check(READINGS, NullCheck(["_id", "datestring", "svg"]), NullCheck("partition_date"))
    assert (wrong.error, right.passed) == ("unknown-column", True)
    assert "There is no column `svg` in `raw.readings`; did you mean `sgv`?" in wrong.message


def test_the_example_of_the_spec_names_the_columns_that_there_are(lake: Lake) -> None:
    schema = pa.schema([("entry_id", pa.string()), ("glucose_mg_dl", pa.int64()), ("hour_of_day", pa.int64())])
    lake.put("silver.fct_glucose_readings", [{"entry_id": "a", "glucose_mg_dl": 110}], schema)
    result = lake.one("silver.fct_glucose_readings", RangeCheck(column="sgv", min_value=20, max_value=600))
    assert not result.passed
    assert (
        "There is no column `sgv` in `silver.fct_glucose_readings`; "
        "its columns are `entry_id`, `glucose_mg_dl`, `hour_of_day`" in result.message
    )


def test_a_column_may_be_written_in_another_case_as_in_sql(readings: Lake) -> None:
    assert readings.one(READINGS, NullCheck("DATESTRING")).violations == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM",
        "SELEC",
        "SELECT nope FROM {table}",
        "SELECT * FROM raw.nothing",
        "DELETE FROM {table}",
        "SELECT * FROM {table}; SELECT 1",
        "SELECT * FROM {table} WHERE CAST(_id AS integer) = 1",
        "SELECT * FROM read_csv('/etc/passwd')",
    ],
)
def test_sql_that_can_not_run_is_a_failed_check_and_the_others_run(readings: Lake, sql: str) -> None:
    bad, good = readings.check(READINGS, CustomSQLCheck("bad", sql), NullCheck("partition_date"))
    assert (bad.passed, bad.blocking, bool(bad.error)) == (False, True, True), bad.message
    assert bad.message.startswith("raw.readings: bad could not run: ")
    assert good.passed


def test_a_check_of_the_wrong_type_of_column_can_not_run(readings: Lake) -> None:
    bad, good = readings.check(READINGS, PatternCheck("sgv", "^1"), RangeCheck("_id", 1, 2))
    assert bad.error
    assert good.error


def test_a_check_that_can_not_run_blocks_as_its_declaration_says(readings: Lake) -> None:
    assert readings.one(READINGS, NullCheck("nope"), blocking=True).blocking is True
    assert readings.one(READINGS, NullCheck("nope"), blocking=False).blocking is False
