"""Loads on their way: what is staged of one can be validated while its source still delivers the rest.

Extraction has threads of its own (user code runs there), and whoever reads an ``Arrival`` waits for it part by part.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from phlo.declarations import EXTRACTING
from phlo.load.stage import stage
from phlo.load.threads import side_by_side
from phlo.load.write import load_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter
    from phlo.load.stage import Kind, Staged


@contextmanager
def arriving(
    loads: Sequence[tuple[Ingestion, dt.date | None]], run_id: str, staging: Path, reporter: Reporter, parallel: int
) -> Iterator[dict[str, list[Arrival]]]:
    """Extract loads in ``parallel`` threads, in order, and give them by table name; the block's end stops the rest."""
    arrivals = [
        Arrival(each, day, staging / each.table_name / str(day or "all"), load_id(run_id, each.table, day), reporter)
        for each, day in loads
    ]
    told = _Progress(reporter, len(arrivals))
    by_table: dict[str, list[Arrival]] = {}
    for each in arrivals:
        each.when_done = told
        by_table.setdefault(each.ingestion.table_name, []).append(each)
    try:
        with side_by_side([each.extract for each in arrivals], parallel):
            yield by_table
    finally:
        for each in arrivals:
            each.stop()


class Arrival:
    """One load that is being extracted."""

    def __init__(
        self, ingestion: Ingestion, partition: dt.date | None, folder: Path, load_id: str, reporter: Reporter
    ) -> None:
        self.ingestion, self.partition, self.folder, self.load_id = ingestion, partition, folder, load_id
        self.when_done: Callable[[Staged], None] = lambda _: None
        self._reporter = reporter
        self._changed = threading.Condition()
        self._staged: Staged | None = None
        self._done = self._stopped = False
        self._error: BaseException | None = None

    @property
    def staged_at(self) -> dt.datetime:
        """When its extraction began, in UTC."""
        return self._wait(0).staged_at

    def extract(self) -> None:
        """Stage it, or open it when it is there complete; what goes wrong is told to whoever reads it."""
        try:
            staged = stage(self.ingestion, self.partition, self.folder, self.load_id, self._reporter, self._arrive)
            self.when_done(staged)
        except BaseException as error:  # noqa: BLE001  whoever waits for the rows gets it
            with self._changed:
                self._error, self._done = error, True
                self._changed.notify_all()
            return
        with self._changed:
            self._staged, self._done = staged, True
            self._changed.notify_all()

    def stop(self) -> None:
        """Let its extraction end with the next page: nobody will read it."""
        self._stopped = True

    def batches(self, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        """Read the rows in the order they arrive, at most ``size`` at once; raise what the extraction raised."""
        number = 0
        while number < len(self._wait(number + 1).parts):
            yield from self._part(number, size)
            number += 1

    def _part(self, number: int, size: int) -> Iterator[tuple[Kind, pa.RecordBatch]]:
        try:
            part = self._wait(number + 1).open(number)
        except FileNotFoundError:  # the folder has just got its name
            self._wait_for_the_end()
            part = self._wait(number + 1).open(number)
        with part as file:
            yield from file.batches(size)

    def _wait(self, parts: int) -> Staged:
        """Wait until so many parts are there, or all."""
        with self._changed:
            self._changed.wait_for(lambda: self._done or (self._staged and len(self._staged.parts) >= parts))
            if self._error is not None:
                raise self._error
            assert self._staged is not None
            return self._staged

    def _wait_for_the_end(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._done)

    def _arrive(self, staged: Staged) -> None:
        """Take note of what there is so far."""
        if self._stopped:
            raise Stopped
        with self._changed:
            self._staged = staged
            self._changed.notify_all()


class Stopped(BaseException):
    """The run that wanted these rows has ended; no user code is to catch this."""


class _Progress:
    """Counts finished loads, of whichever thread."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter, self._total = reporter, total
        self._lock = threading.Lock()
        self._done = self._rows = 0

    def __call__(self, staged: Staged) -> None:
        with self._lock:
            self._done += 1
            self._rows += staged.rows
            self._reporter.progress(EXTRACTING, self._done, self._total, self._rows)
