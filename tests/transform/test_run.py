"""Runs of dbt on a ref: what is built, tested, told and left alone. One lake; dbt reads its project once."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.declarations import SilentReporter
from phlo.errors import DataTestsFailed, DbtProjectBroken, DbtStopped, HooksFailed, ModelsFailed, ModelsSkipped
from phlo.transform.lineage import Column, read_lineage
from phlo.transform.models import data_tests
from phlo.transform.results import NodeResult, TransformResult, raise_failures
from phlo.transform.run import run_models
from phlo.transform.run import test_changes as changes_tested

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.profiles import Lake

    Rows = Callable[[str], list[dict[str, Any]]]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dbt", "ignore::ResourceWarning")


def build(lake: Lake, ref: str, *names: str, **options: Any) -> TransformResult:
    return run_models(lake, ref, names, SilentReporter(), **options)


@pytest.fixture(scope="module")
def whole(shared_lake: Lake) -> tuple[TransformResult, str, list[str], set[Path]]:
    """One run of everything: the result, its ref, what the reporter was told, and what the user's folder holds."""
    shared_lake.catalog.create_ref("run-everything")
    reporter, before = Watching(), Path.cwd()
    result = run_models(shared_lake, "run-everything", (), reporter)
    assert Path.cwd() == before
    tree = {path.relative_to(shared_lake.project.root) for path in shared_lake.project.root.rglob("*")}
    return result, "run-everything", reporter.messages, {path for path in tree if path.parts[0] != ".phlo"}


def query(lake: Lake, ref: str, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lake.engine.query(sql, lake.catalog.pin(ref)).to_pylist()
    return found


def test_the_spec_s_models_run_unchanged_and_land_on_the_ref_alone(whole: Any, shared_lake: Lake) -> None:
    result, ref, _, _ = whole
    assert {model.table: model.rows for model in result.models} == {
        "bronze.stg_glucose_entries": 288,
        "bronze.devices": 2,
        "silver.fct_glucose_readings": 288,
        "silver.latest_readings": 288,
        "silver.glucose_history": 3,
        "gold.readings_per_hour": None,
        "marts.mrt_glucose_hourly_patterns": 24,
    }
    assert {model.status for model in result.models} == {"success"}
    assert query(shared_lake, ref, "select * from silver.fct_glucose_readings where entry_id = 'r013'") == [
        {
            "entry_id": "r013",
            "glucose_mg_dl": 73,
            "reading_timestamp": dt.datetime(2024, 1, 20, 1, 5),
            "hour_of_day": 1,
            "day_of_week": 6,
            "glucose_category": "in_range",
            "is_in_range": 1,
        }
    ]
    assert set(shared_lake.catalog.pin().tables) == {"raw.glucose_entries"}


def test_a_view_is_read_by_the_table_on_it(whole: Any, shared_lake: Lake) -> None:
    pin = shared_lake.catalog.pin(whole[1])
    assert set(pin.views) == {"gold.readings_per_hour"}
    total = query(
        shared_lake,
        whole[1],
        "select sum(readings) as n, min(time_in_range_pct) as low from marts.mrt_glucose_hourly_patterns",
    )
    assert total[0]["n"] == 288
    assert total[0]["low"] == 0.0


def test_data_tests_and_unit_tests_run_with_the_models(whole: Any) -> None:
    assert {(test.name, test.kind, test.status) for test in whole[0].tests} == {
        ("not_null_fct_glucose_readings_entry_id", "test", "pass"),
        ("unique_fct_glucose_readings_entry_id", "test", "pass"),
        (
            "accepted_values_fct_glucose_readings_glucose_category__hypoglycemia__in_range__hyperglycemia",
            "test",
            "pass",
        ),
        ("source_not_null_raw_iceberg_glucose_entries__id", "test", "pass"),
        ("source_unique_raw_iceberg_glucose_entries__id", "test", "pass"),
        ("no_reading_is_impossible", "test", "pass"),
        ("readings_are_put_in_categories", "unit_test", "pass"),
    }


def test_each_column_of_the_models_comes_from_columns_of_raw_tables(whole: Any, shared_lake: Lake) -> None:
    found = read_lineage(shared_lake, whole[1])
    sgv, models = (Column("raw.glucose_entries", "sgv"),), found.models
    category = "silver.fct_glucose_readings", "glucose_category"
    assert found.direct(*category) == (Column("bronze.stg_glucose_entries", "glucose_mg_dl"),)
    assert found.origins(*category) == sgv
    assert found.origins("marts.mrt_glucose_hourly_patterns", "time_in_range_pct") == sgv
    assert found.origins("silver.latest_readings", "glucose_mg_dl") == sgv  # through an ephemeral model
    assert found.origins("silver.glucose_history", "glucose_mg_dl") == sgv
    assert found.origins("silver.glucose_history", "dbt_scd_id") == (Column("raw.glucose_entries", "_id"),)
    assert models["marts.mrt_glucose_hourly_patterns"].parents == ("gold.readings_per_hour",)
    assert "bronze.devices" not in models  # a seed
    assert [str(column) for column in found.uses("raw.glucose_entries", "date")] == [
        "bronze.stg_glucose_entries.reading_timestamp",
        "gold.readings_per_hour.hour_of_day",
        "marts.mrt_glucose_hourly_patterns.hour_of_day",
        "silver.fct_glucose_readings.day_of_week",
        "silver.fct_glucose_readings.hour_of_day",
        "silver.fct_glucose_readings.reading_timestamp",
        "silver.latest_readings.reading_timestamp",
    ]


def test_seeds_have_the_types_of_their_values_or_those_asked_for(whole: Any, shared_lake: Lake) -> None:
    assert [tuple(row.values()) for row in query(shared_lake, whole[1], "select * from bronze.devices")] == [
        ("xDrip-DexcomG6", 'Dexcom, "G6"', Decimal("1.50"), dt.date(2024, 1, 1), 3_000_000_000, True),
        ("größer", None, Decimal("2.00"), dt.date(2024, 2, 1), 1, False),
    ]


class Watching(SilentReporter):
    """Notes progress too."""

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        self.messages.append(f"{task} {done}/{total}, {rows} rows")


def test_the_reporter_is_told_of_each_model_when_it_is_done(whole: Any) -> None:
    steps, progress = whole[2][::2], whole[2][1::2]
    told = [message.rsplit(",", 1)[0] for message in steps]
    assert told[0:2] == ["bronze.devices: 2 rows", "bronze.stg_glucose_entries: 288 rows"]
    assert progress[-1] == "transforming 7/7, 893 rows"
    assert set(told) >= {"gold.readings_per_hour: view", "marts.mrt_glucose_hourly_patterns: 24 rows"}


def test_nothing_is_written_among_the_user_s_files_or_to_the_screen(
    whole: Any, shared_lake: Lake, ref: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not [path for path in whole[3] if {"target", "logs", "dbt_packages"} & set(path.parts)]
    build(shared_lake, ref, "stg_glucose_entries")
    assert capfd.readouterr() == ("", "")


def test_only_what_is_selected_is_built_with_the_tests_on_it_and_on_its_sources(shared_lake: Lake, ref: str) -> None:
    result = build(shared_lake, ref, "bronze.stg_glucose_entries")
    assert [model.name for model in result.models] == ["stg_glucose_entries"]
    assert {test.name for test in result.tests} == {
        "source_not_null_raw_iceberg_glucose_entries__id",
        "source_unique_raw_iceberg_glucose_entries__id",
        "no_reading_is_impossible",
    }
    assert [change.name for change in shared_lake.catalog.diff(ref)] == ["bronze.stg_glucose_entries"]


def test_the_read_set_is_what_the_selected_models_and_tests_read(shared_lake: Lake, ref: str) -> None:
    from phlo.iceberg.refs import reads

    build(shared_lake, ref, "stg_glucose_entries", "latest_readings")
    with shared_lake.catalog.database.read() as connection:  # type: ignore[attr-defined]
        assert sorted(reads(connection, ref)) == ["bronze.stg_glucose_entries", "raw.glucose_entries"]


def test_a_second_run_without_a_change_leaves_every_table_as_it_is(shared_lake: Lake, ref: str) -> None:
    names = (
        "stg_glucose_entries",
        "fct_glucose_readings",
        "readings_per_hour",
        "mrt_glucose_hourly_patterns",
        "devices",
    )
    build(shared_lake, ref, *names)
    first = shared_lake.catalog.pin(ref)
    build(shared_lake, ref, *names)
    assert shared_lake.catalog.pin(ref) == first


def test_no_name_that_is_known_builds_nothing(shared_lake: Lake, ref: str) -> None:
    assert build(shared_lake, ref, "no_such_model") == TransformResult()
    assert shared_lake.catalog.diff(ref) == []


# ── dbt's own ways ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def varied(shared_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give dbt variables, as a user would in dbt_project.yml."""
    file = shared_lake.project.dbt / "dbt_project.yml"
    original = file.read_text()

    def vary(**variables: int) -> None:
        file.write_text(original + f"\nvars: {variables}\n")

    yield vary
    file.write_text(original)


def test_an_incremental_model_adds_what_is_new_and_is_made_anew_when_asked(
    shared_lake: Lake, ref: str, varied: Callable[..., None]
) -> None:
    names = ("stg_glucose_entries", "latest_readings")
    build(shared_lake, ref, *names)
    varied(offset=1000)
    result = build(shared_lake, ref, *names)
    assert [model.rows for model in result.models if model.name == "latest_readings"] == [1]
    raised = "select count(*) as n from silver.latest_readings where glucose_mg_dl > 1000"
    assert query(shared_lake, ref, raised) == [{"n": 1}]
    assert query(shared_lake, ref, "select count(*) as n from silver.latest_readings") == [{"n": 288}]
    build(shared_lake, ref, *names, full_refresh=True)
    assert query(shared_lake, ref, raised) == [{"n": 288}]


@pytest.mark.slow
def test_a_snapshot_keeps_the_history_of_rows_that_changed(
    shared_lake: Lake, ref: str, varied: Callable[..., None]
) -> None:
    names = ("stg_glucose_entries", "glucose_history")
    build(shared_lake, ref, *names)
    build(shared_lake, ref, *names)
    varied(offset=1)
    build(shared_lake, ref, *names)
    history = query(
        shared_lake,
        ref,
        "select entry_id, glucose_mg_dl, dbt_valid_to is null as valid, dbt_valid_from < dbt_valid_to as ended "
        "from silver.glucose_history order by entry_id, dbt_valid_from",
    )
    assert [tuple(row.values()) for row in history] == [
        ("r000", 60, False, True),
        ("r000", 61, True, None),
        ("r001", 61, False, True),
        ("r001", 62, True, None),
        ("r002", 63, True, None),
        ("r003", 63, True, None),
    ]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def broken(shared_lake: Lake) -> Callable[[str, str], None]:
    """Replace a file of the dbt project for one test."""
    originals: dict[Path, str | None] = {}

    def replace(path: str, text: str) -> None:
        file = shared_lake.project.dbt / path
        originals.setdefault(file, file.read_text() if file.exists() else None)
        file.write_text(text)

    yield replace
    for file, text in originals.items():
        file.unlink() if text is None else file.write_text(text)


def test_a_model_that_fails_is_named_with_its_file_and_the_engine_s_words(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    text = "\n{{ config(materialized='table') }}\nselect\n  hour_of_day,\n  sgv\nfrom {{ ref('fct_glucose_readings') }}"
    broken("models/gold/readings_per_hour.sql", text)
    names = ("stg_glucose_entries", "fct_glucose_readings", "readings_per_hour", "mrt_glucose_hourly_patterns")
    with pytest.raises(ModelsFailed) as caught:
        build(shared_lake, ref, *names)
    assert str(caught.value).splitlines() == [
        f"`gold.readings_per_hour` failed on `{ref}`: column `sgv` cannot be resolved",
        "transforms/dbt/models/gold/readings_per_hour.sql:5:3",
        "  3 | select",
        "  4 |   hour_of_day,",
        "> 5 |   sgv",
        "    |   ^",
        "  6 | from {{ ref('fct_glucose_readings') }}",
    ]
    compiled_in = ".phlo/state/dbt/target/compiled"
    assert caught.value.next_step == f"mend the model and run again; its compiled SQL is in {compiled_in}"
    result = caught.value.values["result"]
    assert isinstance(result, TransformResult)
    assert {model.name: model.status for model in result.models} == {
        "stg_glucose_entries": "success",
        "fct_glucose_readings": "success",
        "readings_per_hour": "error",
        "mrt_glucose_hourly_patterns": "skipped",
    }
    compiled = shared_lake.project.root / str(caught.value.values["compiled"])
    assert list(compiled.rglob("readings_per_hour.sql"))


def test_a_failing_data_test_stops_what_is_built_on_its_model_and_shows_rows(
    shared_lake: Lake, ref: str, varied: Callable[..., None]
) -> None:
    varied(highest=255)
    with pytest.raises(DataTestsFailed, match=r"1 data test failed .*`no_reading_is_impossible`") as caught:
        build(shared_lake, ref, "stg_glucose_entries", "fct_glucose_readings")
    result = caught.value.values["result"]
    assert isinstance(result, TransformResult)
    (failed,) = result.failed_tests
    assert failed.rows == 4
    assert failed.path == "transforms/dbt/tests/no_reading_is_impossible.sql"
    assert sorted(row["glucose_mg_dl"] for row in failed.failing) == [256, 257, 258, 259]
    assert {model.name: model.status for model in result.models} == {
        "stg_glucose_entries": "success",
        "fct_glucose_readings": "skipped",
    }


def test_a_test_of_severity_warn_is_kept_with_its_rows_and_stops_nothing(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    broken(
        "tests/no_reading_is_impossible.sql",
        "{{ config(severity='warn') }} select * from {{ ref('stg_glucose_entries') }} -- all of them",
    )
    result = build(shared_lake, ref, "stg_glucose_entries")
    (warned,) = [test for test in result.tests if test.status == "warn"]
    assert (warned.rows, len(warned.failing)) == (288, 5)


def test_a_test_that_stores_its_failures_does_so_on_the_ref(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    broken(
        "tests/no_reading_is_impossible.sql",
        "{{ config(severity='warn', store_failures=true, schema='audit') }} "
        "select entry_id from {{ ref('stg_glucose_entries') }} where glucose_mg_dl = 60",
    )
    build(shared_lake, ref, "stg_glucose_entries")
    assert query(shared_lake, ref, "select * from audit.no_reading_is_impossible order by 1") == [
        {"entry_id": "r000"},
        {"entry_id": "r200"},
    ]


def test_hooks_write_the_ref_and_what_can_not_be_written_is_refused(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    hooked = (
        "{{{{ config(pre_hook='create table if not exists audit.log (what varchar)', grants={{'select': ['all']}},"
        ' post_hook="{}") }}}} select _id as entry_id, 60 as glucose_mg_dl '
        "from {{{{ source('raw_iceberg', 'glucose_entries') }}}}"
    )
    broken("models/bronze/stg_glucose_entries.sql", hooked.format("insert into audit.log values ('{{ this }}')"))
    build(shared_lake, ref, "stg_glucose_entries")
    assert query(shared_lake, ref, "select * from audit.log") == [{"what": '"bronze"."stg_glucose_entries"'}]
    broken("models/bronze/stg_glucose_entries.sql", hooked.format("vacuum audit.log"))
    with pytest.raises(ModelsFailed, match=r"`vacuum audit\.log` can not run here"):
        build(shared_lake, ref, "stg_glucose_entries")


def test_a_contract_that_the_columns_break_is_a_failed_model(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    broken(
        "models/bronze/schema.yml",
        "models: [{name: stg_glucose_entries, config: {contract: {enforced: true}}, "
        "columns: [{name: entry_id, data_type: varchar}, {name: glucose_mg_dl, data_type: varchar}]}]",
    )
    broken(
        "models/bronze/stg_glucose_entries.sql",
        "select _id as entry_id, sgv as glucose_mg_dl from {{ source('raw_iceberg', 'glucose_entries') }}",
    )
    with pytest.raises(ModelsFailed, match=r"glucose_mg_dl.*bigint.*varchar"):
        build(shared_lake, ref, "stg_glucose_entries")


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("models/gold/lost.sql", "select * from {{ ref('nowhere') }}", "'nowhere'"),
        ("models/gold/lost.sql", "select {{ oops", "gold/lost.sql"),
        ("models/gold/broken.yml", "models: [", "broken.yml"),
    ],
    ids=["unknown ref", "broken jinja", "broken yaml"],
)
def test_a_project_that_dbt_can_not_read_is_told_in_dbt_s_words(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None], path: str, text: str, words: str
) -> None:
    broken(path, text)
    with pytest.raises(DbtProjectBroken) as caught:
        build(shared_lake, ref)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_project_without_a_profile_has_one_made(tmp_path: Path, shared_lake: Lake, ref: str) -> None:
    profile = shared_lake.project.dbt / "profiles.yml"
    kept = profile.rename(tmp_path / "profiles.yml")
    try:
        assert build(shared_lake, ref, "devices").models[0].status == "success"
        assert not profile.exists()
    finally:
        kept.rename(profile)


def test_dbt_reports_to_no_one(whole: Any) -> None:
    tracking = sys.modules["dbt.tracking"]
    assert tracking.active_user is None or tracking.active_user.do_not_track  # type: ignore[attr-defined]


def test_the_state_folder_has_all_that_dbt_wrote(whole: Any, shared_lake: Lake) -> None:
    assert (shared_lake.project.state / "dbt" / "target" / "partial_parse.msgpack").is_file()
    assert not Path("target").exists()


# ── what a run is not over with ──────────────────────────────────────────────────────────────────────────


def test_a_hook_of_the_project_that_fails_fails_the_run(shared_lake: Lake, ref: str, settings: Any) -> None:
    settings("on-run-end: \"select nope from {{ ref('devices') }}\"")
    with pytest.raises(HooksFailed, match=r"1 hook of dbt_project.yml failed .* \(transforms/dbt/dbt_project.yml\)"):
        build(shared_lake, ref, "devices")


def test_a_hook_that_raises_stops_dbt_with_its_words(shared_lake: Lake, ref: str, settings: Any) -> None:
    settings("on-run-end: \"{% if execute %}{{ exceptions.raise_compiler_error('not today') }}{% endif %}\"")
    with pytest.raises(DbtStopped, match=r"`dbt build` stopped: .*not today"):
        build(shared_lake, ref, "devices")


def test_models_left_out_because_of_a_hook_fail_the_run(shared_lake: Lake, ref: str, settings: Any) -> None:
    settings(
        "on-run-start: \"select nope from {{ source('raw_iceberg', 'glucose_entries') }}\"\n"
        "flags: {skip_nodes_if_on_run_start_fails: true}"
    )
    with pytest.raises(HooksFailed) as caught:
        build(shared_lake, ref, "devices")
    assert [model.status for model in caught.value.values["result"].models] == ["skipped"]  # type: ignore[attr-defined]


def test_models_that_are_skipped_though_nothing_failed_fail_the_run(shared_lake: Lake) -> None:
    skipped = NodeResult("late", "model", "skipped", 0.0, table="gold.late")
    with pytest.raises(ModelsSkipped, match=r"dbt skipped 1 model, .*`gold.late`"):
        raise_failures(TransformResult([skipped]), "run-1", shared_lake.project)


@pytest.mark.parametrize("status", ["error", "runtime error", "partial success"])
def test_every_end_of_a_model_but_success_fails_the_run(shared_lake: Lake, status: str) -> None:
    model = NodeResult("batches", "model", status, 0.0, table="gold.batches", message="2 of 3 batches")
    with pytest.raises(ModelsFailed, match="2 of 3 batches"):
        raise_failures(TransformResult([model]), "run-1", shared_lake.project)


@pytest.fixture
def settings(shared_lake: Lake) -> Callable[[str], None]:
    """Add to dbt_project.yml for one test."""
    file = shared_lake.project.dbt / "dbt_project.yml"
    original = file.read_text()
    yield lambda more: file.write_text(f"{original}\n{more}\n") and None
    file.write_text(original)


# ── tests of what a run changed without a model ──────────────────────────────────────────────────────────


def deliver(lake: Lake, ref: str, *ids: str | None) -> None:
    rows = pa.table({"_id": pa.array(ids, pa.string()), "sgv": pa.array([100] * len(ids), pa.int64())})
    lake.engine.write("raw.glucose_entries", rows, ref, mode="append")


def test_loaded_tables_are_tested_though_no_model_runs(shared_lake: Lake, ref: str) -> None:
    assert changes_tested(shared_lake, ref) is None
    deliver(shared_lake, ref, "new")
    tested = changes_tested(shared_lake, ref)
    assert tested
    assert {(test.name, test.status) for test in tested.tests} == {
        ("source_not_null_raw_iceberg_glucose_entries__id", "pass"),
        ("source_unique_raw_iceberg_glucose_entries__id", "pass"),
    }
    deliver(shared_lake, ref, "twice", "twice")
    with pytest.raises(DataTestsFailed, match="source_unique_raw_iceberg_glucose_entries__id"):
        changes_tested(shared_lake, ref)


def test_the_usual_tests_of_loaded_tables_start_no_dbt(
    shared_lake: Lake, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {test.name for test in data_tests(shared_lake.project) if not test.sql} == {"no_reading_is_impossible"}

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("dbt was started")

    monkeypatch.setattr("phlo.transform.dbt.invoke", never)
    deliver(shared_lake, ref, "new")
    tested = changes_tested(shared_lake, ref)
    assert tested
    assert [test.status for test in tested.tests] == ["pass", "pass"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "status"),
    [
        ("{severity: warn}", "warn"),
        ("{warn_if: '> 0', error_if: '> 2'}", "warn"),
        ("{error_if: '> 5', warn_if: '> 4'}", "pass"),
        ("{error_if: '> 2', fail_calc: 'count(*) * 3'}", "fail"),
        ("{where: \"_id not like '%i%'\"}", "pass"),
        ("{limit: 1, error_if: '> 1', warn_if: '> 1'}", "pass"),
        ("{store_failures: true, schema: audit}", "fail"),
    ],
)
def test_what_a_test_is_configured_to_do_holds_without_dbt_too(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None], config: str, status: str
) -> None:
    described = "sources: [{name: raw_iceberg, schema: raw, tables: [{name: glucose_entries, columns: [{name: _id, "
    broken("models/sources.yml", f"{described}data_tests: [{{unique: {{config: {config}}}}}]}}]}}]}}]")
    deliver(shared_lake, ref, "twice", "twice", "again", "again")
    if status == "fail":
        with pytest.raises(DataTestsFailed, match=r"Got [26] results"):
            changes_tested(shared_lake, ref)
        return
    tested = changes_tested(shared_lake, ref)
    assert tested
    assert [test.status for test in tested.tests] == [status]


def test_tests_that_were_part_of_the_build_do_not_run_again(shared_lake: Lake, ref: str) -> None:
    deliver(shared_lake, ref, "new")
    built = build(shared_lake, ref, "stg_glucose_entries")
    assert changes_tested(shared_lake, ref, built) is built


def test_a_test_that_needs_a_model_to_be_built_again_waits_for_it(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    both = (
        "select _id from {{ source('raw_iceberg', 'glucose_entries') }} "
        "where _id not in (select entry_id from {{ ref('stg_glucose_entries') }})"
    )
    broken("tests/all_are_staged.sql", both)
    assert build(shared_lake, ref, "devices").tests == []
    built = build(shared_lake, ref, "stg_glucose_entries")
    assert ("all_are_staged", "pass") in {(test.name, test.status) for test in built.tests}
    deliver(shared_lake, ref, "new")
    tested = changes_tested(shared_lake, ref)
    assert tested
    assert "all_are_staged" not in {test.name for test in tested.tests}
    assert "all_are_staged" in {test.name for test in build(shared_lake, ref, "stg_glucose_entries").tests}


def test_a_test_that_compares_a_model_with_one_that_is_not_there_yet_waits_too(
    shared_lake: Lake, ref: str, broken: Callable[[str, str], None]
) -> None:
    broken(
        "tests/all_are_kept.sql",
        "select entry_id from {{ ref('stg_glucose_entries') }} "
        "except select entry_id from {{ ref('fct_glucose_readings') }}",
    )
    assert "all_are_kept" not in {test.name for test in build(shared_lake, ref, "stg_glucose_entries").tests}
    assert "all_are_kept" in {test.name for test in build(shared_lake, ref, "fct_glucose_readings").tests}
