"""The project as Dagster's definitions: assets, checks, schedules, and the executor that makes a run a ref."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import Definitions
from dagster._utils.warnings import disable_dagster_warnings

from phlo.orchestration.assets import checks, dbt_assets, ingestion_asset
from phlo.orchestration.executor import run_is_ref
from phlo.orchestration.keys import data_test_keys
from phlo.orchestration.plans import Project
from phlo.orchestration.schedules import schedule_of
from phlo.orchestration.upkeep import upkeep_sensor, weekly_maintenance
from phlo.transform.models import data_tests, graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phlo.profiles import Lake
    from phlo.transform.models import DataTest, Model


def definitions(lake: Lake) -> Definitions:
    """Make the definitions of what a lake's project declares; files that do not import are left out.

    Raises ``DbtProjectBroken`` when dbt can not read its project.
    """
    return definitions_of(lake, graph(lake.project), data_tests(lake.project))


def definitions_of(lake: Lake, found: Iterable[Model], tests: Sequence[DataTest]) -> Definitions:
    """Make them with these models and tests of dbt's."""
    workflows, models = lake.workflows, tuple(found)
    ingestions = list(workflows.ingestions.values())
    raw = [ingestion.table for ingestion in ingestions]
    known = {*raw, *(model.table for model in models)}
    checked = [quality for quality in workflows.qualities if quality.table in known]
    zone = lake.project.settings.schedule_timezone
    with disable_dagster_warnings():  # freshness and backfill policies are beta, which the pinned version is for
        assets = [ingestion_asset(lake, each) for each in ingestions]
        return Definitions(
            assets=[*assets, *([dbt_assets(lake, models, tests, raw)] if models else [])],
            asset_checks=[checks(checked, tests, raw)] if checked or data_test_keys(tests, raw) else [],
            schedules=[*(schedule_of(each, zone) for each in ingestions if each.cron), weekly_maintenance(lake, zone)],
            sensors=[upkeep_sensor(lake)],
            executor=run_is_ref(Project(lake, models)),
        )


def counted(lake: Lake, made: Definitions) -> str:
    """Say in a line what a project has."""
    repository = made.get_repository_def()
    ingestions = len(lake.workflows.ingestions)
    numbers = {
        "ingestion": ingestions,
        "model": len(repository.asset_graph.materializable_asset_keys) - ingestions,
        "check": len(repository.asset_graph.asset_check_keys),
        "schedule": len(repository.schedule_defs),
    }
    return "Found " + ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in numbers.items()) + "."
