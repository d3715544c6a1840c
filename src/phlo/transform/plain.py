"""Data tests that run without dbt: their SQL is compiled once, when dbt reads the project, and kept with its graph.

Starting dbt costs seconds, which a load without models would pay for nothing else. Only tests whose SQL can not
depend on the moment are kept: dbt's own four, and queries of the project whose Jinja is ``ref`` and ``source``. All
others, and those that store their failures, are dbt's to run.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from phlo.errors import PhloError
from phlo.transform.results import NodeResult, failing_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phlo.protocols import Pin
    from phlo.transform.models import DataTest

BUILT_IN = frozenset({"not_null", "unique", "accepted_values", "relationships"})

_NAMES = re.compile(r"\{\{-?\s*(ref|source)\(\s*['\"][^'\"]+['\"]\s*(,\s*['\"][^'\"]+['\"]\s*)?\)\s*-?\}\}")


def is_plain(node: Any, manifest: Any) -> bool:
    """Whether a test's compiled SQL is the same at every moment."""
    if node.config.store_failures or node.config.store_failures_as:
        return False
    tables = [manifest.nodes.get(unique_id) for unique_id in node.depends_on.nodes]
    if any(table is not None and table.config.materialized == "ephemeral" for table in tables):
        return False
    metadata = getattr(node, "test_metadata", None)
    if metadata is None:
        return not re.search(r"\{[{%#]", _NAMES.sub("", node.raw_code))
    own = [name for name in node.depends_on.macros if name.startswith("macro.dbt.")]
    return metadata.name in BUILT_IN and own == list(node.depends_on.macros) and not metadata.namespace


def counted(node: Any, sql: str) -> str:
    """Write the query with which dbt judges a test: how many rows fail, and whether these are too many."""
    config = node.config
    limit = f"\nlimit {config.limit}" if config.limit is not None else ""
    return (
        f"select {config.fail_calc} as failures, {config.fail_calc} {config.warn_if} as should_warn, "
        f"{config.fail_calc} {config.error_if} as should_error\nfrom (\n{sql}{limit}\n) as dbt_internal_test"
    )


def run_plain(tests: Iterable[DataTest], lake: Any, pin: Pin) -> list[NodeResult]:
    """Run tests through the engine; one that can not run is a failed one, as it is with dbt."""
    return [_run(test, lake, pin) for test in tests]


def _run(test: DataTest, lake: Any, pin: Pin) -> NodeResult:
    started, rows, failing, message = time.perf_counter(), None, [], ""
    try:
        row = lake.engine.query(test.counted, pin).to_pylist()[0]
        rows = int(row["failures"] or 0)
        status = _status(test, row)
        if status in ("fail", "warn"):
            message = f"Got {rows} result{'' if rows == 1 else 's'}, configured to {status} if {_limit(test, status)}"
            failing = failing_rows(lake, pin, test.sql)
    except PhloError as error:
        status, message = "error", str(error)
    seconds = round(time.perf_counter() - started, 3)
    return NodeResult(
        name=test.name,
        kind="test",
        status=status,
        seconds=seconds,
        rows=rows,
        message=message,
        path=test.path,
        failing=failing,
        unique_id=test.unique_id,
    )


def _status(test: DataTest, row: dict[str, Any]) -> str:
    if test.severity == "error" and row["should_error"]:
        return "fail"
    return "warn" if row["should_warn"] else "pass"


def _limit(test: DataTest, status: str) -> str:
    return test.error_if if status == "fail" else test.warn_if
