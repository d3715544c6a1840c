"""Shows the runs of the command line in Dagster: their journals are read into the instance as they grow.

Commands do not import Dagster, which costs more than most of them; whoever serves the UI reads what they wrote. A run
gets the same id however often it is read, and a tag says how many of its lines are in.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from phlo import journal
from phlo.orchestration import entries
from phlo.orchestration.branch import PID_TAG, PROCESS_TAG
from phlo.orchestration.jobs import Job, job_of
from phlo.orchestration.keys import asset_key
from phlo.orchestration.plans import BY_TAG, PARTITION_TAG, RANGE_TAGS, REF_TAG, RUN_TAG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dagster import EventLogEntry
    from dagster._core.workspace.context import WorkspaceProcessContext

    from phlo.journal import RunRecord
    from phlo.profiles import Lake

LINES_TAG = ".dagster/phlo_journal"
LOOK_SECONDS, PAUSE_SECONDS = 0.5, 30
RUNS = uuid.UUID("5f0d1c9e-6f3b-4d55-9c64-0f5b0c1a7e11")
"""The namespace in which the ids of Dagster runs are made from those of Phlo's."""


@dataclass
class Reader:
    """Reads the journals of a project into its instance; only files that grew are opened again."""

    lake: Lake
    instance: DagsterInstance
    context: WorkspaceProcessContext
    open: set[Path] = field(default_factory=set)
    """Journals that may grow."""
    listed: int = 0
    """When the folder had changed when it was listed last: a file that comes changes it, one that grows does not."""
    over: set[Path] = field(default_factory=set)

    def read(self) -> int:
        """Read what is new, and return how many runs had something."""
        self._list()
        return sum(self._look(file) for file in sorted(self.open))

    def _list(self) -> None:
        folder = self.lake.project.state / journal.FOLDER
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        if changed != self.listed:
            self.open |= set(folder.glob("*.jsonl")) - self.over
            self.listed = changed

    def _look(self, file: Path) -> bool:
        record = journal.read(file) if file.exists() else None
        if record is None:
            if not file.exists():
                self.open.discard(file)
            return False
        told = record.by == "cli" and self._show(record)
        if record.status != "running":  # told, and nothing follows
            self.open.discard(file)
            self.over.add(file)
        return told

    def _show(self, record: RunRecord) -> bool:
        run_id = str(uuid.uuid5(RUNS, record.run_id))
        run = self.instance.get_run_by_id(run_id)
        if run is None:
            run = self._make(record, run_id)
        if run.is_finished:
            return False
        done = int(run.tags.get(LINES_TAG, "0"))
        over = record.status != "running"
        if done == len(record.lines) and not over:
            return False
        published = self.lake.catalog.publishes(1, run_id=record.run_id) if over else []
        known = self._job(record).checks
        for event in entries.of_run(run, record, done, published[0] if published else None, known):
            self._store(event)
        self.instance.add_run_tags(run_id, {LINES_TAG: str(len(record.lines))})
        return True

    def _store(self, events: Sequence[EventLogEntry]) -> None:
        if len(events) > 1:
            self.instance.event_log_storage.store_event_batch(events)
        for event in events if len(events) == 1 else ():
            self.instance.handle_new_event(event)

    def _make(self, record: RunRecord, run_id: str) -> DagsterRun:
        began = record.lines[0]
        tags = {RUN_TAG: record.run_id, REF_TAG: f"run-{record.run_id}", BY_TAG: record.by, LINES_TAG: "0"}
        tags |= {PID_TAG: str(record.pid), PROCESS_TAG: began["process"]} | _days(record.partitions)
        run = self._job(record).make(self.instance, run_id, tags, DagsterRunStatus.STARTING)
        return self.instance.run_storage.add_historical_run(run, record.began)

    def _job(self, record: RunRecord) -> Job:
        return job_of(self.context, [asset_key(table) for table in record.tables])


@contextmanager
def shown(lake: Lake, context: WorkspaceProcessContext, say: Callable[[str], None]) -> Iterator[None]:
    """Keep reading the journals while the server runs, the first time before it answers."""
    reader, stop = Reader(lake, context.instance, context), threading.Event()
    reader.read()

    def keep_reading() -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                reader.read()
            except Exception as error:  # noqa: BLE001  the disk may be full, a database busy: the next look tells
                say(f"warning: the runs of the command line can not be shown: {type(error).__name__}: {error}")
                stop.wait(PAUSE_SECONDS)

    thread = threading.Thread(target=keep_reading, name="phlo-journals", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _days(partitions: Sequence[str]) -> dict[str, str]:
    if len(partitions) == 1:
        return {PARTITION_TAG: partitions[0]}
    return dict(zip(RANGE_TAGS, (partitions[0], partitions[-1]), strict=True)) if partitions else {}
