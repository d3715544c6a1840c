"""Every class of dbt's adapter test-suite but for those that left_out.toml names with a reason; some in Trino's SQL."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import dbt.tests.adapter
import pytest
from tests.transform.adapter_suite.in_trino import ADAPTED, rewrite


def suite() -> dict[str, type[Any]]:
    """All test classes that dbt's suite has for adapters to derive from, by name."""
    found: dict[str, type[Any]] = {}
    root = Path(dbt.tests.adapter.__path__[0])
    for file in sorted(root.rglob("test_*.py")):
        module = importlib.import_module(".".join(("dbt.tests.adapter", *file.relative_to(root).with_suffix("").parts)))
        for name, kind in vars(module).items():
            own = inspect.isclass(kind) and kind.__module__ == module.__name__ and not name.startswith("Test")
            if own and any(attribute.startswith("test_") for attribute in dir(kind)):
                found[f"{file.stem.removeprefix('test_')}.{name}"] = kind
    return found


def left_out() -> dict[str, str]:
    """The classes that do not run, with the reason."""
    groups = tomllib.loads(Path(__file__).with_name("left_out.toml").read_text())["left_out"]
    return {name: group["reason"] for group in groups for name in group["classes"]}


rewrite()
SUITE, LEFT_OUT = suite() | ADAPTED, left_out()

for _name, _base in SUITE.items():
    if _name not in LEFT_OUT:
        _class = "Test" + _name.title().replace("_", "").replace(".", "_")
        globals()[_class] = pytest.mark.slow(type(_class, (_base,), {"__module__": __name__}))


@pytest.mark.slow
def test_what_is_left_out_is_part_of_the_suite() -> None:
    assert set(LEFT_OUT) <= set(suite())


@pytest.mark.slow
def test_what_is_written_in_trinos_sql_runs_and_is_part_of_the_suite() -> None:
    assert set(ADAPTED) <= set(suite()) - set(LEFT_OUT)


@pytest.mark.slow
def test_the_guide_lists_what_is_left_out_with_the_reasons() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / "dbt.md"
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", guide.read_text(), re.MULTILINE)
    assert rows == sorted(LEFT_OUT.items())
