"""``phlo dev``: the place to watch the project's runs, and to start them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_project, say
from phlo.errors import MissingExtra

if TYPE_CHECKING:
    from phlo.project import Project


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may connect: by default this machine alone.")
@click.option(
    "--isolated", is_flag=True, help="Dagster's own `dagster dev`: more processes, the code in one of its own."
)
def dev(port: int, host: str, isolated: bool) -> None:
    """Serve Dagster's UI for this project: assets, runs, schedules and their queue.

    Files that change are read again. Ctrl-C stops the server and the runs that it started; their refs are kept.
    """
    project = current_project()
    _insist_on_dagster()
    click.echo("🚀 Starting Phlo development server...\n")
    click.echo(f"📂 Workflows directory: {project.settings.workflows}")
    click.echo(f"<- Starting server at http://{host}:{port}\n")
    click.echo("Dagster launches and discovers YOUR workflows automatically!")
    _serve(project, host, port, isolated)


def _insist_on_dagster() -> None:
    """Say what is missing before anything starts; looking costs nothing, importing seconds."""
    for package in ("dagster", "dagster_graphql", "dagster_webserver"):
        if find_spec(package) is None:
            raise MissingExtra(feature="`phlo dev`", package=package, extra="dagster")


def _serve(project: Project, host: str, port: int, isolated: bool) -> None:
    from phlo.orchestration.server import Address, serve

    if isolated:
        from phlo.orchestration.isolated import serve_isolated

        click.get_current_context().exit(serve_isolated(project, Address(host, port)))
    serve(project, Address(host, port), say)
