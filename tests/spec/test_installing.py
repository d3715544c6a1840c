"""The printed lines of pip, build and pytest, in environments of their own; pip asks the index for a builder."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
import venv
from hashlib import sha256
from pathlib import Path

import pytest
from spec_tools import REPOSITORY, Shell, put

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installing")]  # one worker makes the index

WORKFLOW = """
import phlo


@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    return [{"id": 1, "day": partition_date}]
"""


class Machine:
    """A computer of its own: Python, and what Phlo needs, but not Phlo; with a shell on it.

    What Phlo needs is what this test's environment holds, by symbolic links: pip sees it installed, and half a
    gigabyte stays where it is.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir()
        venv.create(folder / "venv", with_pip=True)
        self.site = next((folder / "venv").glob("lib/python*/site-packages"))
        self._link(folder / "outer")
        others = [entry for entry in os.environ["PATH"].split(os.pathsep) if Path(entry) != Path(sys.executable).parent]
        path = os.pathsep.join([str(folder / "venv" / "bin"), *others])
        own = {"PATH": path, "PYTHONPATH": "", "XDG_STATE_HOME": str(folder / "state")}
        self.shell = Shell(folder, {**own, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **settings})

    def _link(self, outer: Path) -> None:
        outer.mkdir()
        for site in (Path(entry) for entry in sys.path if entry.endswith("site-packages")):
            for found in site.iterdir():
                ours = re.match(r"_?phlo\b|_editable|pip\b|.*\.pth$|__pycache__", found.name)
                if not ours and not (outer / found.name).exists():
                    (outer / found.name).symlink_to(found)
        (self.site / "outer.pth").write_text(str(outer))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of Phlo, as a clone has them."""
    folder = tmp_path_factory.mktemp("sources") / "phlo"
    folder.mkdir()
    shutil.copytree(REPOSITORY / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(REPOSITORY / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> dict[str, str]:
    """An index that has Phlo 1.0.0 and what builds packages; the settings that point pip at it, and at nothing else.

    Phlo 1.0.1 lies in ``later``, for when it is out.
    """
    folder = tmp_path_factory.mktemp("index")
    builder = Machine(tmp_path_factory.mktemp("builder") / "machine").shell
    builder.run(f"pip download --dest {folder} 'hatchling>=1.27' editables 'setuptools>=70'")
    builder.run(f"pip wheel --no-deps --wheel-dir {folder} {sources}")
    newer = Path(shutil.copytree(sources, folder / "newer"))
    for file in ("pyproject.toml", "src/phlo/__init__.py"):
        text = (newer / file).read_text(encoding="utf-8")
        assert '"1.0.0"' in text
        put(newer / file, text.replace('"1.0.0"', '"1.0.1"'))
    (folder / "later").mkdir()
    builder.run(f"pip wheel --no-deps --wheel-dir {folder / 'later'} {newer}")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def test_pip_installs_phlo_by_its_name_from_an_index_that_has_it(tmp_path: Path, index: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", **index)
    machine.shell.run("pip install phlo")
    assert machine.shell.run("phlo --version").stdout == "phlo, version 1.0.0\n"
    assert str(machine.site) in machine.shell.run("python -c 'import phlo; print(phlo.__file__)'").stdout


def test_pip_installs_phlo_from_its_sources(tmp_path: Path, sources: Path, index: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", **index)
    machine.shell.run(f"cd {sources}\npip install -e .")
    assert machine.shell.run("phlo --version").stdout == "phlo, version 1.0.0\n"
    assert str(sources) in machine.shell.run("python -c 'import phlo; print(phlo.__file__)'").stdout


def test_pip_installs_the_project_with_its_dependencies(tmp_path: Path, sources: Path, index: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", **index)
    machine.shell.at(sources).run("pip install -e .")
    machine.shell.run("phlo init glucose-platform")
    machine.shell.run("pip uninstall --yes phlo")
    project = machine.shell.at("glucose-platform")
    project.run("pip install -e .")
    listed = project.run("pip list --editable").stdout
    assert "glucose-platform" in listed
    assert (machine.site / "phlo" / "__init__.py").exists()
    assert not (machine.site / "duckdb").exists(), "what was there is not installed again"
    put(project.folder / "workflows/ingestion/readings.py", WORKFLOW)
    elsewhere = machine.shell.run("phlo --project glucose-platform materialize --dry-run")
    assert "raw.readings" in elsewhere.stdout


def test_an_upgrade_leaves_the_project_as_it_is(tmp_path: Path, index: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", **index)
    machine.shell.run("pip install phlo")
    machine.shell.run("phlo init glucose-platform")
    project = machine.shell.at("glucose-platform", PIP_FIND_LINKS=f"{index['PIP_FIND_LINKS']}/later")
    put(project.folder / "workflows/ingestion/readings.py", WORKFLOW)
    project.run("phlo materialize readings --partition 2024-01-20")
    before = _texts(project.folder)
    project.run("pip install --upgrade phlo  # YOUR code unchanged")
    assert project.run("phlo --version").stdout == "phlo, version 1.0.1\n"
    project.run("phlo materialize readings --partition 2024-01-21")
    assert project.run('phlo query "select count(*) as n from raw.readings" --csv').stdout == "n\n1\n"
    assert _texts(project.folder) == before


def test_the_project_is_built_and_its_wheel_runs_elsewhere(tmp_path: Path, index: dict[str, str]) -> None:
    machine = Machine(tmp_path / "machine", **index)
    machine.shell.run("pip install phlo")
    machine.shell.run("phlo init glucose-platform")
    put(machine.shell.folder / "glucose-platform/workflows/ingestion/readings.py", WORKFLOW)
    machine.shell.run("cd glucose-platform\npython -m build")
    dist = machine.shell.folder / "glucose-platform/dist"
    assert sorted(file.suffix for file in dist.iterdir()) == [".gz", ".whl"]
    other = Machine(tmp_path / "other", **{**index, "PIP_FIND_LINKS": f"{index['PIP_FIND_LINKS']} {dist}"})
    other.shell.run("pip install glucose-platform")
    other.shell.run("phlo --project glucose-platform materialize readings --partition 2024-01-20")
    sql = "select day from raw.readings"
    assert other.shell.run(f'phlo --project glucose-platform query "{sql}" --csv').stdout == "day\n2024-01-20\n"


def test_the_framework_has_tests_that_pytest_finds() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "phlo"
    # To collect is enough: this test is one of those that the line would run.
    shell = Shell(REPOSITORY, {"PYTEST_ADDOPTS": "--collect-only -p no:cacheprovider"})
    found = shell.run("pytest tests/").stdout
    assert "tests/spec/test_platform_readme.py" in found
    assert "error" not in found.lower().splitlines()[-1]


def _texts(project: Path) -> dict[str, str]:
    files = [file for file in project.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    kept = [file for file in files if ".phlo/state" not in file.as_posix()]
    return {str(file.relative_to(project)): sha256(file.read_bytes()).hexdigest() for file in kept}
