"""``phlo dev`` in a process of its own, and what a test asks it."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floor import DAY, UPKEEP, floor_of

from phlo.orchestration.tags import PID_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Shop

PLATFORM = "phlo.orchestration.code_location"
PATIENCE = 180
"""Seconds for what takes a few on an idle machine."""

PORTS = range(20_000, 32_000)
"""Where servers of tests listen: below the ports that a system hands out to whoever connects meanwhile."""

LAUNCH = """
mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""

PARTITIONS = """
query Partitions($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
  }
}
"""
LOG = """
query Log($run: ID!) {
  logsForRun(runId: $run) { ... on EventConnection { events { ... on MessageEvent { message } } } }
}
"""
RUN = """
query Run($run: ID!) {
  runOrError(runId: $run) {
    ... on Run { status parentRunId tags { key value } assetSelection { path } executionPlan { steps { key } } }
  }
}
"""

REEXECUTE = """
mutation Again($parent: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $parent, strategy: ALL_STEPS}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


@dataclass
class Served:
    """A server that is up."""

    process: subprocess.Popen[str]
    port: int
    name: str

    def ask(self, query: str, **values: Any) -> Any:
        """Ask Dagster's GraphQL."""
        body = json.dumps({"query": query, "variables": values}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def partitions(self, *asset: str) -> set[str]:
        """The partitions that the asset's page shows as materialized."""
        found = self.ask(PARTITIONS, asset={"path": list(asset)})["assetNodeOrError"]
        return {day for each in found["assetPartitionStatuses"]["ranges"] for day in _days(each)}

    def log(self, run_id: str) -> list[str]:
        """What the run's page shows."""
        found = self.ask(LOG, run=run_id)["logsForRun"]["events"]
        return [str(event["message"]) for event in found]

    def run(self, run_id: str) -> Any:
        """A run as its page has it."""
        return self.ask(RUN, run=run_id)["runOrError"]

    def launch(self, *assets: str, day: str = DAY) -> str:
        """Press "Materialize" for one partition."""
        job = {"repositoryName": "__repository__", "repositoryLocationName": self.name, "pipelineName": "__ASSET_JOB"}
        run = {
            "selector": {**job, "assetSelection": [{"path": [asset]} for asset in assets]},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
        }
        found: str = self.ask(LAUNCH, run=run)["launchRun"]["run"]["runId"]
        return found

    def reexecute(self, run_id: str) -> str:
        """Press "Re-execute all"."""
        found = self.ask(REEXECUTE, parent=run_id)["launchRunReexecution"]
        assert "run" in found, found
        return str(found["run"]["runId"])

    def status(self, run_id: str) -> str:
        """How a run is."""
        found = self.ask("query R($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)
        return str(found["runOrError"]["status"])

    def ended(self, run_id: str) -> str:
        """How a run ended."""
        self.wait(lambda: self.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"))
        return self.status(run_id)

    def runs(self) -> list[Any]:
        """What the list of runs shows, but for the weekly upkeep's, which no test of other runs awaits."""
        found = self.ask("{ runsOrError { ... on Runs { results { runId status jobName } } } }")["runsOrError"]
        return [run for run in found["results"] if run["jobName"] != UPKEEP]

    def assets(self) -> set[str]:
        """The names of the assets."""
        return {node["assetKey"]["path"][-1] for node in self.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]}

    def pid_of(self, run_id: str, shop: Shop) -> int:
        """The process of a run: a tag that the UI hides."""
        with floor_of(shop) as floor:
            run = floor.instance.get_run_by_id(run_id)
            assert run is not None
            return int(run.tags[PID_TAG])

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        ends = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < ends, "it did not come to pass"
            time.sleep(0.1)


@contextmanager
def served(shop: Shop, *options: str, name: str = "shop") -> Iterator[Served]:
    """Start the server on a free port, and end it and its runs whatever happens."""
    port = free_port()
    with serving(shop.start("dev", "--port", str(port), *options), port, name) as server:
        yield server


@contextmanager
def dagsters_own(shop: Shop, home: Path, *code: str) -> Iterator[Served]:
    """Start Dagster's server as somebody does who has one already: an instance of its own, elsewhere."""
    port = free_port()
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", "dev", *(code or ("-m", PLATFORM)), "-p", str(port), "-h", "127.0.0.1"],
        cwd=shop.root,
        env={**os.environ, "DAGSTER_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with serving(process, port, PLATFORM) as server:
            yield server
    finally:
        with suppress(ProcessLookupError):  # what Dagster's own server leaves behind for a while
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def serving(process: subprocess.Popen[str], port: int, name: str) -> Iterator[Served]:
    """Wait until a server answers, and end it whatever happens."""
    server = Served(process, port, name)
    try:
        server.wait(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, process.communicate()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def free_port() -> int:
    """A port that nobody has, nor takes by chance in the seconds until a server does."""
    for port in random.sample(PORTS, 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def _days(found: Any) -> Iterator[str]:
    if found["status"] == "MATERIALIZED":
        day, last = (dt.date.fromisoformat(found[end]) for end in ("startKey", "endKey"))
        while day <= last:
            yield day.isoformat()
            day += dt.timedelta(days=1)
