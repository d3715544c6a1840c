"""What was told and what is to be told, in one SQLite file: a message is there before it is sent, and until it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from phlo.errors import AlertsUnavailable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from phlo.alerting.conditions import Problem

FILE = "alerts.db"

CLAIM_SECONDS = 60
"""For so long a message belongs to who is sending it."""

BUSY_SECONDS = 10
FIRST_DELAY, LONGEST_DELAY = 60, 3600

SCHEMA = """
CREATE TABLE IF NOT EXISTS firing (
    rule TEXT, subject TEXT, severity TEXT, message TEXT, since TEXT, PRIMARY KEY (rule, subject)
);
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT, message TEXT, attempts INTEGER DEFAULT 0,
    next_at REAL DEFAULT 0, claimed_to REAL DEFAULT 0, error TEXT DEFAULT ''
);
"""


@dataclass(frozen=True)
class Message:
    """What a destination is told."""

    status: str
    """firing, resolved or test."""
    rule: str
    subject: str
    severity: str
    message: str
    since: str
    at: str
    project: str


@dataclass(frozen=True)
class Waiting:
    """A message that a destination was not told yet."""

    id: int
    destination: str
    message: Message
    attempts: int
    error: str


class Outbox:
    """The file of a project; each method is one transaction, so several processes may share it."""

    def __init__(self, state: Path, project: str) -> None:
        self.file, self.project = state / FILE, project

    def settle(
        self, found: Sequence[Problem], evaluated: Iterable[str], to: Mapping[str, Sequence[str]], now: dt.datetime
    ) -> list[Message]:
        """Note what holds now; put what began and what is over into the outbox, and return it.

        ``evaluated`` are the rules that could be; what others said before goes on. ``to`` names the destinations of
        each rule; what an unknown rule (one that was deleted) said is over without a word.
        """
        with self._write() as db:
            known = {(row["rule"], row["subject"]): row for row in db.execute("SELECT * FROM firing")}
            holding = {(problem.rule, problem.subject): problem for problem in found}
            begun = [self._begun(problem, now) for key, problem in holding.items() if key not in known]
            over = [key for key in known if key not in holding and (key[0] in set(evaluated) or key[0] not in to)]
            ended = [self._ended(known[key], now) for key in over if key[0] in to]
            db.executemany("DELETE FROM firing WHERE rule = ? AND subject = ?", over)
            db.executemany(
                "INSERT INTO firing VALUES (:rule, :subject, :severity, :message, :since)", map(asdict, begun)
            )
            for message in [*begun, *ended]:
                self._put(db, message, to[message.rule])
        return [*begun, *ended]

    def firing(self) -> list[dict[str, str]]:
        """List what holds, as it was told."""
        with self._write() as db:
            return [dict(row) for row in db.execute("SELECT * FROM firing ORDER BY since, rule, subject")]

    def waiting(self) -> list[Waiting]:
        """List what was not told yet."""
        with self._write() as db:
            return [_waiting(row) for row in db.execute("SELECT * FROM outbox ORDER BY id")]

    def claim(self, destination: str, now: float, *, whole: bool = False) -> list[Waiting]:
        """Take the messages to a destination that are due (``whole``: all); nobody else sends them meanwhile."""
        with self._write() as db:
            due = "destination = ? AND claimed_to <= ? AND (? OR next_at <= ?)"
            values = (destination, now, whole, now)
            rows = db.execute(f"SELECT * FROM outbox WHERE {due} ORDER BY id", values).fetchall()
            ids = [(now + CLAIM_SECONDS, row["id"]) for row in rows]
            db.executemany("UPDATE outbox SET claimed_to = ? WHERE id = ?", ids)
            return [_waiting(row) for row in rows]

    def sent(self, waiting: Waiting) -> None:
        """Strike a message out."""
        with self._write() as db:
            db.execute("DELETE FROM outbox WHERE id = ?", (waiting.id,))

    def failed(self, waiting: Sequence[Waiting], error: str, now: float) -> None:
        """Keep messages for later: each failure doubles the time until then."""
        with self._write() as db:
            for each in waiting:
                delay = min(FIRST_DELAY * 2**each.attempts, LONGEST_DELAY)
                values = (each.attempts + 1, now + delay, error, each.id)
                later = "attempts = ?, next_at = ?, error = ?, claimed_to = 0"
                db.execute(f"UPDATE outbox SET {later} WHERE id = ?", values)

    def drop(self, destinations: Iterable[str]) -> None:
        """Forget what waits for destinations that are not in the file any more."""
        known = list(destinations)
        with self._write() as db:
            marks = ", ".join("?" * len(known))
            db.execute(f"DELETE FROM outbox WHERE destination NOT IN ({marks})", known)

    def _begun(self, problem: Problem, now: dt.datetime) -> Message:
        at = now.isoformat(timespec="seconds")
        return Message("firing", problem.rule, problem.subject, problem.severity, problem.message, at, at, self.project)

    def _ended(self, row: sqlite3.Row, now: dt.datetime) -> Message:
        at = now.isoformat(timespec="seconds")
        return Message(
            "resolved", row["rule"], row["subject"], row["severity"], row["message"], row["since"], at, self.project
        )

    def _put(self, db: sqlite3.Connection, message: Message, destinations: Iterable[str]) -> None:
        text = json.dumps(asdict(message), ensure_ascii=False)
        db.executemany(
            "INSERT INTO outbox (destination, message) VALUES (?, ?)", [(name, text) for name in destinations]
        )

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                db.executescript(SCHEMA)
                db.execute("BEGIN IMMEDIATE")
                yield db  # a connection that is closed before its COMMIT has changed nothing
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise AlertsUnavailable(file=self.file, detail=str(error)) from error


def _waiting(row: sqlite3.Row) -> Waiting:
    message = Message(**json.loads(row["message"]))
    return Waiting(row["id"], row["destination"], message, row["attempts"], row["error"])
