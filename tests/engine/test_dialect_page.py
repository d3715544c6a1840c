"""The reference page on the dialect says what the recorded statements show."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("dialect_page", ROOT / "scripts" / "dialect_page.py")
    assert spec is not None
    assert spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    fresh = (ROOT / "docs" / "reference" / "dialect.md").read_text() == written.page()
    assert fresh, "run `python scripts/dialect_page.py`"
