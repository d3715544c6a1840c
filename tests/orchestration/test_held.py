"""Materializations that wait for their publish: what Dagster thinks of partitions and staleness meanwhile and after."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    Definitions,
    MaterializeResult,
    StaticPartitionsDefinition,
    asset,
    in_process_executor,
)
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.loader import LoadingContextForTest

from phlo.orchestration.held import held, release, restore, save
from phlo.orchestration.instance import open_instance
from phlo.project import STATE, Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@asset
def a() -> None: ...


@asset(deps=[a])
def b() -> None: ...


@asset(deps=[a, b])
def c() -> None: ...


@asset(partitions_def=StaticPartitionsDefinition(["x", "y"]))
def days() -> MaterializeResult:  # type: ignore[type-arg]
    return MaterializeResult(metadata={"rows": 1})


@asset(deps=[days])
def total() -> None: ...


DEFS = Definitions(assets=[a, b, c, days, total], executor=in_process_executor)


@pytest.fixture
def instance(tmp_path: Path, blank: Path) -> Iterator[DagsterInstance]:
    shutil.copytree(blank, tmp_path / STATE / "dagster")
    with open_instance(Project(tmp_path, "held")) as found:
        yield found


def run(instance: DagsterInstance, *names: str, **tags: str) -> list[Any]:
    job = DEFS.resolve_implicit_global_asset_job_def()
    keys = {AssetKey(name) for name in names}
    made = instance.create_run_for_job(
        job.get_subset(asset_selection=keys), asset_selection=keys, tags={f"dagster/{k}": v for k, v in tags.items()}
    )
    with held(instance, made.run_id) as kept:
        assert execute_run(InMemoryJob(job), made, instance).success
    return kept


def stale(instance: DagsterInstance, *names: str) -> set[str]:
    graph = DEFS.resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return {name for name in names if resolver.get_status(AssetKey(name)).value != "FRESH"}


def plain(_: AssetMaterialization) -> dict[str, Any]:
    return {"publish": 7}


def test_nothing_counts_before_its_release_and_all_is_fresh_after(instance: DagsterInstance) -> None:
    for _ in range(2):
        kept = run(instance, "a", "b", "c")
        count = len(instance.fetch_materializations(AssetKey("c"), limit=9).records)
        assert len(kept) == 3
        assert release(instance, kept, plain) == 3
        records = instance.fetch_materializations(AssetKey("c"), limit=9).records
        assert len(records) == count + 1
        assert records[0].asset_materialization is not None
        assert records[0].asset_materialization.metadata["publish"].value == 7
        assert stale(instance, "a", "b", "c") == set()


@pytest.mark.slow
def test_what_is_made_from_a_newer_input_is_stale_and_only_that(instance: DagsterInstance) -> None:
    release(instance, run(instance, "a", "b", "c"), plain)
    release(instance, run(instance, "b"), plain)
    assert stale(instance, "a", "b", "c") == {"c"}


@pytest.mark.slow
def test_a_run_that_was_not_published_leaves_nothing_stale(instance: DagsterInstance) -> None:
    release(instance, run(instance, "a", "b", "c"), plain)
    run(instance, "a", "b")
    assert stale(instance, "a", "b", "c") == set()


def test_partitions_count_when_they_are_released_and_what_is_dropped_does_not(instance: DagsterInstance) -> None:
    kept = run(instance, "days", "total", asset_partition_range_start="x", asset_partition_range_end="y")
    assert instance.get_materialized_partitions(AssetKey("days")) == set()
    assert release(instance, kept, lambda m: None if m.partition == "x" else {}) == 2
    assert instance.get_materialized_partitions(AssetKey("days")) == {"y"}
    assert stale(instance, "total") == set()


def test_what_a_release_that_was_killed_has_stored_is_not_stored_again(instance: DagsterInstance) -> None:
    kept = run(instance, "a", "b", "c")
    assert release(instance, kept[:2], plain) == 2
    assert release(instance, kept, plain) == 1
    counts = [len(instance.fetch_materializations(AssetKey(name), limit=9).records) for name in "abc"]
    assert counts == [1, 1, 1]


@pytest.mark.slow
def test_events_wait_in_a_file(instance: DagsterInstance, tmp_path: Path) -> None:
    kept = run(instance, "a", "b", "c")
    save(tmp_path / "held" / "run-1.json", kept)
    assert restore(tmp_path / "held" / "run-1.json") == kept
    assert restore(tmp_path / "held" / "run-2.json") == []


def test_events_of_other_runs_are_stored_at_once(instance: DagsterInstance) -> None:
    with held(instance, "another") as kept:
        instance.report_runless_asset_event(AssetMaterialization("a"))
    assert kept == []
    assert len(instance.fetch_materializations(AssetKey("a"), limit=9).records) == 1


@pytest.mark.slow
def test_after_the_run_the_instance_stores_as_before(instance: DagsterInstance) -> None:
    run(instance, "a")
    assert "handle_new_event" not in vars(instance)
