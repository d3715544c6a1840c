"""``phlo dev`` in a process of its own, and what a test asks it."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floor import DAY, floor_of

from phlo.orchestration.branch import PID_TAG

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.conftest import Shop

LAUNCH = """
mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
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
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def launch(self, asset: str, day: str = DAY) -> str:
        """Press "Materialize" for one partition."""
        job = {"repositoryName": "__repository__", "repositoryLocationName": self.name, "pipelineName": "__ASSET_JOB"}
        run = {
            "selector": {**job, "assetSelection": [{"path": [asset]}]},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
        }
        found: str = self.ask(LAUNCH, run=run)["launchRun"]["run"]["runId"]
        return found

    def status(self, run_id: str) -> str:
        """How a run is."""
        found = self.ask("query R($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }", r=run_id)
        return str(found["runOrError"]["status"])

    def ended(self, run_id: str) -> str:
        """How a run ended."""
        self.wait(lambda: self.status(run_id) in ("SUCCESS", "FAILURE", "CANCELED"))
        return self.status(run_id)

    def runs(self) -> list[Any]:
        """What the list of runs shows."""
        found: list[Any] = self.ask("{ runsOrError { ... on Runs { results { runId status } } } }")["runsOrError"][
            "results"
        ]
        return found

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
        ends = time.monotonic() + 120
        while not until():
            assert time.monotonic() < ends, "it did not come to pass"
            time.sleep(0.1)


@contextmanager
def served(shop: Shop, *options: str, name: str = "shop") -> Iterator[Served]:
    """Start the server on a free port, and end it and its runs whatever happens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = shop.start("dev", "--port", str(port), *options)
    server = Served(process, port, name)
    try:
        server.wait(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, process.communicate()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=60).close()
    except OSError:
        return False
    return True
