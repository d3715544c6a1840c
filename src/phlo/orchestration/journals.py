"""Shows the runs of the command line in Dagster: their journals are read into an instance as they grow.

Commands do not import Dagster, which costs more than most of them: a process beside them reads what they write, or
whoever serves the UI. A run gets the same id however often it is read, a tag of it says how many of its lines are in,
and readers take turns.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, RunsFilter

from phlo import journal
from phlo.orchestration import entries
from phlo.orchestration.keys import asset_key
from phlo.orchestration.reconcile import WORKING
from phlo.orchestration.tags import (
    BY_TAG,
    LINES_TAG,
    MAX_RETRIES_TAG,
    PARTITION_TAG,
    RANGE_TAGS,
    RUN_TAG,
    STOP_TAG,
    executed_by,
    is_alive,
    marked,
    stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dagster import DagsterInstance, EventLogEntry

    from phlo.journal import RunRecord
    from phlo.orchestration.jobs import Code
    from phlo.profiles import Lake

RUN_START, RUN_SUCCESS = DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS
STOPPED = (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED)
UNREADABLE = (KeyError, TypeError, ValueError, PermissionError, IsADirectoryError)
BEGUN = "+"
"""Follows the number of lines while more are being stored: a reader that sees it knows that another was killed."""

TICK = 2_000_000_000
"""Nanoseconds in which a folder may change twice and keep its time: clocks of file systems are coarse."""

RUNS = uuid.UUID("5f0d1c9e-6f3b-4d55-9c64-0f5b0c1a7e11")
"""The namespace in which the ids of Dagster runs are made from those of Phlo's."""


@dataclass
class Reader:
    """Reads the journals of a project into an instance; only files that grew are opened again."""

    lake: Lake
    takes: Callable[[RunRecord], bool] = lambda _: True
    """Which runs of the command line it reads."""
    since: str = ""
    """The id from which on it looks at runs; ids begin with the time."""
    looked: int = 0
    """When the last look at the journals began that came to its end, in nanoseconds; a look at none does not count."""
    open: set[Path] = field(default_factory=set)
    """Journals that may grow."""
    listed: int = 0
    """When the folder had changed when it was listed last: a file that comes changes it, one that grows does not."""
    over: set[Path] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    """The runs of which this reader has seen what another may have stored without counting it."""

    def read(self, instance: DagsterInstance, code: Callable[[], Code], say: Callable[[str], None]) -> int:
        """Read what is new, and return how many runs had something."""
        began = time.time_ns()
        self._list()
        if not self.open:
            return 0
        with self._alone():
            count = sum(self._look(file, instance, code, say) for file in sorted(self.open))
        self.looked = began
        return count

    def settle(self, instance: DagsterInstance, code: Callable[[], Code], say: Callable[[str], None]) -> None:
        """Read how those ended that work by the instance's account, and whose process is gone."""
        working = instance.get_runs(RunsFilter(statuses=WORKING, tags={BY_TAG: "cli"}))
        dead = [run for run in working if not is_alive(run) and RUN_TAG in run.tags]
        for run in dead:
            with self._alone():
                self._look(self._folder / f"{run.tags[RUN_TAG]}.jsonl", instance, code, say)

    @property
    def _folder(self) -> Path:
        return self.lake.project.state / journal.FOLDER

    def _list(self) -> None:
        changed = self._folder.stat().st_mtime_ns if self._folder.is_dir() else 0
        if changed != self.listed:
            found = {file for file in self._folder.glob("*.jsonl") if file.stem >= self.since}
            self.open |= found - self.over
            self.listed = changed if time.time_ns() - changed > TICK else 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        file = self.lake.project.state / "dagster" / "journals.lock"
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _look(
        self, file: Path, instance: DagsterInstance, code: Callable[[], Code], say: Callable[[str], None]
    ) -> bool:
        if not file.exists():
            self.open.discard(file)
            return False
        try:
            record = journal.read(file)
            if record is not None and not self._wants(record):
                self._leave(file)
                return False
            told = record is not None and self._show(record, instance, code)
        except UNREADABLE as error:  # of another version, damaged, or another user's: the others are shown
            say(f"warning: the journal `{file.name}` can not be read: {type(error).__name__}: {error}")
            self._leave(file)
            return False
        if record is not None and record.status != "running":  # told, and nothing follows
            self._leave(file)
        return told

    def _wants(self, record: RunRecord) -> bool:
        """Those that died are everybody's: who was to read them may have died with them."""
        return record.by == "cli" and (record.status == "died" or self.takes(record))

    def _leave(self, file: Path) -> None:
        self.open.discard(file)
        self.over.add(file)

    def _show(self, record: RunRecord, instance: DagsterInstance, find: Callable[[], Code]) -> bool:
        run_id = str(uuid.uuid5(RUNS, record.run_id))
        run = instance.get_run_by_id(run_id)
        over = record.status != "running"
        if run is not None and not over:
            _stop_if_told(run, instance)
        if run is not None and _lines(run) == len(record.lines) and (run.is_finished or not over):
            return False
        code = find()
        if run is None:
            run = self._make(record, run_id, instance, code)
        known, done = self._stored(run, instance), _lines(run)
        instance.add_run_tags(run_id, {LINES_TAG: f"{done}{BEGUN}"})
        # One that died under this reader's eyes did so just now; of another its last line is the latest that is known.
        died = dt.datetime.now(dt.UTC) if run_id in self.begun else dt.datetime.fromisoformat(record.lines[-1]["at"])
        for events in entries.of_run(self.lake, run, record, 0 if known else done, code.checks, died):
            self._store(instance, [event for event in _without(events, known) if _changes(run, event)])
        instance.add_run_tags(run_id, {LINES_TAG: str(len(record.lines))})
        self.begun.add(run_id)
        return True

    def _stored(self, run: DagsterRun, instance: DagsterInstance) -> Counter[tuple[str, ...]]:
        """What a reader that was killed may have stored of a run before it could count the lines."""
        if run.run_id in self.begun and not run.tags[LINES_TAG].endswith(BEGUN):
            return Counter()
        # What moves the run's status is stored in two steps: without the second it has to come again.
        moves = set(entries.ENDS.values()) | ({RUN_START} if run.status is DagsterRunStatus.STARTING else set())
        logs = instance.all_logs(run.run_id)
        return Counter(_identity(event) for event in logs if event.dagster_event_type not in moves)

    def _store(self, instance: DagsterInstance, events: Sequence[EventLogEntry]) -> None:
        made = [event for event in events if event.asset_materialization is not None]
        if made:
            instance.event_log_storage.store_event_batch(made)
        for event in events if not made else ():
            instance.handle_new_event(event)

    def _make(self, record: RunRecord, run_id: str, instance: DagsterInstance, code: Code) -> DagsterRun:
        began = record.lines[0]
        tags = marked(run_id, record.run_id, f"run-{record.run_id}", record.by, **{LINES_TAG: "0"})
        tags |= executed_by(run_id, record.pid, began["process"]) | _days(record.partitions)
        tags |= {MAX_RETRIES_TAG: "0"}  # who ran a command decides whether to run it again, not Dagster's daemon
        keys = [asset_key(table) for table in record.tables]
        run = code.make(instance, run_id, keys, tags, DagsterRunStatus.STARTING)
        return instance.run_storage.add_historical_run(run, record.began)


def _lines(run: DagsterRun) -> int:
    return int(run.tags.get(LINES_TAG, "0").removesuffix(BEGUN))


def _stop_if_told(run: DagsterRun, instance: DagsterInstance) -> None:
    """Pass *Terminate* on to the command, where the launcher of the instance knows of no process."""
    if run.status in STOPPED and run.tags.get(STOP_TAG) != run.run_id:
        instance.add_run_tags(run.run_id, {STOP_TAG: run.run_id})
        stop(instance, run)


def _changes(run: DagsterRun, event: EventLogEntry) -> bool:
    """Whether an event is news of a run that was called off while it went on: that it was published is."""
    return not run.is_finished or event.dagster_event_type not in set(entries.ENDS.values()) - {RUN_SUCCESS}


def _without(events: Sequence[EventLogEntry], known: Counter[tuple[str, ...]]) -> list[EventLogEntry]:
    """Leave out what is stored already, as often as it is."""
    new = []
    for event in events:
        if known[_identity(event)] > 0:
            known[_identity(event)] -= 1
        else:
            new.append(event)
    return new


def _identity(event: EventLogEntry) -> tuple[str, ...]:
    told = event.dagster_event
    kind = told.event_type_value if told else ""
    key = told.asset_key.to_user_string() if told and told.asset_key else ""
    return kind, key, (told.partition or "") if told else "", event.message


def _days(partitions: Sequence[str]) -> dict[str, str]:
    if len(partitions) == 1:
        return {PARTITION_TAG: partitions[0]}
    return dict(zip(RANGE_TAGS, (partitions[0], partitions[-1]), strict=True)) if partitions else {}
