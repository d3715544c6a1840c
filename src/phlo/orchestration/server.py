"""``phlo dev``: Dagster's UI, its daemon and the project's code in one process; runs have processes of their own.

    lock → port → project → runs that died are settled → web app + daemon threads + a watch on the files

``dagster dev`` starts five processes for the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.errors import PortInUse, ServerRunning
from phlo.orchestration import place
from phlo.orchestration.instance import open_instance
from phlo.orchestration.reconcile import reconcile
from phlo.orchestration.upkeep import commands_shown
from phlo.orchestration.watch import refresh_on_change
from phlo.orchestration.workspace import workspace
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dagster._core.workspace.context import WorkspaceProcessContext
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute

    from phlo.project import Project

    Say = Callable[[str], None]

GRACE_SECONDS = 3
"""How long open connections of browsers may hold up the end."""


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def serve(project: Project, address: Address, say: Say, routes: Sequence[BaseRoute] = ()) -> None:
    """Serve until Ctrl-C or SIGTERM; ``routes`` come before those of Dagster's UI.

    Raises ``ServerRunning`` when the project has a server already, and ``PortInUse``.
    """
    import uvicorn

    with ExitStack() as stack:
        stack.enter_context(only_server(project, address))
        listener = stack.enter_context(contextlib.closing(_listen(address)))
        os.environ[place.VARIABLE] = project.name if project.installed else str(project.root)
        place.one_process(say)
        _quiet()
        instance = stack.enter_context(open_instance(project))
        for run_id in reconcile(instance):
            say(f"Run {run_id[:8]} had died with its process; it is settled.")
        context = stack.enter_context(workspace(instance))
        say(place.found())
        stack.enter_context(commands_shown(open_lake(project), context, say))
        # Before the daemons, and so after them at the end: the queue must not start what nobody would stop.
        stack.callback(instance.run_launcher.stop)  # type: ignore[attr-defined]  # the one of launcher.py
        stack.enter_context(_daemons(context))
        stack.enter_context(refresh_on_change(project, context, say))
        app = web_app(context, routes)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=GRACE_SECONDS, lifespan="off")
        say(f"Serving {address}; Ctrl-C stops it.")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when it has closed its connections
            uvicorn.Server(config).run(sockets=[listener])
        say("Stopping...")


@contextmanager
def only_server(project: Project, address: Address) -> Iterator[None]:
    """Hold the project's lock, which a process that dies gives back."""
    file = project.state / "dagster" / "server.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            pid, _, url = lock.read().partition(" ")
            raise ServerRunning(project=project.name, pid=pid or "?", url=url or "?") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()} {address}")
        lock.flush()
        yield


def web_app(context: WorkspaceProcessContext, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Make the app: routes of ours first, for Dagster's last one takes every path."""
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.applications import Starlette

    server: Any = DagsterWebserver(context)
    return Starlette(routes=[*routes, *server.build_routes()], middleware=server.build_middleware())


@contextmanager
def _daemons(context: WorkspaceProcessContext) -> Iterator[None]:
    """Run the scheduler, the queue and the other daemons in threads."""
    from dagster._daemon.controller import DagsterDaemonController, create_daemons_from_instance

    with ExitStack() as stack:
        daemons = [stack.enter_context(daemon) for daemon in create_daemons_from_instance(context.instance)]
        stack.enter_context(DagsterDaemonController(context, daemons))
        yield


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUse(host=address.host, port=address.port, detail=error.strerror, other=_free(address)) from error
    return listener


def _free(address: Address) -> int:
    """Find a port near the one that is taken."""
    for port in range(address.port + 1, min(address.port + 100, 65536)):
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    return 0


def _quiet() -> None:
    """Keep Dagster's own words for its log in the UI: here only what is wrong."""
    for name in ("dagster", "dagster.daemon", "dagster-webserver", "uvicorn"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


__all__ = ["Address", "only_server", "serve", "web_app"]
