"""Ways of launching that nobody presses: a sensor of the user's, a retry by the daemon; and a disk that is full."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from dagster import DagsterRunStatus
from floor import DAY, floor_of, rows
from server_process import dagsters_own, served
from tests.conftest import REPOSITORY
from tests.faults.test_full_disk import fill, small_disk  # noqa: F401  # a fixture

from phlo.orchestration.reconcile import reconcile

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Shop

GUIDE = (REPOSITORY / "docs" / "guides" / "orchestration.md").read_text()
(PRINTED,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
OWN = PRINTED.replace("default_status=", "minimum_interval_seconds=1, default_status=", 1)
"""The guide's own example, which asks more often."""

UNSTEADY = """
from pathlib import Path

import phlo

HERE = Path(__file__).resolve().parents[2] / "source"


@phlo.ingestion(unique_key="id")
def unsteady(partition_date: str):
    tried = HERE / "tried"
    if not tried.exists():
        tried.touch()
        raise ValueError("not today")
    return [{"id": 1}]


@phlo.ingestion(unique_key="id")
def steady(partition_date: str):
    with (HERE / "asked").open("a") as asked:
        asked.write("once\\n")
    return [{"id": 1}]
"""


@pytest.mark.slow
def test_a_run_that_a_sensor_of_the_users_own_code_asks_for_is_a_ref_and_published_once(shop: Shop) -> None:
    own = shop.root / "own.py"
    own.write_text(OWN)
    shop.deliver(DAY, rows(3))
    with dagsters_own(shop, shop.root.parent / "home of dagster", "-f", str(own), "-a", "defs") as server:
        server.wait(lambda: len(server.runs()) == 1)  # the sensor asks every second, always for the same
        assert server.ended(server.runs()[0]["runId"]) == "SUCCESS"
        assert server.partitions("readings") == {DAY}
        assert len(server.runs()) == 1
    (entry,) = shop.call("history", "--json").records
    assert [(load["table"], load["partition"]) for load in entry["loads"]] == [("raw.readings", DAY)]


@pytest.mark.slow
def test_a_run_that_the_daemon_retries_goes_on_with_its_ref_and_is_published_once(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "shop.py").write_text(UNSTEADY)
    (shop.root / ".phlo").mkdir()
    (shop.root / ".phlo" / "dagster.yaml").write_text("run_retries: {enabled: true, max_retries: 2}\n")
    with served(shop) as server:
        shop.run("materialize", "unsteady", "--partition", DAY, code=1)  # nobody but the user repeats a command
        server.wait(lambda: len(server.runs()) == 1)
        command = server.runs()[0]["runId"]
        assert server.ended(command) == "FAILURE"
        (shop.root / "source" / "tried").unlink()
        failed = server.launch("steady", "unsteady")
        assert server.ended(failed) == "FAILURE"
        server.wait(lambda: len(server.runs()) == 3)
        (retry,) = {run["runId"] for run in server.runs()} - {failed, command}
        assert server.run(retry)["parentRunId"] == failed
        assert server.ended(retry) == "SUCCESS"
        assert any("Opened run-" in message and "again" in message for message in server.log(retry))
        assert server.partitions("steady") == server.partitions("unsteady") == {DAY}
    with floor_of(shop) as floor:
        (publish,) = floor.lake.catalog.publishes()
        assert {load.table for load in publish.loads} == {"raw.steady", "raw.unsteady"}
        assert [state for _, state, _ in floor.refs] == ["failed"]  # the command's
    assert (shop.root / "source" / "asked").read_text() == "once\n"


@pytest.mark.slow
def test_a_disk_that_is_full_ends_a_run_without_a_publish_and_the_next_is_right(
    shop: Shop,
    small_disk: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PHLO_STATE", str(small_disk))
    monkeypatch.setenv("PHLO_DEV_PROJECT", str(shop.root))
    shop.deliver(DAY, rows(3))
    with floor_of(shop) as floor:
        assert floor.run("readings").success
        shop.deliver(DAY, [{"id": n, "value": n, "text": os.urandom(50).hex()} for n in range(20_000)])
        run = floor.create("readings")
        fill(small_disk, 150)
        worker = subprocess.run(
            [sys.executable, "-m", "phlo.orchestration.worker", run.run_id], cwd=shop.root, capture_output=True
        )
        assert worker.returncode != 0
        (small_disk / "ballast").unlink()
        reconcile(floor.instance)  # what the process could not store of its end, the server does
        after = floor.instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.status in (DagsterRunStatus.FAILURE, DagsterRunStatus.NOT_STARTED), worker.stderr
        assert floor.values == [1, 1, 1]
        shop.deliver(DAY, rows(3, value=2))
        assert floor.run("readings").success
        assert floor.values == [2, 2, 2]
        assert len(floor.lake.catalog.publishes()) == 2
