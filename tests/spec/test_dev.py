"""`phlo dev` as the two documents print it: its greeting, its address, and the assets that it finds."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from spec_tools import NIGHTSCOUT_ANSWERS, Shell, environment, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("port 3000")]
ADDRESS = "http://localhost:3000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """`phlo dev`, typed in the project that the document makes."""
    with closing(socket.socket()) as probe:
        if probe.connect_ex(("127.0.0.1", 3000)) == 0:
            pytest.skip("something else listens on port 3000, which the documents name")
    shell = Shell(tmp_path_factory.mktemp("dev"), {})
    shell.run("phlo init glucose-platform")
    project = shell.at("glucose-platform")
    project.run("phlo create-workflow", *NIGHTSCOUT_ANSWERS)
    process = subprocess.Popen(
        [sys.executable, "-m", "phlo", "dev"], cwd=project.folder, env=environment({}), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + 120
        while not answers():
            assert process.poll() is None, "phlo dev ended"
            assert time.monotonic() < ends, "phlo dev does not answer"
            time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_ui_is_at_the_printed_address(server: subprocess.Popen[str]) -> None:
    with urllib.request.urlopen(ADDRESS, timeout=60) as page:
        assert page.status == 200
        assert "dagster" in page.read().decode().lower()


def test_the_workflow_is_an_asset_of_its_domain_with_the_printed_partition(server: subprocess.Popen[str]) -> None:
    (node,) = ask("{ assetNodes { groupName assetKey { path } partitionKeys } }")["assetNodes"]
    assert (node["groupName"], node["assetKey"]["path"]) == ("nightscout", ["glucose_entries"])
    assert "2024-01-20" in node["partitionKeys"]


def test_phlo_dev_prints_its_greeting_and_ends_with_ctrl_c(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGINT)
    out, _ = server.communicate(timeout=60)
    assert [line for line in out.splitlines() if line] == said("dev.txt")
    assert server.returncode == 0


def answers() -> bool:
    try:
        urllib.request.urlopen(f"{ADDRESS}/server_info", timeout=60).close()
    except OSError:
        return False
    return True


def ask(query: str) -> Any:
    body, kind = json.dumps({"query": query}).encode(), {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{ADDRESS}/graphql", body, kind), timeout=60) as answer:
        return json.load(answer)["data"]
