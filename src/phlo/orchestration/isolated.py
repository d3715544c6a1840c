"""``phlo dev --isolated``: plain ``dagster dev`` on the project's instance, should the one process not do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from phlo.orchestration import place
from phlo.orchestration.instance import open_instance
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.server import only_server
from phlo.orchestration.workspace import CODE

if TYPE_CHECKING:
    from phlo.orchestration.server import Address
    from phlo.project import Project


def serve_isolated(project: Project, address: Address) -> int:
    """Run it to its end and return its exit code; Ctrl-C reaches it as it reaches this process."""
    with only_server(project, address):
        os.environ[place.VARIABLE] = project.name if project.installed else str(project.root)
        with open_instance(project) as instance:
            reconcile(instance)
            home = instance.root_directory
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(_workspace(project, Path(home)))]
        command += ["-h", address.host, "-p", str(address.port)]
        received: list[int] = []
        servers: list[subprocess.Popen[bytes]] = []

        def forward(number: int, _: object) -> None:
            received.append(number)
            for each in servers:
                each.send_signal(number)

        for sent in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sent, forward)
        # In a session of its own: Ctrl-C of a terminal would else reach it twice.
        servers.append(subprocess.Popen(command, env={**os.environ, "DAGSTER_HOME": home}, start_new_session=True))
        for number in received:  # what came before there was a server
            servers[0].send_signal(number)
        return servers[0].wait()


def _workspace(project: Project, home: Path) -> Path:
    """Name the code as the one process does: schedules that were turned off stay so, and the queue goes on."""
    code = {"relative_path": str(CODE), "attribute": "defs", "working_directory": str(project.root)}
    file = home / "workspace.yaml"
    file.write_text(yaml.safe_dump({"load_from": [{"python_file": {**code, "location_name": project.name}}]}))
    return file
