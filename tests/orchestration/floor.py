"""A project whose sources can be told what to do, and its Dagster instance: real SQLite, runs in this process."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagster import AssetKey, DagsterEventType
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run

from phlo.orchestration.definitions import definitions
from phlo.orchestration.instance import open_instance
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dagster import DagsterInstance, DagsterRun, JobExecutionResult
    from tests.conftest import Shop

    from phlo.profiles import Lake

DAY = "2024-01-20"
UPKEEP = "maintenance"

WAITING = """
import time
from pathlib import Path

import phlo

HERE = Path(__file__).resolve().parents[2] / "source"


@phlo.ingestion(unique_key="id")
def waiting(partition_date: str):
    (HERE / "began").touch()
    while not (HERE / "go").exists():
        time.sleep(0.05)
    yield {"id": 1}
"""


@dataclass
class Floor:
    """What a test of runs works with."""

    shop: Shop
    lake: Lake
    instance: DagsterInstance

    def run(
        self, *assets: str, day: str | None = DAY, tags: dict[str, str] | None = None, **more: Any
    ) -> JobExecutionResult:
        """Launch a run of these assets (all, without a name), as the server does, and wait for it."""
        return self.execute(self.create(*assets, day=day, tags=tags, **more))

    def create(
        self, *assets: str, day: str | None = DAY, tags: dict[str, str] | None = None, **more: Any
    ) -> DagsterRun:
        """Make a run without executing it."""
        keys = {AssetKey(name.split("/")) for name in assets} or None
        tags = {**({"dagster/partition": day} if day else {}), **(tags or {})}
        job = self.job
        if keys:
            job = job.get_subset(asset_selection=keys, asset_check_selection=more.pop("checks", None))
        return self.instance.create_run_for_job(job, tags=tags, asset_selection=keys, **more)

    def execute(self, run: DagsterRun) -> JobExecutionResult:
        """Execute a run in this process."""
        return execute_run(InMemoryJob(self.job), run, self.instance)

    def failure(self, run: DagsterRun) -> str:
        """What the run's failure says."""
        (event,) = self.instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_FAILURE)
        assert event.dagster_event is not None
        error = event.dagster_event.job_failure_data.error
        return f"{event.message} {error.message if error else ''}"

    def resume(self, failed: JobExecutionResult, steps: list[str]) -> JobExecutionResult:
        """Re-execute the failed steps of a run, as the UI's "from failure" does: the tags are inherited."""
        job = self.job
        tags = {**self.tags(failed), "dagster/is_resume_retry": "true"}
        run = self.instance.create_run_for_job(
            job,
            execution_plan=create_execution_plan(job, step_keys_to_execute=steps),
            tags=tags,
            parent_run_id=failed.run_id,
            root_run_id=failed.run_id,
        )
        return self.execute(run)

    def tags(self, result: JobExecutionResult) -> dict[str, str]:
        """The tags that are on a run now."""
        run = self.instance.get_run_by_id(result.run_id)
        assert run is not None
        return dict(run.tags)

    @property
    def job(self) -> Any:
        """The job that the UI launches assets with, of the files as they are now."""
        self.lake = open_lake(self.shop.root)
        return definitions(self.lake).get_repository_def().get_job("__ASSET_JOB")

    @property
    def runs(self) -> list[DagsterRun]:
        """The runs of the instance, but for the weekly upkeep's: its hour may have come while a server was there."""
        return [run for run in self.instance.get_runs() if run.job_name != UPKEEP]

    @property
    def values(self) -> list[int]:
        """What main has."""
        found = self.shop.call("query", "SELECT value FROM raw.readings ORDER BY id", "--json")
        return [row["value"] for row in json.loads(found.out)] if found.code == 0 else []

    @property
    def refs(self) -> list[tuple[str, str, bool]]:
        """Name, state, and whether its checks keep it from being published, of every ref."""
        return [(ref.name, ref.state, ref.blocked) for ref in self.lake.catalog.refs()]

    def materialized(self, asset: str) -> set[str]:
        """The partitions that Dagster counts as materialized."""
        return set(self.instance.get_materialized_partitions(AssetKey(asset.split("/"))))

    def engine_events(self, run: DagsterRun) -> list[str]:
        """What the executor said in the run's log."""
        logs = self.instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        return [event.message for event in logs]


@contextmanager
def floor_of(shop: Shop) -> Iterator[Floor]:
    """Open the instance of a project."""
    lake = open_lake(shop.root)
    with open_instance(lake.project) as instance:
        yield Floor(shop, lake, instance)


def rows(count: int, value: int = 1) -> list[dict[str, Any]]:
    """Readings."""
    return [{"id": n, "value": value} for n in range(count)]


def write_waiting(root: Path) -> None:
    """Add an ingestion that touches ``source/began`` and goes on once there is ``source/go``."""
    (root / "workflows" / "ingestion" / "slow.py").write_text(WAITING)


def write_checks(root: Path, blocking: bool = True) -> None:
    """Declare a check that every value is there."""
    (root / "workflows" / "quality.py").write_text(
        "import phlo\nfrom phlo.quality import NullCheck\n"
        f"@phlo.quality(table='raw.readings', checks=[NullCheck(columns=['value'])], blocking={blocking})\n"
        "def values_are_there(): ...\n"
    )


MEDDLE = """
from pathlib import Path

import phlo
import pyarrow as pa
from phlo.profiles import open_lake

ROOT = Path(__file__).resolve().parents[1]


class Meddler:
    '''Somebody else publishes raw.events while the run is on its way, as often as the file says.'''

    def execute(self, df):
        left = ROOT / "meddle"
        count = int(left.read_text())
        if count:
            left.write_text(str(count - 1))
            lake = open_lake(ROOT)
            catalog = lake.catalog
            name = f"other-{count}"
            catalog.create_ref(name)
            found = lake.engine.read("raw.events", catalog.pin(name))
            moved = found.set_column(found.column_names.index("n"), "n", pa.array([count] * len(found)))
            lake.engine.write("raw.events", moved, name, mode="replace")
            catalog.publish(name)
        return {"passed": True, "violations": 0, "total": len(df)}


@phlo.quality(table="raw.readings", checks=[Meddler()])
def meddled(): ...
"""


def meddle(root: Path, times: int) -> None:
    """Have somebody else publish a table of the run, while it is checked, so many times."""
    (root / "meddle").write_text(str(times))
    (root / "workflows" / "meddle.py").write_text(MEDDLE)
