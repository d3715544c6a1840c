"""Which tables workflow files declare, by their text: importing them takes seconds and runs the user's code."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.project import Project

DECORATORS = ("ingestion", "phlo_ingestion")


def declared_tables(project: Project) -> set[str]:
    """Name the tables of ingestions.

    A file that can't be read or is no Python, and a ``table_name`` that is not written out, are passed over.
    """
    folder = project.root / project.settings.workflows
    loaded = set()
    for file in folder.rglob("*.py"):
        with suppress(OSError):
            loaded |= {f"raw.{name}" for name in ingestions_in(file.read_bytes())}
    return loaded


def ingestions_in(source: bytes) -> set[str]:
    """Name the tables that a workflow file declares, without their namespace.

    >>> sorted(ingestions_in(b'''
    ... @phlo.ingestion(unique_key="id")
    ... def readings(partition_date): ...
    ...
    ... @phlo_ingestion(table_name="meals")
    ... def load_meals(partition_date): ...
    ... '''))
    ['meals', 'readings']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for function in functions for name in _names(function)}


def _names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(called, "attr", getattr(called, "id", None)) not in DECORATORS:
            continue
        given = decorator.keywords if isinstance(decorator, ast.Call) else []
        # `**options`, which has no name, may hold it.
        table = next((each.value for each in given if each.arg in ("table_name", None)), ast.Constant(function.name))
        if isinstance(table, ast.Constant) and isinstance(table.value, str):
            yield table.value
