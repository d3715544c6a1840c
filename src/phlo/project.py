"""A project: its folder, its settings, and the declarations of its workflow files."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
import traceback
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from phlo.declarations import Ingestion, Quality, declared, relative
from phlo.errors import DuplicateAsset, NoProject, PhloError, UnknownProject, WorkflowImportFailed, nearest
from phlo.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phlo.config import Settings

STATE = Path(".phlo", "state")


@dataclass(frozen=True)
class Project:
    """A folder whose pyproject.toml has ``[tool.phlo]``, or depends on Phlo beside a folder ``workflows``."""

    root: Path
    name: str
    installed: bool = False
    """Whether it lives in site-packages, where its state can't."""

    @cached_property
    def settings(self) -> Settings:
        """Its settings."""
        from phlo.config import read_settings

        return read_settings(self.root)

    @cached_property
    def state(self) -> Path:
        """The folder of everything Phlo keeps for it, made on first use: mode 0700, for it holds people's data."""
        folder = self._state_folder()
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def dbt(self) -> Path:
        """The folder of its dbt project."""
        return self.root / self.settings.dbt_project

    def _state_folder(self) -> Path:
        import os

        if self.settings.state:
            return Path(self.settings.state).expanduser().absolute()
        if not self.installed:
            return self.root / STATE
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(home) / "phlo" / self.name


@dataclass(frozen=True)
class Workflows:
    """What the workflow files declare, and which files did not import."""

    ingestions: dict[str, Ingestion] = field(default_factory=dict)
    """By table name, without the namespace."""
    qualities: list[Quality] = field(default_factory=list)
    failures: list[WorkflowImportFailed] = field(default_factory=list)

    @property
    def causes(self) -> list[WorkflowImportFailed]:
        """The failures to show: what a file that does not import keeps from importing is named with that file."""
        by_file = {str(failure.values["file"]): failure for failure in self.failures}
        kept: dict[str, list[str]] = {}
        for file, failure in by_file.items():
            origin = str(failure.values["origin"])
            kept.setdefault(origin if origin in by_file else file, []).append(file)
        return [_with_importers(by_file[file], [each for each in kept[file] if each != file]) for file in kept]


def find_project(where: str | Path | None = None) -> Project:
    """Find the project at or above a folder (default: the working folder), or an installed one by its name."""
    start = Path(where or ".").absolute()
    for folder in (start, *start.parents) if start.is_dir() else ():
        name = _project_name(folder)
        if name is not None:
            return Project(folder, name)
    if where is not None and not start.is_dir():
        return _installed(str(where))
    raise NoProject(folder=start)


def load_workflows(project: Project, *, around: AbstractContextManager[object] | None = None) -> Workflows:
    """Import every workflow file and collect what they declare; a file that fails is reported, the others count."""
    top = project.settings.workflows.split("/")[0]
    _forget_other_projects(top)
    _read_dotenv(project.root / ".env")
    # First, though it may be there already: editable installs put every project of the environment on the path.
    sys.path[:] = [str(project.root), *(entry for entry in sys.path if entry != str(project.root))]
    package = project.root / top
    if package.is_dir() and not (package / "__init__.py").exists():
        _open_package(package)
    folder = project.root / project.settings.workflows
    declared.clear()
    failures: list[WorkflowImportFailed] = []
    with around or nullcontext(), warnings.catch_warnings():
        # The spec writes `import pandera as pa`; pandera would rather see `pandera.pandas`, on every import.
        warnings.filterwarnings("ignore", category=FutureWarning)
        for file in sorted(folder.rglob("*.py")):
            failure = _import(project.root, file)
            if failure is not None:
                failures.append(failure)
    return _collect(project.root, failures)


def _import(root: Path, file: Path) -> WorkflowImportFailed | None:
    module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  user code may raise anything, or exit
        declared[:] = [record for record in declared if record.source.file != str(file)]
        known = error if isinstance(error, PhloError) else None
        return WorkflowImportFailed(
            file=relative(str(file), root),
            line=_line(error, file),
            detail=str(known) if known else redact(f"{type(error).__name__}: {error}"),
            fix=(known and known.next_step) or "mend the file",
            origin=_origin(error, root, file),
        )
    return None


def _with_importers(failure: WorkflowImportFailed, files: Sequence[str]) -> WorkflowImportFailed:
    if not files:
        return failure
    named = ", ".join(f"`{file}`" for file in files)
    detail = f"{failure.values['detail']}; nor, because of it, do {named}"
    return WorkflowImportFailed(**{**failure.values, "detail": detail})


def _origin(error: BaseException, root: Path, file: Path) -> str:
    """The project's file in which an import ended: the file itself, or one that it imports."""
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append(error.filename)
    own = [frame for frame in frames if Path(frame).is_relative_to(root)]
    return relative(own[-1] if own else str(file), root)


def _line(error: BaseException, file: Path) -> int | str:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno or 0
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines and lines[-1] else "?"


def _collect(root: Path, failures: list[WorkflowImportFailed]) -> Workflows:
    found = Workflows(failures=failures)
    for record in declared:
        if isinstance(record, Quality):
            found.qualities.append(record)
            continue
        other = found.ingestions.setdefault(record.table_name, record)
        if other is not record:
            places = [f"{relative(each.source.file, root)}:{each.source.line}" for each in (other, record)]
            raise DuplicateAsset(table=record.table, first=places[0], second=places[1])
    return found


def _forget_other_projects(top: str) -> None:
    """Every project calls its package ``workflows``: drop the modules of the one loaded before."""
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _open_package(folder: Path) -> None:
    """Make a folder without ``__init__.py`` a package: Python would rather take another project's that has one."""
    spec = ModuleSpec(folder.name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[folder.name] = module_from_spec(spec)


def _read_dotenv(file: Path) -> None:
    if file.exists():
        from dotenv import load_dotenv

        load_dotenv(file)


def _project_name(folder: Path) -> str | None:
    file = folder / "pyproject.toml"
    if not file.is_file():
        return None
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError:
        return folder.name if "[tool.phlo]" in file.read_text(encoding="utf-8") else None
    project = content.get("project", {})
    if "phlo" not in content.get("tool", {}) and not _uses_phlo(project, folder):
        return None
    return str(project.get("name", folder.name))


def _uses_phlo(project: dict[str, Any], folder: Path) -> bool:
    """Tell a project that lists Phlo as a dependency, and has workflows, from a package that merely builds on it."""
    names = (re.match(r"[\w.-]*", str(requirement)) for requirement in project.get("dependencies", ()))
    return any(name and name[0].lower() == "phlo" for name in names) and (folder / "workflows").is_dir()


def _installed(name: str) -> Project:
    found = {entry.name: entry for entry in entry_points(group="phlo.projects")}
    if name not in found:
        raise UnknownProject(name=name, nearest=nearest(name, found))
    entry = found[name]
    assert entry.dist is not None  # entry points of installed distributions know theirs
    origin = json.loads(entry.dist.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):  # `pip install -e`: the files stay where they are
        return Project(Path(url2pathname(urlsplit(origin["url"]).path)), name)
    return Project(Path(str(entry.dist.locate_file(entry.value))), name, installed=True)
