"""A project as Dagster's definitions: what becomes of ingestions, models, checks, tests and partitions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, DagsterRunStatus
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from floor import floor_of
from tests.conftest import Shop

from phlo.orchestration.definitions import counted, definitions
from phlo.orchestration.tags import RUN_TAG
from phlo.profiles import open_lake
from phlo.scaffold import synthetic_cgm
from phlo.scaffold.init import init_project
from phlo.scaffold.nightscout_server import NightscoutServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import JobExecutionResult
    from floor import Floor

pytestmark = pytest.mark.xdist_group("glucose")  # one worker makes the platform that the tests share

DAY = "2024-01-20"
MODELS = ["bronze/stg_glucose_entries", "silver/fct_glucose_readings", "gold/fct_daily_glucose_metrics"]

TWO = """
import phlo
from phlo.quality import CountCheck, NullCheck


@phlo.ingestion(unique_key="id", group="a-b", partition_start="2024-01-20", freshness_hours=(1, 24))
def dated(partition_date: str):
    '''Readings of a day.'''
    return []


@phlo.ingestion()
def whole():
    return []


@phlo.quality(table="raw.dated", checks=[NullCheck(columns=["id"]), NullCheck(columns=["id"]), CountCheck(min_rows=1)])
def sound(): ...
"""


def test_ingestions_are_assets_with_their_group_days_freshness_and_checks(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "shop.py").write_text(TWO)
    lake = open_lake(shop.root)
    graph = definitions(lake).get_repository_def().asset_graph
    dated, whole = graph.get(AssetKey("dated")), graph.get(AssetKey("whole"))
    assert (dated.group_name, dated.description) == ("a_b", "Readings of a day.")
    assert dated.partitions_def is not None
    today = dt.datetime.now(dt.UTC)
    days = dated.partitions_def.get_partition_keys(today)
    assert (days[0], days[-1]) == (DAY, today.date().isoformat())
    assert dated.freshness_policy is not None
    assert (whole.partitions_def, whole.freshness_policy) == (None, None)
    assert {key.name for key in graph.asset_check_keys} == {
        "sound_NullCheck_id",
        "sound_NullCheck_id_2",
        "sound_CountCheck_at_least_1",
    }
    assert counted(lake, definitions(lake)) == "Found 2 ingestions, 0 models, 3 checks, 1 schedule."


def test_a_file_that_does_not_import_is_left_out(shop: Shop) -> None:
    (shop.root / "workflows" / "broken.py").write_text("import nothing_like_it\n")
    keys = definitions(open_lake(shop.root)).get_repository_def().asset_graph.materializable_asset_keys
    assert keys == {AssetKey("readings"), AssetKey("events")}


@pytest.fixture(scope="module")
def served_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Floor, str]]:
    """The glucose platform, and a site for it."""
    folder = tmp_path_factory.mktemp("glucose")
    root = folder / "glucose-platform"
    init_project(root.name, folder, "glucose")
    with NightscoutServer(synthetic_cgm.entries(dt.date(2024, 1, 18), 5)) as site, floor_of(Shop(root)) as floor:
        yield floor, site.base_url


@pytest.fixture
def glucose(served_site: tuple[Floor, str], monkeypatch: pytest.MonkeyPatch) -> Floor:
    """The platform, in an environment that names its site."""
    floor, url = served_site
    monkeypatch.setenv("NIGHTSCOUT_BASE_URL", url)
    return floor


@pytest.fixture(scope="module")
def loaded(served_site: tuple[Floor, str]) -> JobExecutionResult:
    """The run that loaded its first day and built its models."""
    floor, url = served_site
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTSCOUT_BASE_URL", url)
        return floor.run()


@pytest.mark.slow
def test_models_hang_below_what_they_read_and_dbts_tests_are_checks(glucose: Floor) -> None:
    graph = definitions(glucose.lake).get_repository_def().asset_graph
    assert graph.get(key(MODELS[0])).parent_keys == {AssetKey("glucose_entries")}
    assert graph.get(key(MODELS[1])).parent_keys == {key(MODELS[0])}
    assert graph.get(key(MODELS[1])).group_name == "silver"
    names = {check.name for check in graph.asset_check_keys if check.asset_key == key(MODELS[1])}
    assert any(name.startswith("unique_") for name in names)
    about = graph.get(key(MODELS[1])).metadata
    described = {column.name: column.description for column in about["dagster/column_schema"].columns}
    assert described["glucose_category"]
    assert "```sql" in about["SQL"].value
    assert "stg_glucose_entries" in about["SQL"].value
    (code,) = about["dagster/code_references"].code_references
    assert code.file_path == str(glucose.shop.root / about["declared in"])
    raw = {each.name: each for each in graph.get(AssetKey("glucose_entries")).metadata["dagster/column_schema"].columns}
    assert (raw["sgv"].type, raw["sgv"].constraints.nullable) == ("int64", False)
    assert raw["sgv"].constraints.other == ["1-1000"]


@pytest.mark.slow
def test_loading_and_transforming_is_one_publish_all_fresh_with_every_check_told(
    glucose: Floor, loaded: JobExecutionResult
) -> None:
    assert loaded.success
    publish = glucose.lake.catalog.publishes()[-1]
    assert (publish.seq, publish.run_id) == (1, glucose.tags(loaded)[RUN_TAG])
    assert {"raw.glucose_entries", "silver.fct_glucose_readings"} <= {change.name for change in publish.changes}
    graph = definitions(glucose.lake).get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(glucose.instance, graph, LoadingContextForTest(glucose.instance))
    assert {resolver.get_status(key(name)).value for name in MODELS} == {"FRESH"}
    told = {each.check_name: each.passed for each in loaded.get_asset_check_evaluations()}
    assert set(told) == {check.name for check in graph.asset_check_keys}
    assert all(told.values())
    found = glucose.instance.get_latest_materialization_event(key(MODELS[1]))
    assert found is not None and found.asset_materialization is not None
    assert found.asset_materialization.metadata["publish"].value == publish.seq
    assert found.asset_materialization.metadata["rows"].value > 200  # type: ignore[operator]
    about = {name: entry.value for name, entry in found.asset_materialization.metadata.items()}
    assert about["dagster/row_count"] == about["rows"]
    assert {column.name: column.type for column in about["dagster/column_schema"].columns}["glucose_mg_dl"] == "long"


@pytest.mark.slow
def test_a_dbt_test_that_fails_publishes_nothing_and_is_told(glucose: Floor) -> None:
    before = len(glucose.lake.catalog.publishes())
    test = glucose.shop.root / "transforms" / "dbt" / "tests" / "no_readings.sql"
    test.parent.mkdir(exist_ok=True)
    test.write_text("select * from {{ ref('fct_glucose_readings') }}")
    try:
        result = glucose.run(day="2024-01-21")
    finally:
        test.unlink()
    assert result.dagster_run.status is DagsterRunStatus.FAILURE
    assert len(glucose.lake.catalog.publishes()) == before
    told = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert told["no_readings"] is False
    assert "2024-01-21" not in glucose.materialized("glucose_entries")


@pytest.mark.slow
def test_models_alone_are_built_from_what_is_published(glucose: Floor, loaded: JobExecutionResult) -> None:
    result = glucose.run(MODELS[1], MODELS[2], day=None)
    assert result.success
    found = glucose.instance.get_latest_materialization_event(key(MODELS[2]))
    assert found is not None and found.run_id == result.run_id


def key(name: str) -> AssetKey:
    return AssetKey(name.split("/"))
