"""The public door of checks opens without a heavy library, and shows all it has."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import phlo.quality as _  # noqa: F401  binds the package in sys.modules

HEAVY = ("pandas", "pyarrow", "pandera", "duckdb", "pyiceberg", "sqlglot", "numpy", "dlt", "dbt", "click", "pydantic")

SCRIPT = """
import sys
import phlo
from phlo.quality import CountCheck, CustomSQLCheck, FreshnessCheck, NullCheck, PatternCheck, RangeCheck, UniqueCheck

@phlo.quality(table="raw.readings", checks=[NullCheck(["a"]), RangeCheck("b", 1, 2), UniqueCheck("a"),
    PatternCheck("a", "^x"), CountCheck(1), FreshnessCheck("b", 2), CustomSQLCheck("c", "SELECT 1 FROM {table}")])
def readings_quality(): ...

print(*sorted(sys.modules))
"""


def test_declaring_checks_loads_no_heavy_library() -> None:
    loaded = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in HEAVY if name in loaded] == []


def test_all_is_sorted_and_all_that_is_public() -> None:
    package = sys.modules["phlo.quality"]
    names = package.__all__
    assert names == sorted(names)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    public = {name for name in vars(package) if not name.startswith("_")} - modules - {"annotations"}
    assert public == set(names)
