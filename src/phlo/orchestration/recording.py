"""Records a command's run in Dagster's instance while it goes, by a process beside it; this is the command's part.

The command imports no Dagster and waits for nobody but at its end, so that its run is in the instance when it is over.
Whatever goes wrong beside it costs a line of warning: its journal is there, and the next server reads it. The process
follows the journal by itself and ends when its pipe closes, which also tells it that the command was killed.
"""

from __future__ import annotations

import datetime as dt
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from phlo import journal
from phlo.declarations import check_name
from phlo.orchestration.seen import is_read, is_seen
from phlo.processes import process
from phlo.project import Workflows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phlo.declarations import Ingestion, Quality
    from phlo.profiles import Lake
    from phlo.project import Project

RECORDER = "phlo.orchestration.recorder"
PATIENCE = 30.0
"""Seconds that the process may take when the command is over: it is about two late on an idle machine."""

SERVER_PATIENCE = 3.0
"""Seconds for a server that reads the journals itself, each half second."""


@dataclass(frozen=True)
class Told:
    """What the process needs to know to follow a command."""

    project: Project
    workflows: Workflows
    pid: int
    process: str
    since: str
    """The earliest id that a run of it may have."""


@contextmanager
def recorded(project: Project, say: Callable[[str], None], *, off: bool = False) -> Iterator[Recording]:
    """Record what the block runs, from when it calls ``begin``; where Dagster is not installed nothing is done."""
    recording = Recording(project, say)
    if not off and is_recorded(project):
        recording.prepare()
    try:
        yield recording
    finally:
        recording.end()


def is_recorded(project: Project) -> bool:
    """Whether commands record their runs: Dagster is installed, and nobody turned it off."""
    return project.settings.record_commands and find_spec("dagster") is not None


@dataclass
class Recording:
    """The process beside a command, if there is one."""

    project: Project
    say: Callable[[str], None]
    on: bool = False
    told: Told | None = None
    beside: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    telling: threading.Thread | None = field(default=None, repr=False)

    def prepare(self) -> None:
        """Let the process import what it needs while the command does, unless a server reads the journals anyway."""
        self.on = True
        if not is_read(self.project) or os.environ.get("DAGSTER_HOME"):  # which that server knows nothing of
            self._start()

    def begin(self, lake: Lake) -> None:
        """From now on the command writes journals."""
        if self.on:
            since = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}"
            me = os.getpid()
            self.told = Told(self.project, outline(lake.workflows), me, process(me), since)
            self._tell()

    def end(self) -> None:
        """Wait until the run is in the instance; Ctrl-C leaves the process to it, which ends by itself."""
        if self.told is None:
            self._discard()
            return
        if not _has_begun(self.project, self.told.since):
            self._let_go()
            return
        try:
            if self.beside is None and not is_seen(self.project, time.time_ns(), SERVER_PATIENCE):
                self._start()
                self._tell()
            self._finish()
        except KeyboardInterrupt:
            return

    def _start(self) -> None:
        # In a session of its own: Ctrl-C and what else ends the command's group must not keep it from telling how.
        try:
            self.beside = subprocess.Popen(
                [sys.executable, "-P", "-m", RECORDER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._warn(error.strerror or str(error))
        else:
            _forget_after_fork(self.beside)

    def _tell(self) -> None:
        """Tell it in a thread: a pipe takes little, and the process listens when it has imported what it needs."""
        if self.beside is None:
            return
        try:
            told = pickle.dumps(self.told)
        except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
            self._discard()
            self.told = None
            self._warn(f"{type(error).__name__}: {error}")
            return
        self.telling = threading.Thread(target=self._write, args=(told,), name="phlo-recording", daemon=True)
        self.telling.start()

    def _write(self, told: bytes) -> None:
        assert self.beside is not None and self.beside.stdin is not None, "it was started with a pipe"
        with suppress(OSError):  # it ended, and says why in the end
            self.beside.stdin.write(told)
            self.beside.stdin.flush()

    def _finish(self) -> None:
        if self.beside is None:
            return
        ends = time.monotonic() + PATIENCE
        if self.telling is not None:
            self.telling.join(PATIENCE)
        try:
            if self.telling is None or not self.telling.is_alive():
                self._close()
            code = self.beside.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._discard()
            self._warn(f"it took longer than {PATIENCE:.0f} s")
            return
        said = self.beside.stdout.readline(500).decode(errors="replace").strip() if self.beside.stdout else ""
        if said or code:
            self._warn(said or f"its process ended with {code}")

    def _let_go(self) -> None:
        """Have it end by itself: there is nothing to record, and so nothing to wait for."""
        if self.telling is not None and self.telling.is_alive():  # which holds the pipe
            self._discard()
        elif self.beside is not None:
            self._close()

    def _close(self) -> None:
        assert self.beside is not None and self.beside.stdin is not None, "it was started with a pipe"
        with suppress(OSError):  # it ended before it had read all
            self.beside.stdin.close()

    def _discard(self) -> None:
        if self.beside is not None:
            self.beside.kill()
            self.beside.wait()
            self._close()
            self.beside = None

    def _warn(self, why: str) -> None:
        self.say(f"warning: the run was not recorded in Dagster: {why}; `phlo dev` reads it from its journal")


def _has_begun(project: Project, since: str) -> bool:
    """Whether there is a journal that a command may have begun; what fails before that writes none."""
    folder = project.state / journal.FOLDER
    return folder.is_dir() and any(file.name >= since for file in folder.iterdir())


def _forget_after_fork(beside: subprocess.Popen[bytes]) -> None:
    """Keep a child that user code forks, and leaves behind, from holding the pipe open whose end is awaited."""
    held = weakref.ref(beside)

    def forget() -> None:
        pipe = inherited.stdin if (inherited := held()) is not None else None
        if pipe is not None and not pipe.closed:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, pipe.fileno(), inheritable=False)
            os.close(nowhere)

    os.register_at_fork(after_in_child=forget)


def outline(workflows: Workflows) -> Workflows:
    """What Dagster shows of declarations, without the users' code: another process need not import it.

    >>> from phlo.declarations import Ingestion, Source
    >>> source = Source("x.py", 1, "readings")
    >>> found = outline(Workflows({"readings": Ingestion("readings", print, source, validation_schema=dict)}))
    >>> found.ingestions["readings"].table, found.ingestions["readings"].validation_schema
    ('raw.readings', None)
    """
    return Workflows(
        ingestions={name: _outlined(each) for name, each in workflows.ingestions.items()},
        qualities=[_named(each) for each in workflows.qualities],
    )


@dataclass(frozen=True)
class Named:
    """A check that is known by its name alone."""

    name: str

    def execute(self, df: Any) -> dict[str, Any]:
        """It judges nothing."""
        raise NotImplementedError


def _outlined(ingestion: Ingestion) -> Ingestion:
    return replace(ingestion, function=_elsewhere, validation_schema=None)


def _named(quality: Quality) -> Quality:
    return replace(quality, checks=tuple(Named(check_name(check)) for check in quality.checks))


def _elsewhere() -> None:
    """A function of the user's, which runs in the command."""
