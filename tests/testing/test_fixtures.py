"""The fixtures, as a project's own pytest run sees them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW = """
import phlo

@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    return [{"id": partition_date}]
"""

TEST = """
from phlo.testing import materialize, run_ingestion
from workflows.readings import readings

def test_the_project_runs_in_a_lake_of_its_own(project_lake):
    assert project_lake.project.name == "platform"
    materialize(project_lake, "readings", partition_date="2024-01-20", rows={"readings": [{"id": "a"}]})
    assert project_lake.query("SELECT id FROM raw.readings").to_pylist() == [{"id": "a"}]

def test_each_test_begins_with_an_empty_lake(project_lake, empty_lake):
    assert not project_lake.pin().tables
    assert not empty_lake.pin().tables

def test_a_function_imported_before_the_project_was_loaded_can_be_run(project_lake, empty_lake):
    assert project_lake.workflows.ingestions
    assert run_ingestion(readings, "2024-01-21", lake=empty_lake).rows == [{"id": "2024-01-21"}]
"""


@pytest.mark.slow
def test_a_project_uses_the_fixtures_in_its_own_tests(tmp_path: Path) -> None:
    for folder in ("workflows", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "platform"\n[tool.phlo]\n')
    (tmp_path / "workflows" / "__init__.py").touch()
    (tmp_path / "workflows" / "readings.py").write_text(WORKFLOW)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["phlo.testing.fixtures"]\n')
    (tmp_path / "tests" / "test_readings.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert not (tmp_path / ".phlo").exists()


def test_the_helpers_need_no_pytest() -> None:
    heavy = ("pytest", "pandas", "pyarrow", "duckdb", "dlt")
    code = f"import sys, phlo.testing; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_that_is_public_is_listed_in_order() -> None:
    import phlo.testing

    assert phlo.testing.__all__ == sorted(phlo.testing.__all__)
    assert all(hasattr(phlo.testing, name) for name in phlo.testing.__all__)
