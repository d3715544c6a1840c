"""``phlo dev`` as a user runs it: what it serves, what it says, what it leaves behind, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterRunStatus
from floor import DAY, floor_of, rows, write_waiting
from server_process import PATIENCE, served

from phlo.errors import PortInUse, ServerRunning
from phlo.orchestration.server import Address, only_server, serve, web_app
from phlo.orchestration.tags import PID_TAG
from phlo.orchestration.workspace import workspace

if TYPE_CHECKING:
    from floor import Floor
    from tests.conftest import Shop


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
        assert context.create_request_context().is_reload_supported("shop")
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
        out, err = server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 0
    assert out.startswith("🚀 Starting Phlo development server...\n\n📂 Workflows directory: workflows\n")
    assert "Found 2 ingestions, 0 models, 1 check, 1 schedule." in err
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
        reloaded = server.ask('mutation { reloadRepositoryLocation(repositoryLocationName: "shop") { __typename } }')
        assert reloaded["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
        assert {"readings", "events"} <= server.assets()
        server.process.send_signal(signal.SIGINT)
        _, err = server.process.communicate(timeout=PATIENCE)
    assert "Changed: workflows/other.py" in err
    assert "error[workflow-import-failed]: `workflows/other.py` does not import (line 1)" in err


@pytest.mark.slow
def test_a_run_that_is_terminated_in_the_ui_is_canceled_and_keeps_its_ref(shop: Shop) -> None:
    write_waiting(shop.root)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        server.ask("mutation T($r: String!) { terminateRun(runId: $r) { __typename } }", r=run_id)
        assert server.ended(run_id) == "CANCELED"
    refused(shop, "waiting")


@pytest.mark.slow
def test_ctrl_c_ends_the_runs_that_are_going_and_they_keep_their_refs(shop: Shop) -> None:
    write_waiting(shop.root)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        pid = server.pid_of(run_id, shop)
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=PATIENCE)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    refused(shop, "waiting")


@pytest.mark.slow
def test_ctrl_c_starts_nothing_of_the_queue_and_leaves_it_for_the_next_server(shop: Shop) -> None:
    write_waiting(shop.root)
    with served(shop) as server:
        first = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        second = server.launch("waiting", day="2024-01-21")
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=PATIENCE)
    with floor_of(shop) as floor:
        found = {run.run_id: run for run in floor.runs}
    assert found[first].status is DagsterRunStatus.FAILURE
    assert found[second].status is DagsterRunStatus.QUEUED
    assert PID_TAG not in found[second].tags


@pytest.mark.slow
def test_a_run_that_is_killed_is_failed_at_once(shop: Shop) -> None:
    write_waiting(shop.root)
    with served(shop) as server:
        run_id = server.launch("waiting")
        server.wait((shop.root / "source" / "began").exists)
        os.kill(server.pid_of(run_id, shop), signal.SIGKILL)
        assert server.ended(run_id) == "FAILURE"
    refused(shop, "waiting")


@pytest.mark.slow
def test_a_server_that_is_killed_in_mid_run_settles_it_when_it_starts_again_and_the_next_run_is_right(
    shop: Shop,
) -> None:
    write_waiting(shop.root)
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
    write_waiting(shop.root)
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
        _, rest = command.communicate(timeout=PATIENCE)
        assert command.returncode == 0, said + rest
        server.wait(lambda: len(server.runs()) == 2)
    loads = {load["partition"] for entry in shop.call("history", "--json").records for load in entry["loads"]}
    assert loads == {DAY, "2024-01-21"}


def refused(shop: Shop, asset: str) -> None:
    """Nothing is published, no partition counts, and the ref is kept."""
    with floor_of(shop) as floor:
        assert floor.lake.catalog.publishes() == []
        assert floor.materialized(asset) == set()
        assert [state for _, state, _ in floor.refs] == ["failed"]
        assert all(run.status is not DagsterRunStatus.STARTED for run in floor.runs)


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
