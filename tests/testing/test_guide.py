"""The guide's tests, in the project it is written for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "test-your-workflows.md"

IMPORTS = """
from workflows.ingestion.nightscout.readings import glucose_entries
from workflows.quality.nightscout import glucose_readings_quality
"""


@pytest.mark.slow
def test_what_the_guide_shows_passes_in_the_glucose_project(tmp_path: Path) -> None:
    phlo = [sys.executable, "-m", "phlo", "init", "glucose-platform", "--template", "glucose"]
    subprocess.run(phlo, cwd=tmp_path, capture_output=True, check=True)
    project = tmp_path / "glucose-platform"
    *blocks, conftest = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (project / "conftest.py").write_text(conftest)
    (project / "tests" / "test_guide.py").write_text("".join([IMPORTS, *blocks]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_guide.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert not (project / ".phlo" / "state").exists()
