"""The run that is being executed in this process: steps find it by the id of their Dagster run.

Steps of one run share one process (the executor sees to that), so the pipeline's ``Run`` can be handed over in memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phlo.errors import RunNotOpened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.pipeline import Run

_open: dict[str, Run] = {}


@contextmanager
def opened(dagster_run: str, run: Run) -> Iterator[None]:
    """Let the steps of a Dagster run find its ref."""
    _open[dagster_run] = run
    try:
        yield
    finally:
        del _open[dagster_run]


def current(dagster_run: str) -> Run:
    """Find a step's run; raise ``RunNotOpened`` where no executor of ours opened one."""
    if dagster_run not in _open:
        raise RunNotOpened(run=dagster_run)
    return _open[dagster_run]


def part(run: Run, **changes: Any) -> Run:
    """The same run with a smaller plan; what comes of it is added to the whole."""
    nothing: dict[str, Any] = {"ingestions": (), "models": (), "qualities": ()}
    return replace(run, plan=replace(run.plan, **nothing | changes))
