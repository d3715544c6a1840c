"""Single ingestions and checks on rows, in lakes that are thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandera.pandas as pandera
import pyarrow as pa
import pytest

import phlo
from phlo.declarations import declared
from phlo.errors import InvalidDate, InvalidDeclaration, SourceError, TooManyRejected
from phlo.quality import CountCheck, CustomSQLCheck, RangeCheck, UniqueCheck
from phlo.testing import check_rows, run_ingestion, temporary_lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Reading(pandera.DataFrameModel):
    _id: str
    sgv: int = pandera.Field(ge=1)


@pytest.fixture(autouse=True)
def nothing_declared() -> Iterator[None]:
    kept = list(declared)
    declared.clear()
    yield
    declared[:] = kept


@pytest.fixture
def readings() -> Callable[..., Any]:
    @phlo.ingestion(unique_key="_id", validation_schema=Reading)
    def readings(partition_date: str) -> list[dict[str, Any]]:
        return [{"_id": partition_date, "sgv": 110}]

    return readings


def test_a_day_is_loaded_from_the_functions_own_source(readings: Callable[..., Any]) -> None:
    result = run_ingestion(readings, "2024-01-21")
    assert result.rows == [{"_id": "2024-01-21", "sgv": 110}]
    assert (result.load.table, result.load.partition) == ("raw.readings", "2024-01-21")
    assert (result.load.rows_read, result.load.rows_written, result.rejected) == (1, 1, [])


def test_rows_stand_in_for_the_source(readings: Callable[..., Any]) -> None:
    result = run_ingestion(readings, rows=[{"_id": "a", "sgv": "5"}, {"_id": "b", "sgv": 0}])
    assert result.rows == [{"_id": "a", "sgv": 5}]
    assert [(each.row["_id"], each.columns) for each in result.rejected] == [("b", ("sgv",))]
    assert result.load.rows_rejected == 1


def test_an_arrow_table_may_stand_in_too(readings: Callable[..., Any]) -> None:
    assert run_ingestion(readings, rows=pa.table({"_id": ["a"], "sgv": [7]})).rows == [{"_id": "a", "sgv": 7}]


def test_no_rows_are_an_empty_day(readings: Callable[..., Any]) -> None:
    result = run_ingestion(readings, rows=[])
    assert (result.rows, result.rejected, result.load.rows_read) == ([], [], 0)


def test_one_lake_shows_corrections_and_repeats(readings: Callable[..., Any]) -> None:
    with temporary_lake() as lake:
        run_ingestion(readings, rows=[{"_id": "a", "sgv": 110}, {"_id": "b", "sgv": 120}], lake=lake)
        again = run_ingestion(readings, rows=[{"_id": "a", "sgv": 111}, {"_id": "b", "sgv": 120}], lake=lake)
        assert sorted(row["sgv"] for row in again.rows) == [111, 120]
        assert (again.load.rows_written, again.load.rows_updated, again.load.rows_unchanged) == (0, 1, 1)
        assert len(lake.catalog.publishes()) == 2
        assert lake.query("SELECT count(*) AS n FROM raw.readings").to_pylist() == [{"n": 2}]


def test_two_runs_without_a_lake_know_nothing_of_each_other(readings: Callable[..., Any]) -> None:
    run_ingestion(readings, rows=[{"_id": "a", "sgv": 1}])
    assert run_ingestion(readings, rows=[{"_id": "b", "sgv": 1}]).rows == [{"_id": "b", "sgv": 1}]


def test_an_ingestion_without_partitions_can_be_run() -> None:
    @phlo.ingestion(table_name="devices", merge_strategy="replace")
    def all_devices() -> list[dict[str, str]]:
        return [{"name": "x"}]

    assert run_ingestion(all_devices).rows == [{"name": "x"}]
    assert run_ingestion(all_devices, rows=[{"name": "y"}]).rows == [{"name": "y"}]


def test_what_a_run_would_say_is_raised(readings: Callable[..., Any]) -> None:
    with pytest.raises(TooManyRejected):
        run_ingestion(readings, rows=[{"_id": str(i), "sgv": 0} for i in range(30)])
    with pytest.raises(InvalidDate):
        run_ingestion(readings, "yesterday")

    @phlo.ingestion(unique_key="_id")
    def broken(partition_date: str) -> list[dict[str, str]]:
        raise ValueError("no source")

    with pytest.raises(SourceError, match="no source"):
        run_ingestion(broken)


def test_a_function_without_its_decorator_is_an_error() -> None:
    def plain() -> None: ...

    with pytest.raises(InvalidDeclaration, match=r"the function is not decorated with @phlo\.ingestion"):
        run_ingestion(plain)
    with pytest.raises(InvalidDeclaration, match=r"@phlo\.quality") as caught:
        check_rows(plain, [])
    assert "test_runs.py" in str(caught.value)


def test_a_function_is_found_again_after_its_file_was_imported_anew(readings: Callable[..., Any]) -> None:
    old = declared[0]
    declared.clear()

    def same_place(partition_date: str) -> list[dict[str, Any]]:
        return []

    declared.append(type(old)(**{**vars(old), "function": same_place}))
    assert run_ingestion(readings, rows=[{"_id": "a", "sgv": 1}]).rows == [{"_id": "a", "sgv": 1}]


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────────


def test_declared_checks_run_on_rows_as_if_these_were_the_table() -> None:
    many = CustomSQLCheck("many", "SELECT sgv FROM silver.readings WHERE sgv > 600")

    @phlo.quality(table="silver.readings", checks=[RangeCheck("sgv", 20, 600), UniqueCheck("id"), many], blocking=False)
    def readings_quality() -> None: ...

    results = check_rows(readings_quality, [{"id": 1, "sgv": 110}, {"id": 1, "sgv": 700}])
    assert [(result.passed, result.violations, result.blocking) for result in results] == [(False, 1, False)] * 3
    assert results[0].rows == ({"id": 1, "sgv": 700},)


def test_checks_of_rows_in_arrow_keep_their_types() -> None:
    @phlo.quality(table="raw.readings", checks=[CountCheck(min_rows=1), RangeCheck("sgv", 1, 2)])
    def readings_quality() -> None: ...

    empty = pa.table({"sgv": pa.array([], pa.int64())})
    assert [result.passed for result in check_rows(readings_quality, empty)] == [False, True]
