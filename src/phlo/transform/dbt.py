"""dbt in this process: quiet, without telemetry, and with everything it writes in the project's state folder."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phlo.errors import DbtProjectBroken, DbtStopped
from phlo.protocols import Pin
from phlo.transform.session import Session, using

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from phlo.project import Project

QUIET = (
    "--log-level", "none",
    "--log-level-file", "none",
    "--no-print",
    "--no-use-colors",
    "--no-version-check",
    "--no-write-json",
    "--no-send-anonymous-usage-stats",
)  # fmt: skip


def parse(project: Project) -> Any:
    """Read the dbt project and return dbt's manifest; raise ``DbtProjectBroken`` with dbt's words."""
    with using(Session(_Nothing(), None, "none", project.settings.dialect)):  # type: ignore[arg-type]
        return invoke(project, "parse").result


def list_nodes(project: Project, *args: str) -> list[str]:
    """Run ``dbt ls`` and return its lines."""
    with using(Session(_Nothing(), None, "none", project.settings.dialect)):  # type: ignore[arg-type]
        return list(invoke(project, "ls", *args).result)


def compile_tests(project: Project, names: Sequence[str]) -> dict[str, str]:
    """Compile data tests, and return their SQL by id."""
    if not names:
        return {}
    with using(Session(_Nothing(), None, "none", project.settings.dialect)):  # type: ignore[arg-type]
        results = invoke(project, "compile", "--no-populate-cache", "--select", *names).result.results
    return {each.node.unique_id: each.node.compiled_code for each in results if each.node.compiled_code}


def invoke(project: Project, command: str, *args: str, callbacks: tuple[Callable[[Any], None], ...] = ()) -> Any:
    """Run one dbt command through the session in use; raise ``DbtStopped`` where dbt itself can not go on."""
    runner = _runner()
    state = project.state / "dbt"
    folders = (
        "--project-dir", str(project.dbt),
        "--profiles-dir", str(_profiles(project)),
        "--target-path", str(state / "target"),
        "--log-path", str(state / "logs"),
    )  # fmt: skip
    with _here(), _garbage_kept():
        outcome = runner(callbacks=list(callbacks)).invoke([*QUIET, command, *folders, *args])
    if isinstance(outcome.exception, Exception):
        detail = _in_one_line(outcome.exception)
        if command == "parse":
            raise DbtProjectBroken(folder=project.dbt, detail=detail) from outcome.exception
        raise DbtStopped(command=command, detail=detail) from outcome.exception
    if outcome.exception is not None:
        raise outcome.exception  # Ctrl-C
    return outcome


def _runner() -> Any:
    """Import dbt's runner; that is 1.7 CPU seconds of making classes."""
    with _garbage_kept():
        from dbt.cli.main import dbtRunner
        from dbt_common.behavior_flags import BehaviorFlagRendered

        # For each flag of an adapter dbt reads the source of every caller to learn a name it has: 0.2 CPU seconds.
        BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")  # type: ignore[method-assign]
    return dbtRunner


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Look for garbage rarely: a tenth of the time goes into walking dbt's many objects, which stay."""
    kept = gc.get_threshold()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*kept)


def _profiles(project: Project) -> Path:
    """The folder of the profile: the dbt project's own, else one made from the profile's name."""
    if (project.dbt / "profiles.yml").is_file():
        return project.dbt
    import yaml

    settings = yaml.safe_load((project.dbt / "dbt_project.yml").read_text()) or {}
    name = settings.get("profile") or settings.get("name") or "phlo"
    folder = project.state / "dbt" / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    profile = {name: {"target": "main", "outputs": {"main": {"type": "phlo", "threads": 1}}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile))
    return folder


@contextmanager
def _here() -> Iterator[None]:
    """Come back to the working folder, which dbt leaves for its project's."""
    folder = Path.cwd()
    try:
        yield
    finally:
        os.chdir(folder)


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


class _Nothing:
    """A catalog without tables: parsing asks none of them."""

    def pin(self, ref: str) -> Pin:
        """Resolve nothing."""
        return Pin(ref, {})
