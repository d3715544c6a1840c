"""``phlo dev --isolated``: plain ``dagster dev`` on the project's instance, should the one process not do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from phlo.orchestration import place
from phlo.orchestration.instance import open_instance
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.server import CODE, only_server

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
        command = [sys.executable, "-m", "dagster", "dev", "-f", str(CODE), "-d", str(project.root)]
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
