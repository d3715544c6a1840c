"""``phlo init``: a project from a template, written whole or not at all.

A template is a folder of real files under ``templates/``; ``minimal`` is the base that the others lay their files
over. Names that begin with a dot are stored as ``dot-…``: a stored ``.gitignore`` would act on this repository.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from phlo.errors import InvalidProjectName, ProjectExists, UnknownTemplate, nearest
from phlo.origin import read_origin, requirement

TEMPLATES = Path(__file__).with_name("templates")
BASE = "minimal"
DESCRIPTIONS = {BASE: "Data platform", "glucose": "Glucose monitoring data platform"}

NAME = re.compile(r"[A-Za-z]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
TAKEN = {
    "contracts",
    "dagster",
    "dbt",
    "dlt",
    "duckdb",
    "pandas",
    "pandera",
    "phlo",
    "tests",
    "transforms",
    "workflows",
}
"""Packages that a project needs; one of the same name would be installed into their folder."""


def init_project(name: str, parent: Path, template: str = BASE) -> list[Path]:
    """Make the project ``parent/name`` from a template and return the files it created.

    Raises ``InvalidProjectName``, ``UnknownTemplate``, or ``ProjectExists`` where the folder already holds
    something; whatever goes wrong, nothing that was there is touched.
    """
    check_name(name)
    if template not in DESCRIPTIONS:
        raise UnknownTemplate(name=template, nearest=nearest(template, DESCRIPTIONS), known=", ".join(DESCRIPTIONS))
    target = parent.absolute() / name
    if target.is_symlink() or target.exists():
        _require_empty_folder(target)
    parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(target)
    try:
        files = _render(template, draft, _values(name, template))
        _move(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return [target / file for file in files]


def check_name(name: str) -> None:
    """Raise ``InvalidProjectName`` for a name that can't be a distribution, a folder and a dbt project at once.

    >>> check_name("my-glucose-platform")
    """
    if not NAME.fullmatch(name):
        raise InvalidProjectName(name=name, detail="use letters, digits, `-`, `_` and `.`, a letter first")
    package = package_name(name)
    if package in TAKEN:
        raise InvalidProjectName(name=name, detail=f"its wheel would write into the package `{package}`")


def package_name(name: str) -> str:
    """Name the folder that a project's wheel puts into site-packages; dbt knows the project by it too.

    >>> package_name("Glucose-Platform")
    'glucose_platform'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _values(name: str, template: str) -> dict[str, str]:
    return {
        "__PROJECT__": name,
        "__PACKAGE__": package_name(name),
        "__DESCRIPTION__": DESCRIPTIONS[template],
        "__PHLO__": requirement(read_origin()),
    }


def _require_empty_folder(target: Path) -> None:
    if not target.is_dir() or any(target.iterdir()):
        raise ProjectExists(path=target, kind="folder with files in it" if target.is_dir() else "file")


def _draft(target: Path) -> Path:
    """Make the folder to write in, beside its place and moved there at the end: a full disk leaves no half project."""
    try:
        return Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:  # about the folder that the user named
        raise type(error)(error.errno, error.strerror, str(target)) from error


def _render(template: str, folder: Path, values: dict[str, str]) -> list[Path]:
    files: dict[Path, Path] = {}
    for layer in dict.fromkeys((BASE, template)):
        for source in sorted((TEMPLATES / layer).rglob("*")):
            empty = source.name == "dot-gitkeep" and layer != template  # a folder that the template has elsewhere
            if source.is_file() and "__pycache__" not in source.parts and not empty:
                files[_stored(source.relative_to(TEMPLATES / layer))] = source
    for file, source in sorted(files.items()):
        text = source.read_text(encoding="utf-8")
        for token, value in values.items():
            text = text.replace(token, value)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return sorted(files)


def _stored(file: Path) -> Path:
    return Path(*(re.sub(r"^dot-", ".", part) for part in file.parts))


def _move(draft: Path, target: Path) -> None:
    draft.chmod(0o777 & ~_umask())
    if not target.exists():
        try:
            draft.rename(target)
        except OSError as error:
            _require_empty_folder(target)  # somebody else made it meanwhile
            raise error
        return
    for child in draft.iterdir():
        child.rename(target / child.name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
