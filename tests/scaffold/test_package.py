"""A scaffolded project is a standard Python package: it builds, installs, and runs from where it was installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from phlo.scaffold.init import TEMPLATES, init_project

pytest.importorskip("hatchling", reason="building without a network needs the build backend here")
pytest.importorskip("pip")

SHOW = """
import sys
from phlo.project import find_project, load_workflows
project = find_project(sys.argv[1])
found = load_workflows(project)
print(project.root, project.installed, sorted(found.ingestions), [str(each) for each in found.failures], sep="|")
"""


def run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(project: Path, to: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, as `python -m build` does."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(to), ".", cwd=project)
    return next(to.glob("*.tar.gz")), next(to.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own that sees what this one has installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    here = [entry for entry in sys.path if entry and Path(entry).is_dir()]
    (site / "outer.pth").write_text("\n".join(here))
    return folder


def install(environment: Path, *what: str) -> None:
    options = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall"]
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    run(*pip, *options, *what, cwd=environment)


def show(environment: Path, name: str, cwd: Path) -> list[str]:
    return run(str(environment / "bin" / "python"), "-c", SHOW, name, cwd=cwd).strip().split("|")


def test_packages_carry_the_project_and_neither_data_nor_secrets(tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    root = tmp_path / "glucose-platform"
    secrets = [".env", ".phlo/state/catalog.db", "transforms/dbt/target/manifest.json", ".phlo/state/temp/x.parquet"]
    for file in secrets:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("secret")
    sdist, wheel = build(root, tmp_path / "dist")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix("glucose_platform/") for name in archive.namelist()}
    with tarfile.open(sdist) as sources:
        shipped = {name.partition("/")[2] for name in sources.getnames()}
    carried = [
        "pyproject.toml",
        "workflows/ingestion/nightscout/readings.py",
        "workflows/quality/nightscout.py",
        "transforms/dbt/dbt_project.yml",
        "transforms/dbt/profiles.yml",
        "transforms/dbt/macros/generate_schema_name.sql",
        "transforms/dbt/marts_postgres/mrt_glucose_overview.sql",
        "contracts/glucose_readings.yaml",
        ".phlo/api/views.sql",
    ]
    assert set(carried) <= packed
    assert {*carried, "README.md", ".env.example", ".gitignore", "tests/test_workflows.py"} <= shipped
    assert not (set(secrets) & (packed | shipped))


def test_secrets_stay_out_even_without_the_gitignore(tmp_path: Path) -> None:
    init_project("platform", tmp_path)
    root = tmp_path / "platform"
    (root / ".gitignore").unlink()
    (root / ".env").write_text("secret")
    (root / ".phlo" / "state").mkdir(parents=True)
    (root / ".phlo" / "state" / "catalog.db").write_text("secret")
    sdist, wheel = build(root, tmp_path / "dist")
    with tarfile.open(sdist) as sources, zipfile.ZipFile(wheel) as archive:
        names = [*sources.getnames(), *archive.namelist()]
    assert not [name for name in names if name.endswith((".env", "catalog.db"))]


@pytest.mark.slow
def test_installed_projects_live_side_by_side(tmp_path: Path, environment: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    init_project("weather-analytics", tmp_path)
    schema = "weather-analytics/workflows/schemas/nightscout.py"  # a module that both have
    (tmp_path / schema).write_text("WEATHER = True\n")
    (tmp_path / "weather-analytics/workflows/ingestion/weather.py").write_text(
        "import phlo\nfrom workflows.schemas.nightscout import WEATHER\n\n\n"
        "@phlo.ingestion()\ndef observations(partition_date: str): ...\n"
    )
    wheels = [
        str(build(tmp_path / name, tmp_path / "dist" / name)[1]) for name in ("glucose-platform", "weather-analytics")
    ]
    install(environment, *wheels)
    site = next(environment.glob("lib/python*/site-packages"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert show(environment, "glucose-platform", elsewhere) == [
        str(site / "glucose_platform"), "True", "['glucose_entries']", "[]",
    ]  # fmt: skip
    assert show(environment, "weather-analytics", elsewhere) == [
        str(site / "weather_analytics"), "True", "['observations']", "[]",
    ]  # fmt: skip


def test_editable_projects_are_used_where_they_are(tmp_path: Path, environment: Path) -> None:
    for name in ("first-project", "second-project"):
        init_project(name, tmp_path / "some folder")
    first, second = (tmp_path / "some folder" / name for name in ("first-project", "second-project"))
    (first / "workflows/ingestion/one.py").write_text("import phlo\n\n\n@phlo.ingestion()\ndef one(): ...\n")
    (second / "workflows/ingestion/two.py").write_text("import phlo\n\n\n@phlo.ingestion()\ndef two(): ...\n")
    install(environment, "-e", str(first), "-e", str(second))
    assert show(environment, "first-project", tmp_path) == [str(first), "False", "['one']", "[]"]
    assert show(environment, "second-project", tmp_path) == [str(second), "False", "['two']", "[]"]


def test_phlos_own_wheel_carries_every_file_of_the_templates(tmp_path: Path) -> None:
    repository = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), "."]
    run(*command, cwd=repository)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        packed = {name.removeprefix("phlo/scaffold/templates/") for name in archive.namelist()}
    files = [file for file in TEMPLATES.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {file.relative_to(TEMPLATES).as_posix() for file in files} <= packed
    assert not [name for name in packed if ".pyc" in name]
