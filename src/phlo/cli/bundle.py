"""``phlo bundle``: what a project has published as one file, and such a file as a lake to read."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from phlo.cli.maintain import size
from phlo.cli.render import current_project, plural, say
from phlo.errors import ProjectExists


@click.group(invoke_without_command=True)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="The file (default: NAME.phlo).")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def bundle(context: click.Context, output: Path | None, force: bool) -> None:
    """Pack all published tables, views and their history into one file; failed refs and workflows stay behind.

    It holds the rows themselves: whoever has the file can read them.
    """
    if context.invoked_subcommand is not None:
        return
    from phlo.profiles import bundle as pack

    project = current_project()
    file = (output or Path(f"{project.name}.phlo")).absolute()
    if file.exists() and not force:
        raise ProjectExists(path=file, kind="folder" if file.is_dir() else "file")
    about = pack(project, file)
    click.echo(f"Packed {plural(about.tables, 'table')} into {file.name} ({size(file.stat().st_size)}).")
    say(f"`phlo bundle open {quote(file.name)}` opens it anywhere.")


@bundle.command("open")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", metavar="FOLDER", type=click.Path(path_type=Path), help="A new folder (default: its name).")
def open_bundle(file: Path, into: Path | None) -> None:
    """Unpack a bundle into a new folder, as a project whose lake can be read and not written."""
    from phlo.iceberg.bundle import unpack

    folder = (into or Path(file.stem)).absolute()
    if folder.exists():
        raise ProjectExists(path=folder, kind="folder" if folder.is_dir() else "file")
    about = unpack(file.absolute(), folder)
    click.echo(f"Opened {plural(about.tables, 'table')} of {about.name}, packed {about.packed_at}, in {folder}.")
    at = f"phlo --project {quote(str(folder))}"
    say(f"`{at} catalog tables` lists them, `{at} query …` reads them.")
