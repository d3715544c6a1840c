"""``phlo doctor``: what could keep Phlo from working here, each with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

import click

from phlo import __version__
from phlo.cli.render import current_project, dump, plural
from phlo.errors import NoProject, PhloError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.project import Project

OLDEST, NEWEST = (3, 11), (3, 14)
FREE_BYTES = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warning", "error"]
    detail: str
    hint: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check the installation and, in a project, its settings, workflows, catalog and disk."""
    findings = list(_findings())
    if as_json:
        click.echo(dump(findings))
    else:
        for finding in findings:
            mark = {"ok": "✓", "warning": "!", "error": "✗"}[finding.state]
            click.echo(f"{mark} {finding.what}: {finding.detail}")
            if finding.hint:
                click.echo(f"  hint: {finding.hint}")
    click.get_current_context().exit(1 if any(finding.state == "error" for finding in findings) else 0)


def _findings() -> Iterator[Finding]:
    yield _python()
    yield _system()
    yield _package()
    yield from _libraries()
    try:
        project = current_project()
    except NoProject as error:
        yield Finding("project", "warning", str(error), error.next_step)
        return
    except PhloError as error:
        yield _failed("project", error)
        return
    yield Finding("project", "ok", f"{project.name} in {project.root}")
    yield from _project(project)


def _python() -> Finding:
    version = sys.version_info[:2]
    good = OLDEST <= version <= NEWEST
    hint = "" if good else "use Python 3.11 to 3.14"
    return Finding("python", "ok" if good else "error", platform.python_version(), hint)


def _system() -> Finding:
    if sys.platform == "win32":
        return Finding("system", "error", "Windows", "run Phlo in WSL: files are locked with POSIX semantics")
    return Finding("system", "ok", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")


def _package() -> Finding:
    """Name another project's packages: the public index has one called ``phlo`` too, always at version 0."""
    try:
        installed = metadata.version("phlo")
    except metadata.PackageNotFoundError:
        return Finding("phlo", "warning", f"{__version__}, not installed as a package", "pip install -e .")
    if installed.split(".")[0] == "0":
        hint = "pip uninstall phlo, then install Phlo again from where you got it"
        return Finding("phlo", "error", f"`phlo` {installed} in this environment is another project's package", hint)
    return Finding("phlo", "ok", installed)


def _libraries() -> Iterator[Finding]:
    """Name a library that can not work beside Phlo: classes of compiled modules refuse to be derived from."""
    with suppress(metadata.PackageNotFoundError):
        detail = f"`sqlglotc` {metadata.version('sqlglotc')} compiles sqlglot, on which the dialect then can not build"
        yield Finding("sqlglot", "error", detail, "pip uninstall sqlglotc")


def _project(project: Project) -> Iterator[Finding]:
    try:
        settings = project.settings
    except PhloError as error:
        yield _failed("settings", error)
        return
    yield Finding("settings", "ok", f"profile {settings.profile}, dialect {settings.dialect}")
    yield from _files(project)
    catalog = _catalog(project)
    yield catalog
    yield _disk(project, readable=catalog.state != "error")


def _files(project: Project) -> Iterator[Finding]:
    from phlo.profiles import open_lake

    try:
        workflows = open_lake(project).workflows
    except (PhloError, OSError) as error:
        yield _failed("workflows", error)
    else:
        for failure in workflows.causes:
            yield _failed("workflows", failure)
        loads, checks = len(workflows.ingestions), len(workflows.qualities)
        yield Finding("workflows", "ok", f"{plural(loads, 'ingestion')}, {plural(checks, 'quality declaration')}")
    if (project.dbt / "dbt_project.yml").is_file():
        yield Finding("dbt", "ok", f"{plural(len(list(project.dbt.rglob('*.sql'))), 'SQL file')} in {project.dbt}")
    else:
        yield Finding("dbt", "warning", f"there is no dbt project in {project.dbt}", "only ingestions and checks run")


def _catalog(project: Project) -> Finding:
    from phlo.profiles import open_lake

    try:
        catalog = open_lake(project).catalog
        pin, failed = catalog.pin(), [ref for ref in catalog.refs() if ref.state != "open"]
    except (PhloError, OSError) as error:
        return _failed("catalog", error)
    detail = ", ".join(
        plural(len(each), noun) for each, noun in ((pin.tables, "table"), (pin.views, "view"), (failed, "failed ref"))
    )
    return Finding("catalog", "ok", detail, "`phlo ref list` says why they failed" if failed else "")


def _disk(project: Project, *, readable: bool) -> Finding:
    try:
        folder = project.state
    except OSError as error:
        return _failed("disk", error)
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK) and readable:
        detail = f"`{folder}` can only be read: queries, status and history work, runs do not"
        return Finding("disk", "warning", detail, "to run, mend its permissions, or set PHLO_STATE to another folder")
    if not os.access(folder, os.W_OK):
        return Finding("disk", "error", f"`{folder}` can not be written", "mend its permissions, or set PHLO_STATE")
    state: Literal["ok", "warning"] = "ok" if free >= FREE_BYTES else "warning"
    return Finding("disk", state, f"{free / FREE_BYTES:.1f} GiB free for {folder}")


def _failed(what: str, error: PhloError | OSError) -> Finding:
    if isinstance(error, OSError):
        return Finding(what, "error", str(error), "mend the permissions of the folder, or set PHLO_STATE to another")
    hint = "" if error.next_step.startswith("`phlo doctor`") else error.next_step  # which is what says this
    return Finding(what, "error", f"{error} [{error.code}]", hint)
