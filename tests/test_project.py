"""Finding projects and collecting what their workflow files declare."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from phlo.errors import DuplicateAsset, NoProject, UnknownProject
from phlo.project import find_project, load_workflows

if TYPE_CHECKING:
    from pathlib import Path

INGESTION = """
import phlo

@phlo.ingestion(unique_key="id")
def {name}(partition_date: str):
    return [{{"id": 1}}]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "workflows" / "ingestion").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.phlo]\n')
    return folder


def workflow(root: Path, name: str, text: str | None = None) -> Path:
    file = root / "workflows" / "ingestion" / f"{name}.py"
    file.write_text(text if text is not None else INGESTION.format(name=name))
    return file


def test_a_project_is_found_from_any_folder_below_it(root: Path) -> None:
    below = root / "workflows" / "ingestion"
    assert find_project(below).root == root
    assert find_project(below).name == "shop"


def test_outside_a_project_the_error_names_the_folder_and_the_way_in(tmp_path: Path) -> None:
    with pytest.raises(NoProject, match=str(tmp_path)) as caught:
        find_project(tmp_path)
    assert "phlo init" in caught.value.next_step


def test_a_pyproject_of_something_else_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    with pytest.raises(NoProject):
        find_project(tmp_path)


@pytest.mark.parametrize("requirement", ["phlo", "phlo>=1.0,<2", "phlo[postgres]", "phlo @ file:///somewhere"])
def test_a_pyproject_that_depends_on_phlo_is_a_project_where_workflows_are(tmp_path: Path, requirement: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "by-hand"\ndependencies = ["{requirement}"]\n')
    with pytest.raises(NoProject):
        find_project(tmp_path)
    (tmp_path / "workflows").mkdir()
    assert find_project(tmp_path).name == "by-hand"


def test_a_pyproject_that_depends_on_a_namesake_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\ndependencies = ["phlo-plugin-example"]\n')
    with pytest.raises(NoProject):
        find_project(tmp_path)


def test_a_name_that_is_neither_folder_nor_installed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownProject, match="glucose-platfrom"):
        find_project("glucose-platfrom")


def test_state_is_made_private(root: Path) -> None:
    state = find_project(root).state
    assert state == root / ".phlo" / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_state_can_be_put_elsewhere(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHLO_STATE", str(tmp_path / "elsewhere"))
    assert find_project(root).state == tmp_path / "elsewhere"


def test_every_workflow_file_is_found(root: Path) -> None:
    workflow(root, "orders")
    workflow(root, "customers")
    found = load_workflows(find_project(root))
    assert sorted(found.ingestions) == ["customers", "orders"]
    assert found.failures == []


def test_a_project_without_workflows_has_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.phlo]\n")
    assert load_workflows(find_project(tmp_path)).ingestions == {}


def test_a_file_that_does_not_import_costs_only_its_own_assets(root: Path) -> None:
    workflow(root, "orders")
    workflow(root, "broken", INGESTION.format(name="broken") + "\nimport no_such_module\n")
    found = load_workflows(find_project(root))
    assert list(found.ingestions) == ["orders"]
    (failure,) = found.failures
    assert str(failure) == (
        "`workflows/ingestion/broken.py` does not import (line 8): "
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert failure.next_step == "mend the file; the assets of the other files can still be used"


def test_a_syntax_error_names_its_line(root: Path) -> None:
    workflow(root, "broken", "import phlo\n\ndef broken(:\n")
    (failure,) = load_workflows(find_project(root)).failures
    assert "(line 3)" in str(failure)


def test_a_file_that_others_import_is_shown_once_with_those_that_import_it(root: Path) -> None:
    (root / "workflows" / "shared.py").write_text("def broken(:\n")
    workflow(root, "events", "from workflows.shared import broken\n")
    workflow(root, "orders", "import workflows.shared\n")
    workflow(root, "other", "import no_such_module\n")
    found = load_workflows(find_project(root))
    assert len(found.failures) == 4
    shown = {str(each.values["file"]): str(each) for each in found.causes}
    assert sorted(shown) == ["workflows/ingestion/other.py", "workflows/shared.py"]
    assert shown["workflows/shared.py"].endswith(
        "; nor, because of it, do `workflows/ingestion/events.py`, `workflows/ingestion/orders.py`"
    )


def test_a_wrong_declaration_is_reported_with_its_own_sentence(root: Path) -> None:
    workflow(root, "orders", INGESTION.format(name="orders").replace("unique_key", "uniqe_key"))
    (failure,) = load_workflows(find_project(root)).failures
    assert "there is no argument `uniqe_key`; did you mean `unique_key`?" in str(failure)
    assert failure.next_step.startswith("its arguments are table_name, unique_key, ")
    assert failure.next_step.endswith("; the assets of the other files can still be used")


def test_a_decorator_without_parentheses_costs_its_file_and_the_hint_shows_it_written(root: Path) -> None:
    workflow(root, "orders")
    workflow(root, "bare", INGESTION.format(name="bare").replace('(unique_key="id")', ""))
    found = load_workflows(find_project(root))
    assert list(found.ingestions) == ["orders"]
    (failure,) = found.failures
    assert str(failure).endswith(":4 (bare): it stands without parentheses")
    assert failure.next_step.startswith('write @phlo.ingestion(unique_key="id"); the assets of')


def test_one_table_declared_twice_is_an_error_that_names_both_places(root: Path) -> None:
    workflow(root, "orders")
    workflow(root, "orders_again", INGESTION.format(name="orders"))
    with pytest.raises(DuplicateAsset, match=r"orders\.py:4 and in workflows/ingestion/orders_again\.py:4"):
        load_workflows(find_project(root))


def test_two_projects_in_one_process_do_not_see_each_others_workflows(root: Path, tmp_path: Path) -> None:
    workflow(root, "orders")
    other = tmp_path / "weather"
    (other / "workflows" / "ingestion").mkdir(parents=True)
    (other / "pyproject.toml").write_text("[tool.phlo]\n")
    workflow(other, "observations")
    assert list(load_workflows(find_project(root)).ingestions) == ["orders"]
    assert list(load_workflows(find_project(other)).ingestions) == ["observations"]
    assert list(load_workflows(find_project(root)).ingestions) == ["orders"]


def test_workflows_import_from_each_other(root: Path) -> None:
    (root / "workflows" / "names.py").write_text("KEY = 'id'\n")
    text = (
        "import phlo\nfrom workflows.names import KEY\n@phlo.ingestion(unique_key=KEY)\ndef orders():\n    return []\n"
    )
    workflow(root, "orders", text)
    assert load_workflows(find_project(root)).ingestions["orders"].unique_key == ("id",)


def test_dotenv_reaches_workflows_and_the_environment_wins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SET", "environment")
    monkeypatch.setenv("SHOP_TOKEN", "")
    monkeypatch.delenv("SHOP_TOKEN")
    (root / ".env").write_text("SHOP_TOKEN=from-file\nSHOP_SET=file\n")
    load_workflows(find_project(root))
    assert (os.environ["SHOP_TOKEN"], os.environ["SHOP_SET"]) == ("from-file", "environment")


def test_the_root_is_importable_once(root: Path) -> None:
    workflow(root, "orders")
    load_workflows(find_project(root))
    load_workflows(find_project(root))
    assert sys.path.count(str(root)) == 1


def test_a_project_without_an_init_file_is_not_taken_for_one_that_has_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    (other / "workflows").mkdir(parents=True)
    (other / "workflows" / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(other)])
    workflow(root, "orders")
    found = load_workflows(find_project(root))
    assert (list(found.ingestions), found.failures) == (["orders"], [])


def test_an_error_of_an_import_is_shown_without_its_secrets(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2-and-more")
    workflow(root, "broken", "import os\nraise ValueError('https://ann:pw@host/' + os.environ['SHOP_TOKEN'])\n")
    (failure,) = load_workflows(find_project(root)).failures
    assert "ValueError: https://***@host/***" in str(failure)
