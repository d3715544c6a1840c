"""The journal: what each run did, as it goes, in one file of JSON lines that needs no library to be read.

``<state>/runs/<run id>.jsonl`` begins with ``began`` and ends with ``ended``; a file without an end whose process is
gone is a run that died. Every run writes one, however it was started: commands read them without Dagster, and
``phlo dev`` shows the runs of the command line from them.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from phlo.errors import PhloError
from phlo.processes import process
from phlo.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from phlo.declarations import Reporter

Event = Literal["began", "log", "load", "model", "test", "check", "published", "ended"]
Status = Literal["running", "success", "failed", "interrupted", "died"]

FOLDER = "runs"


@dataclass(frozen=True)
class RunRecord:
    """One run as its journal has it."""

    run_id: str
    status: Status
    began: dt.datetime
    ended: dt.datetime | None = None
    selection: str = ""
    partitions: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    by: str = "cli"
    """What started it: cli or dagster."""
    pid: int = 0
    error: Mapping[str, str] | None = None
    """The code and the message of what ended it."""
    lines: tuple[Mapping[str, Any], ...] = ()
    """Everything it wrote, in order."""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs, or when it died."""
        return (self.ended - self.began).total_seconds() if self.ended else None

    @property
    def until(self) -> dt.datetime:
        """When it ended, or the latest that is known of it: a run that goes on is later than one that ended."""
        if self.status == "running":
            return dt.datetime.now(dt.UTC)
        return self.ended or self.began

    def of(self, *events: Event) -> list[Mapping[str, Any]]:
        """Its lines of these kinds."""
        return [line for line in self.lines if line["event"] in events]


class Outcome(Protocol):
    """What came of a run, as the pipeline has it."""

    loads: list[Any]
    checks: list[Any]
    transformed: Any
    published: Any


@dataclass
class Journal:
    """Writes the file of one run; a ``Reporter`` that passes on all it is told."""

    file: Path
    reporter: Reporter
    live: bool = True
    outcome: Outcome | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def step(self, message: str) -> None:
        """Keep a step."""
        self.log("INFO", message)
        self.reporter.step(message)

    def warn(self, message: str) -> None:
        """Keep a warning."""
        self.log("WARNING", message)
        self.reporter.warn(message)

    def progress(self, task: str, done: int, total: int, rows: int) -> None:
        """Pass progress on: it is for whoever watches."""
        self.reporter.progress(task, done, total, rows)

    def log(self, level: str, message: str, **more: str) -> None:
        """Keep a message."""
        self.write("log", level=level, message=message, **more)

    def records(self, event: Event, found: Iterable[object]) -> None:
        """Keep what came of loads, models, tests or checks: their records."""
        for each in found:
            assert is_dataclass(each) and not isinstance(each, type)
            self.write(event, **asdict(each))

    def keep(self, run: Outcome) -> None:
        """Take this run's outcome for the journal's, however it ends: a replay takes the place of what was refused."""
        self.outcome = run

    def write(self, event: Event, **values: object) -> None:
        """Append one line; a journal that can not be written (a full disk) stops, and the run goes on.

        Nothing follows its end: threads of sources may still speak when their run is over.
        """
        line = json.dumps({"at": _now(), "event": event, **_redacted(values)}, default=str, ensure_ascii=False)
        with self.lock:
            if not self.live:
                return
            self.live = event != "ended"
            try:
                # What a source says may hold halves of characters, which no file takes as they are.
                with self.file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(f"{line}\n")
                return
            except (OSError, ValueError) as error:
                self.live, reason = False, getattr(error, "strerror", None) or error
        self.reporter.warn(f"the journal `{self.file}` could not be written: {reason}")

    def end(self, error: BaseException | None) -> None:
        """Write what came of the run, and how it ended."""
        if self.outcome is not None:
            self._write_outcome(self.outcome)
        if error is None:
            self.write("ended", status="success")
            return
        code = error.code if isinstance(error, PhloError) else type(error).__name__
        message = said_of(error)
        status = "failed" if isinstance(error, Exception) else "interrupted"
        self.write("ended", status=status, error={"code": code, "message": message})

    def _write_outcome(self, run: Outcome) -> None:
        self.records("load", run.loads)
        if run.transformed is not None:
            self.records("model", run.transformed.models)
            self.records("test", run.transformed.tests)
        self.records("check", run.checks)
        if run.published is not None:
            names = [change.name for change in run.published.changes]
            self.write("published", seq=run.published.seq, published_at=run.published.at, changes=names)


@contextmanager
def journal(
    state: Path, run_id: str, reporter: Reporter, *, selection: str, partitions: Sequence[dt.date],
    tables: Sequence[str], by: str = "cli", **more: str,
) -> Iterator[Journal]:  # fmt: skip
    """Keep the journal of a run: its beginning, and its end with the error that passes through, if one does."""
    kept = Journal(state / FOLDER / f"{run_id}.jsonl", reporter)
    with suppress(OSError):  # the first line says what is wrong
        kept.file.parent.mkdir(parents=True, exist_ok=True)
    about = {"selection": selection, "partitions": [str(day) for day in partitions], "tables": list(tables)}
    kept.write("began", run_id=run_id, **about, by=by, **_process(), **more)
    try:
        yield kept
    except BaseException as error:
        kept.end(error)
        raise
    kept.end(None)


def runs(state: Path, *, since: dt.datetime | None = None) -> list[RunRecord]:
    """Read the runs that wrote something since a time, oldest first; a line that broke off is left out."""
    folder = state / FOLDER
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    oldest = since.timestamp() if since else 0.0
    found = [read(file) for file in files if file.stat().st_mtime >= oldest]
    return sorted((record for record in found if record is not None), key=lambda record: record.began)


def read(file: Path) -> RunRecord | None:
    """Read one run; None where its file has no beginning yet."""
    found = _read(file)
    # It may have ended between the look at its lines and that at its process.
    return _read(file) if found is not None and found.status == "died" else found


def _read(file: Path) -> RunRecord | None:
    lines = tuple(_lines(file))
    if not lines or lines[0]["event"] != "began":
        return None
    began, last = lines[0], lines[-1]
    over = last["event"] == "ended"
    return RunRecord(
        run_id=began["run_id"],
        status=last["status"] if over else ("running" if _is_alive(began) else "died"),
        began=dt.datetime.fromisoformat(began["at"]),
        ended=dt.datetime.fromisoformat(last["at"]) if over else None,
        selection=began["selection"],
        partitions=tuple(began["partitions"]),
        tables=tuple(began["tables"]),
        by=began["by"],
        pid=began["pid"],
        error=last.get("error") if over else None,
        lines=lines,
    )


def said_of(error: BaseException) -> str:
    """What an error says; of one that says nothing, who stopped the run.

    >>> said_of(KeyboardInterrupt())
    'stopped by Ctrl-C'
    """
    name = type(error).__name__
    by = {"KeyboardInterrupt": "Ctrl-C", "DagsterExecutionInterruptedError": "Dagster, or with its server"}
    return str(error) or f"stopped by {by.get(name, name)}"


def _redacted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Take secrets out of what was said: errors of sources quote addresses."""
    found = dict(values)
    for name in ("message", "error"):
        value = found.get(name)
        if isinstance(value, str):
            found[name] = redact(value)
        elif isinstance(value, dict):
            found[name] = _redacted(value)
    return found


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8", errors="replace") as text:
        for line in text:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # the process was killed while it wrote, or writes just now


def _process() -> dict[str, Any]:
    return {"pid": os.getpid(), "process": process(os.getpid()), "host": socket.gethostname()}


def _is_alive(began: Mapping[str, Any]) -> bool:
    """Whether its process still runs; on another host nobody can tell, so it counts as running."""
    return began["host"] != socket.gethostname() or bool(process(began["pid"]) == began["process"])


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()
