"""Temporary lakes: a project's code, never its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import InvalidDate, NoProject, UnknownAsset, WorkflowImportFailed
from phlo.profiles import open_lake
from phlo.project import find_project
from phlo.testing import materialize, temporary_lake

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """
import phlo
from phlo.quality import RangeCheck

@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    raise AssertionError("a test must not ask the source")

@phlo.ingestion(unique_key="id")
def devices(partition_date: str):
    return [{"id": partition_date}]

@phlo.quality(table="raw.readings", checks=[RangeCheck(column="sgv", min_value=20, max_value=600)])
def readings_quality(): ...
"""

DAY = "2024-01-20"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "platform"
    (root / "workflows").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "platform"\n[tool.phlo]\npartitioning = "day"\n')
    (root / "workflows" / "readings.py").write_text(WORKFLOW)
    return root


def test_a_lake_of_no_project_is_empty_and_gone_afterwards() -> None:
    with temporary_lake() as lake:
        assert dict(lake.pin().tables) == {}
        state = lake.project.state
        assert state.is_dir()
    assert not state.exists()


def test_a_lake_of_a_project_has_its_settings_and_a_state_of_its_own(project: Path) -> None:
    with temporary_lake(project) as lake:
        assert lake.project.settings.partitioning == "day"
        assert lake.project.root == project
        assert project not in lake.project.state.parents
        materialize(lake, "devices", partition_date=DAY)
    assert not (project / ".phlo").exists()


def test_a_project_may_be_given_as_such_or_by_a_folder_in_it(project: Path) -> None:
    for given in (find_project(project), project / "workflows", str(project)):
        with temporary_lake(given) as lake:
            assert lake.project.name == "platform"


def test_a_folder_without_a_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoProject), temporary_lake(tmp_path):
        pass


def test_no_setting_leads_a_temporary_lake_to_a_real_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    monkeypatch.setenv("PHLO_CATALOG_URI", f"sqlite:///{real}/catalog.db")
    monkeypatch.setenv("PHLO_WAREHOUSE", str(real / "warehouse"))
    monkeypatch.setenv("PHLO_STATE", str(real))
    for given in (project, None):
        with temporary_lake(given) as lake:
            assert real not in lake.project.state.parents
            assert str(real) not in str(lake.catalog.warehouse)  # type: ignore[attr-defined]
    with temporary_lake(project) as lake:
        materialize(lake, "devices", partition_date=DAY)
    assert not real.exists()
    assert str(real) in str(open_lake(project).catalog.warehouse)  # type: ignore[attr-defined]


def test_rows_stand_in_for_a_source_and_the_checks_run(project: Path) -> None:
    with temporary_lake(project) as lake:
        run = materialize(lake, "readings", partition_date=DAY, rows={"readings": [{"id": 1, "sgv": 110}]})
        assert [result.passed for result in run.checks] == [True]
        assert run.published is not None
        assert lake.query("SELECT id, sgv FROM raw.readings").to_pylist() == [{"id": 1, "sgv": 110}]


def test_rows_may_come_from_a_function_of_the_day_and_many_days_be_run(project: Path) -> None:
    def deliver(partition_date: str) -> list[dict[str, Any]]:
        return [{"id": partition_date, "sgv": 100}]

    with temporary_lake(project) as lake:
        materialize(lake, "readings", partition_date=[DAY, "2024-01-22"], rows={"readings": deliver})
        found = lake.query("SELECT id FROM raw.readings ORDER BY id").to_pylist()
        assert [row["id"] for row in found] == [DAY, "2024-01-22"]


def test_a_blocking_check_that_fails_is_raised_with_its_results(project: Path) -> None:
    from phlo.errors import ChecksFailed

    with temporary_lake(project) as lake, pytest.raises(ChecksFailed, match="RangeCheck") as caught:
        materialize(lake, "readings", partition_date=DAY, rows={"readings": [{"id": 1, "sgv": 7}]})
    assert caught.value.values["run"].checks[0].rows[0]["sgv"] == 7  # type: ignore[attr-defined]


def test_wrong_names_and_days_are_errors(project: Path) -> None:
    with temporary_lake(project) as lake:
        with pytest.raises(UnknownAsset, match="did you mean `readings`"):
            materialize(lake, "readings", partition_date=DAY, rows={"reading": []})
        with pytest.raises(UnknownAsset):
            materialize(lake, "reading", partition_date=DAY)
        with pytest.raises(InvalidDate):
            materialize(lake, "readings", partition_date="20.1.2024")


def test_a_workflow_file_that_does_not_import_is_raised(project: Path) -> None:
    (project / "workflows" / "broken.py").write_text("import nothing_of_that_name\n")
    with temporary_lake(project) as lake, pytest.raises(WorkflowImportFailed, match=r"broken\.py"):
        materialize(lake, "devices", partition_date=DAY)
