"""A ``Reporter`` that speaks through Dagster's log: of the run, or of the step that is going."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterLogManager

FEW = 10
"""Parts of a task below which lines of progress say nothing that its end does not."""


@dataclass
class LogReporter:
    """Writes what it is told into the log of the moment."""

    log: DagsterLogManager

    def step(self, message: str) -> None:
        """Log a step."""
        self.log.info(message)

    def warn(self, message: str) -> None:
        """Log a warning."""
        self.log.warning(message)

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """Log each tenth part of a long task."""
        if total >= FEW and (done == total or done % (total // FEW) == 0):
            self.log.info(f"{task}: {done}/{total}" + (f", {rows:,} rows" if rows else ""))
