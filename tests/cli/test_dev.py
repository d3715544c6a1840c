"""``phlo dev`` before it serves: what it says without Dagster, and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Shop

WITHOUT = "import sys; sys.modules['dagster'] = None; from phlo.cli.main import main; main(['dev'])"
IMPORTED = """
import sys
from phlo.cli.main import main
try:
    main(["materialize", "events", "--partition", "2024-01-20"])
finally:
    assert not [name for name in sys.modules if name.split(".")[0] in ("dagster", "starlette", "uvicorn")]
"""


def test_without_dagster_it_says_the_line_that_installs_it(shop: Shop) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=shop.root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error[missing-extra]: `phlo dev` needs the package `dagster`, which is not installed" in done.stderr
    assert "hint: pip install " in done.stderr
    assert "[dagster]" in done.stderr
    assert "Starting" not in done.stdout


def test_a_run_of_the_command_line_does_not_import_dagster(shop: Shop) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=shop.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
