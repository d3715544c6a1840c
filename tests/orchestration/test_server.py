"""``phlo dev`` as a user runs it: what it serves, what it says, what it leaves behind, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterRunStatus
from floor import DAY, floor_of, rows

from phlo.errors import PortInUse, ServerRunning
from phlo.orchestration.branch import PID_TAG
from phlo.orchestration.server import Address, only_server, serve, web_app, workspace

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from floor import Floor
    from tests.conftest import Shop

SLOW = """
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

LAUNCH = """
mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def test_a_port_that_is_taken_is_an_error_that_names_a_free_one(floor: Floor) -> None:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            serve(floor.lake.project, Address("127.0.0.1", port), print)
    assert f"127.0.0.1:{port}" in str(refused.value)
    assert f"--port {refused.value.values['other']}" in refused.value.next_step


def test_a_second_server_of_a_project_is_refused_with_the_pid_of_the_first(floor: Floor) -> None:
    project = floor.lake.project
    with only_server(project, Address("127.0.0.1", 3000)), pytest.raises(ServerRunning) as refused:
        serve(project, Address("127.0.0.1", 3001), print)
    assert f"at http://127.0.0.1:3000 by process {os.getpid()}" in str(refused.value)
    with only_server(project, Address("127.0.0.1", 3001)):
        pass  # the lock is given back


def test_routes_beside_the_ui_come_before_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    monkeypatch.setenv("PHLO_DEV_PROJECT", str(floor.shop.root))
    with workspace(floor.instance) as context:
        app = web_app(context, [Route("/api/ping", lambda _: PlainTextResponse("pong"))])
        assert asyncio.run(get(app, "/api/ping")) == (200, b"pong")
        status, page = asyncio.run(get(app, "/assets"))
    assert status == 200
    assert b"<title>Dagster</title>" in page or b"dagster" in page.lower()


@pytest.mark.slow
def test_a_run_of_the_ui_is_published_and_ctrl_c_leaves_no_process(shop: Shop) -> None:
    shop.deliver(DAY, rows(3))
    with served(shop) as server:
        run_id = server.launch("readings")
        assert server.ended(run_id) == "SUCCESS"
        server.process.send_signal(signal.SIGINT)
        out, err = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert out.startswith("🚀 Starting Phlo development server...\n\n📂 Workflows directory: workflows\n")
    assert "Found 2 ingestions, 0 models, 1 check, 0 schedules." in err
    with pytest.raises(ProcessLookupError):
        os.killpg(server.process.pid, 0)
    assert [row["value"] for row in shop.read("SELECT value FROM raw.readings")] == [1, 1, 1]


@pytest.mark.slow
def test_a_file_that_stops_importing_is_said_and_costs_its_own_assets_alone(shop: Shop) -> None:
    with served(shop) as server:
        broken = shop.root / "workflows" / "other.py"
        broken.write_text("import phlo\n\n@phlo.ingestion()\ndef more(partition_date: str):\n    return []\n")
        server.wait(lambda: "more" in server.assets())
        broken.write_text("import nothing_like_it\n")
        server.wait(lambda: "more" not in server.assets())
        assert {"readings", "events"} <= server.assets()
        server.process.send_signal(signal.SIGINT)
        _, err = server.process.communicate(timeout=60)
    assert "Changed: workflows/other.py" in err
    assert "error[workflow-import-failed]: `workflows/other.py` does not import (line 1)" in err


@pytest.mark.slow
def test_a_run_that_is_terminated_in_the_ui_is_canceled_and_keeps_its_ref(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "slow.py").write_text(SLOW)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        server.ask("mutation T($r: String!) { terminateRun(runId: $r) { __typename } }", r=run_id)
        assert server.ended(run_id) == "CANCELED"
    refused(shop, "waiting")


@pytest.mark.slow
def test_ctrl_c_ends_the_runs_that_are_going_and_they_keep_their_refs(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "slow.py").write_text(SLOW)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        pid = server.pid_of(run_id)
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    refused(shop, "waiting")


@pytest.mark.slow
def test_a_run_that_is_killed_is_failed_at_once(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "slow.py").write_text(SLOW)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        os.kill(server.pid_of(run_id), signal.SIGKILL)
        assert server.ended(run_id) == "FAILURE"
    refused(shop, "waiting")


@pytest.mark.slow
def test_a_server_that_is_killed_in_mid_run_settles_it_when_it_starts_again_and_the_next_run_is_right(
    shop: Shop,
) -> None:
    (shop.root / "workflows" / "ingestion" / "slow.py").write_text(SLOW)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        os.kill(server.process.pid, signal.SIGKILL)
        os.kill(server.pid_of(run_id, shop), signal.SIGKILL)
    with served(shop) as server:
        assert server.status(run_id) == "FAILURE"
        (shop.root / "source" / "go").touch()
        refused(shop, "waiting")
        assert server.ended(server.launch("waiting")) == "SUCCESS"
    assert shop.read("SELECT id FROM raw.waiting") == [{"id": 1}]


@pytest.mark.slow
def test_a_command_and_a_run_of_the_ui_on_one_table_wait_for_each_other_and_both_count(shop: Shop) -> None:
    (shop.root / "workflows" / "ingestion" / "slow.py").write_text(SLOW)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        command = shop.start("materialize", "waiting", "--partition", "2024-01-21")
        assert command.stderr is not None
        said = ""
        while "waiting for" not in said:
            said += command.stderr.readline()
        (shop.root / "source" / "go").touch()
        assert server.ended(run_id) == "SUCCESS"
        command.communicate(timeout=60)
        assert command.returncode == 0
        server.wait(
            lambda: (
                len(server.ask("{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]) == 2
            )
        )
    loads = {load["partition"] for entry in shop.call("history", "--json").records for load in entry["loads"]}
    assert loads == {DAY, "2024-01-21"}


def refused(shop: Shop, asset: str) -> None:
    """Nothing is published, no partition counts, and the ref is kept."""
    with floor_of(shop) as floor:
        assert floor.lake.catalog.publishes() == []
        assert floor.materialized(asset) == set()
        assert [state for _, state, _ in floor.refs] == ["failed"]
        assert all(run.status is not DagsterRunStatus.STARTED for run in floor.instance.get_runs())


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
        found: list[Any] = self.ask("{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        return found

    def assets(self) -> set[str]:
        """The names of the assets."""
        return {node["assetKey"]["path"][-1] for node in self.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]}

    def pid_of(self, run_id: str, shop: Shop | None = None) -> int:
        """The process of a run; read off the instance where the server is gone."""
        if shop is not None:
            with floor_of(shop) as floor:
                run = floor.instance.get_run_by_id(run_id)
                assert run is not None
                return int(run.tags[PID_TAG])
        found = self.ask("query R($r: ID!) { runOrError(runId: $r) { ... on Run { tags { key value } } } }", r=run_id)
        return int({tag["key"]: tag["value"] for tag in found["runOrError"]["tags"]}[PID_TAG])

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        ends = time.monotonic() + 120
        while not until():
            assert time.monotonic() < ends, "it did not come to pass"
            time.sleep(0.1)


@contextmanager
def served(shop: Shop) -> Iterator[Served]:
    """Start the server on a free port, and end it and its runs whatever happens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = shop.start("dev", "--port", str(port))
    server = Served(process, port, "shop")
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


async def get(app: Any, path: str) -> tuple[int, bytes]:
    """Ask an app for a page, without a network."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "http_version": "1.1"}
    await app(
        {**scope, "scheme": "http", "server": ("127.0.0.1", 80), "root_path": "", "raw_path": path.encode()},
        receive,
        send,
    )
    status = next(message["status"] for message in sent if message["type"] == "http.response.start")
    return status, b"".join(message.get("body", b"") for message in sent)
