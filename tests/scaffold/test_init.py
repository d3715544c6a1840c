"""`phlo init`'s templates: complete, correct, and never over anything that is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from phlo.config import read_settings
from phlo.errors import InvalidProjectName, ProjectExists, UnknownTemplate
from phlo.origin import install_line
from phlo.origin import requirement as requirement_of
from phlo.project import find_project, load_workflows
from phlo.scaffold import init as scaffold
from phlo.scaffold.init import init_project, package_name
from phlo.scaffold.workflow import create_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES = ("minimal", "glucose")

MINIMAL = """
.env.example .gitignore README.md pyproject.toml
workflows/ingestion workflows/schemas
transforms/dbt/models/bronze transforms/dbt/models/silver transforms/dbt/models/gold
tests
"""

GLUCOSE = """
.phlo/api/views.sql .phlo/api/hasura-metadata.yaml .phlo/api/README.md .phlo/alerting/config.yaml .phlo/dagster
contracts/glucose_readings.yaml
workflows/ingestion/nightscout/readings.py workflows/schemas/nightscout.py
workflows/quality/nightscout.py workflows/quality/plugin_checks.py
transforms/dbt/bronze transforms/dbt/silver transforms/dbt/gold
transforms/dbt/marts_postgres/mrt_glucose_overview.sql transforms/dbt/marts_postgres/mrt_glucose_hourly_patterns.sql
tests .env.example pyproject.toml
"""


@pytest.fixture(params=TEMPLATES)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    init_project("my-platform", tmp_path, request.param)
    return tmp_path / "my-platform"


# ── what is made ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("template", "paths"), [("minimal", MINIMAL), ("glucose", GLUCOSE)])
def test_the_documented_tree_is_there(template: str, paths: str, tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, template)
    missing = [path for path in paths.split() if not (tmp_path / "glucose-platform" / path).exists()]
    assert missing == []


def test_models_stand_in_one_place(tmp_path: Path) -> None:
    init_project("empty", tmp_path)
    init_project("full", tmp_path, "glucose")
    assert (tmp_path / "empty/transforms/dbt/models/silver").is_dir()
    assert not (tmp_path / "full/transforms/dbt/models").exists()


def test_the_returned_files_are_all_there_is(project: Path, tmp_path: Path) -> None:
    again = init_project("other", tmp_path, "minimal")
    assert sorted(again) == sorted(path for path in (tmp_path / "other").rglob("*") if path.is_file())


def test_no_placeholder_and_no_stored_name_is_left(project: Path) -> None:
    for file in project.rglob("*"):
        assert not file.name.startswith("dot-"), file
        if file.is_file():
            assert not re.search("__[A-Z]+__", file.read_text()), file


def test_templates_hold_no_file_that_acts_on_this_repository() -> None:
    names = {path.name for path in scaffold.TEMPLATES.rglob("*")}
    assert not {name for name in names if name.startswith(".")}


def test_the_project_is_found_with_its_settings(project: Path) -> None:
    found = find_project(project)
    assert (found.root, found.name) == (project, "my-platform")
    assert read_settings(project).dialect == "trino"


def test_a_copied_env_example_is_read(project: Path) -> None:
    (project / ".env").write_text((project / ".env.example").read_text())
    assert read_settings(project).profile == "embedded"


def test_every_workflow_file_imports_and_declares_what_the_documents_say(tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    found = load_workflows(find_project(tmp_path / "glucose-platform"))
    assert found.failures == []
    entries = found.ingestions["glucose_entries"]
    assert (entries.unique_key, entries.merge_strategy, entries.deduplication) == (("_id",), "merge", "last")
    assert (entries.group, entries.cron, entries.freshness_hours) == ("nightscout", "0 */1 * * *", (1.0, 24.0))
    assert {quality.table for quality in found.qualities} == {
        "raw.glucose_entries",
        "silver.fct_glucose_readings",
        "gold.fct_daily_glucose_metrics",
    }


def test_a_plugin_check_is_declared_only_where_its_package_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    package = tmp_path / "plugins" / "phlo_example"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "quality.py").write_text(
        "class ThresholdCheck:\n"
        "    name = 'threshold'\n"
        "    def __init__(self, column, max_value, tolerance): self.column = column\n"
        "    def execute(self, df): return {'passed': True, 'violations': 0, 'total': 1}\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    found = load_workflows(find_project(tmp_path / "glucose-platform"))
    assert found.failures == []
    threshold = [quality for quality in found.qualities if quality.name == "glucose_threshold_quality"]
    assert [(quality.table, quality.blocking) for quality in threshold] == [("silver.fct_glucose_readings", False)]


def test_yaml_and_toml_are_well_formed(project: Path) -> None:
    for file in project.rglob("*"):
        if file.suffix in (".yml", ".yaml"):
            assert yaml.safe_load(file.read_text()), file
    tomllib.loads((project / "pyproject.toml").read_text())


def test_python_in_templates_is_linted_and_formatted(project: Path) -> None:
    rules = ["--isolated", "--line-length", "120"]
    lint = [sys.executable, "-m", "ruff", "check", *rules, "--select", "E,F,I,B,UP,W", "--ignore", "B018", "."]
    style = [sys.executable, "-m", "ruff", "format", *rules, "--check", "."]
    for command in (lint, style):
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_checks_a_column_that_its_table_has(tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    root = tmp_path / "glucose-platform"
    contract = yaml.safe_load((root / "contracts" / "glucose_readings.yaml").read_text())
    model = root / "transforms/dbt/silver" / f"{contract['table'].removeprefix('silver.')}.sql"
    for column in contract["schema"]["required_columns"]:
        assert re.search(rf"\b{column['name']}\b", model.read_text())


def test_the_api_views_select_the_columns_that_the_marts_have(tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    root = tmp_path / "glucose-platform"
    views = (root / ".phlo/api/views.sql").read_text()
    for mart in ("mrt_glucose_overview", "mrt_glucose_hourly_patterns"):
        made = (root / "transforms/dbt/marts_postgres" / f"{mart}.sql").read_text()
        view = re.search(rf"select\n([^;]+)\nfrom marts\.{mart};", views)
        assert view is not None
        for column in view[1].replace(",", "").split():
            assert re.search(rf"\b{column}\b", made), (mart, column)


def test_every_described_model_and_column_exists(tmp_path: Path) -> None:
    init_project("glucose-platform", tmp_path, "glucose")
    dbt = tmp_path / "glucose-platform" / "transforms" / "dbt"
    models = [model for file in dbt.rglob("schema.yml") for model in yaml.safe_load(file.read_text())["models"]]
    assert {model["name"] for model in models} == {file.stem for file in dbt.rglob("*.sql")} - {"generate_schema_name"}
    for model in models:
        sql = next(dbt.rglob(f"{model['name']}.sql")).read_text()
        assert model["description"]
        for column in model["columns"]:
            assert column["description"], column
            assert re.search(rf"\b{column['name']}\b", sql), (model["name"], column["name"])


# ── names and places ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-x", "1st", "a b", "a/b", "naïve", "x" * 65, "ends-", "phlo", "Phlo", "dbt", "workflows"],
)
def test_a_name_that_can_not_be_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidProjectName) as error:
        init_project(name, tmp_path)
    assert error.value.values["name"] == name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["my-glucose-platform", "glucose_platform", "Weather.Analytics", "x", "a1", "platform"]
)
def test_a_good_name_makes_a_project_with_an_importable_package_name(name: str, tmp_path: Path) -> None:
    init_project(name, tmp_path)
    assert package_name(name).isidentifier()
    project = tomllib.loads((tmp_path / name / "pyproject.toml").read_text())["project"]
    assert project["name"] == name
    assert project["entry-points"]["phlo.projects"] == {name: package_name(name)}


def test_an_unknown_template_gets_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownTemplate, match="did you mean `glucose`"):
        init_project("x", tmp_path, "glucos")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ProjectExists):
        init_project("mine", tmp_path)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [Path("mine"), Path("mine/notes.txt")]


def test_a_file_in_the_place_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ProjectExists):
        init_project("mine", tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ProjectExists):
        init_project("dangling", tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"


def test_an_empty_folder_is_filled_and_stays_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o750)
    before = (tmp_path / "mine").stat().st_ino
    init_project("mine", tmp_path)
    assert (tmp_path / "mine" / "pyproject.toml").exists()
    assert (tmp_path / "mine").stat().st_ino == before


def test_a_place_that_can_not_be_written_is_named_and_not_a_draft_in_it(tmp_path: Path) -> None:
    init_project("weather", tmp_path)
    with nobody_may_write(tmp_path) as folder:
        with pytest.raises(PermissionError) as made:
            init_project("other", folder)
        with pytest.raises(PermissionError) as added:
            create_workflow(
                folder / "weather", domain="shop", table="orders", unique_key="id", base_url="https://x.org"
            )
    assert made.value.filename == str(folder / "other")
    assert added.value.filename == str(folder / "weather/workflows/schemas/shop.py")


@contextmanager
def nobody_may_write(root: Path) -> Iterator[Path]:
    """A copy of a folder that may be read only, also by root, who is somebody else meanwhile."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "copy")
        shutil.copytree(root, folder)
        Path(place).chmod(0o755)
        for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            each.chmod(0o555)
        me = os.geteuid()
        try:
            if me == 0:
                os.seteuid(65534)
            yield folder
        finally:
            if me == 0:
                os.seteuid(me)
            for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
                each.chmod(0o755)


def test_missing_parents_are_made(tmp_path: Path) -> None:
    init_project("deep", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "deep" / "pyproject.toml").exists()


def test_of_two_at_once_one_makes_it_and_the_other_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.rename

    def second_comes_first(self: Path, target: Path) -> Path:
        monkeypatch.undo()
        init_project("mine", tmp_path, "glucose")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", second_comes_first)
    with pytest.raises(ProjectExists):
        init_project("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "contracts").exists()


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Path.write_text, []

    def full_disk(self: Path, *args: object, **kwargs: object) -> int:
        calls.append(self)
        if len(calls) == 5:
            raise OSError(28, "No space left on device", str(self))
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        init_project("mine", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_new_project_is_open_to_the_group_as_the_umask_says(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        init_project("mine", tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o750


# ── what it depends on ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "phlo>=1.0,<2"),
        ({"url": "file:///src/phlo", "dir_info": {"editable": True}}, "phlo>=1.0,<2"),
        ({"url": "file:///src/phlo", "dir_info": {}}, "phlo @ file:///src/phlo"),
        (
            {"url": "https://user:pass@example.org/phlo.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b2c"}},
            "phlo @ git+https://example.org/phlo.git@0a1b2c",
        ),
        (
            {"url": "https://example.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "f0"}, "subdirectory": "py"},
            "phlo @ git+https://example.org/r.git@f0#subdirectory=py",
        ),
        (
            {"url": "https://example.org/phlo-1.0.0-py3-none-any.whl", "archive_info": {}},
            "phlo @ https://example.org/phlo-1.0.0-py3-none-any.whl",
        ),
    ],
)
def test_a_project_depends_on_where_phlo_came_from(origin: dict[str, object] | None, requirement: str) -> None:
    assert requirement_of(json.dumps(origin) if origin else None) == requirement


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "pip install 'phlo[dagster]>=1.0,<2'"),
        ({"url": "file:///a%20b/phlo", "dir_info": {}}, "pip install '/a b/phlo[dagster]'"),
        ({"url": "file:///src/phlo", "dir_info": {"editable": True}}, "pip install -e '/src/phlo[dagster]'"),
        ({"url": "file:///phlo.whl", "archive_info": {}}, "pip install 'phlo[dagster] @ file:///phlo.whl'"),
        (
            {"url": "https://u:p@example.org/phlo.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b2c"}},
            "pip install 'phlo[dagster] @ git+https://example.org/phlo.git@0a1b2c'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_phlo_came(origin: dict[str, object] | None, line: str) -> None:
    assert install_line("dagster", json.dumps(origin) if origin else None) == line


def test_the_bare_name_is_never_required(project: Path) -> None:
    requirements = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [each for each in requirements if re.fullmatch(r"phlo( @ \S+|>=1\.0,<2)", each)] == requirements
