"""Leases: which run may write which tables, so that a second run waits instead of losing its work at publish.

They are a courtesy between runs: the compare-and-swap of publish is what keeps main right. A holder on this host is
dead when its process is gone; one on another host when its heartbeat stopped.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from phlo.errors import CatalogError, LeaseLost, RunGoesOn, TableLeased
from phlo.iceberg import layout
from phlo.iceberg.database import hold, now
from phlo.iceberg.names import split
from phlo.processes import namespace, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from phlo.iceberg.database import Database
    from phlo.protocols import Ref

HEARTBEAT_SECONDS = 10.0
EXPIRY_SECONDS = 60
POLL_SECONDS = 0.25

NO_TABLE = "no table: "
"""What the lease of a run that writes no table begins with, instead of a table's name."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease."""

    table_name: str
    token: str
    run_id: str
    host: str
    pid: int
    process: str
    since: str
    heartbeat_at: str

    def __str__(self) -> str:
        return f"{self.run_id} (host {self.host}, pid {self.pid}, since {self.since})"


def live_runs(connection: Connection) -> set[str]:
    """List the runs that hold leases now, of any process."""
    moment = now(connection)
    return {holder.run_id for holder in _holders(connection) if _alive(holder, moment)}


def leased_tables(connection: Connection) -> set[str]:
    """List the tables that runs hold leases on now, of any process."""
    moment = now(connection)
    return {holder.table_name for holder in _holders(connection) if _alive(holder, moment)}


class Leases:
    """The leases that this process holds in one catalog."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._held: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._unreleased = set[str]()
        """Tokens whose rows the database did not let go: nobody holds them, and the next lease takes them away."""

    @contextmanager
    def hold(
        self,
        names: Iterable[str],
        run_id: str,
        *,
        wait: bool,
        on_wait: Callable[[str], None] | None,
        while_waiting: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Hold all of the tables, or none while one of them is another's."""
        tables = tuple(sorted(set(names)))
        for name in tables:
            split(name)
        token, told = uuid.uuid4().hex, set[str]()
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(token, stop), name="phlo-lease", daemon=True)
        try:
            for holder in self._attempts(tables, token, run_id):
                if not wait:
                    values = {"run_id": holder.run_id, "host": holder.host, "pid": holder.pid, "since": holder.since}
                    raise TableLeased(table=holder.table_name, **values)
                if on_wait and holder.token not in told:
                    on_wait(f"waiting for {holder}, which is writing {holder.table_name}")
                told.add(holder.token)
                if while_waiting:
                    while_waiting()
                time.sleep(POLL_SECONDS)
            self._held[token] = run_id, tables
            heart.start()
            yield
        finally:
            stop.set()
            self._held.pop(token, None)
            self._unreleased.add(token)
            with self.database.write() as connection:
                self._forget_unreleased(connection)
            self._unreleased.discard(token)

    def check(self, connection: Connection, ref: Ref) -> None:
        """Raise what keeps the ref from its publish: its run goes on elsewhere, or lost a lease that it took here."""
        held = {run_id for run_id, _ in self._held.values()}
        if ref.state == "open" and ref.run_id not in held:
            for holder in _holders(connection):
                if holder.run_id == ref.run_id and _alive(holder, now(connection)):
                    raise RunGoesOn(ref=ref.name, host=holder.host, pid=holder.pid, since=holder.since)
        for token, (run_id, tables) in list(self._held.items()):
            row = layout.leases.c
            kept: list[str] = list(connection.scalars(select(row.table_name).where(row.token == token)))
            lost = [name for name in tables if name not in kept]
            if lost and run_id == ref.run_id:
                raise LeaseLost(ref=ref.name, run_id=run_id, tables=", ".join(f"`{name}`" for name in lost))

    def _attempts(self, tables: Sequence[str], token: str, run_id: str) -> Iterator[Holder]:
        """Try to take the tables until they are taken; yield who stands in the way each time."""
        while (holder := self._living(tables) or self._take(tables, token, run_id)) is not None:
            yield holder

    def _living(self, tables: Sequence[str]) -> Holder | None:
        """Look for a living holder without keeping other writers waiting."""
        with self.database.read() as connection:
            return self._first_living(_holders(connection, tables), now(connection))

    def _take(self, tables: Sequence[str], token: str, run_id: str) -> Holder | None:
        """Take all tables unless a living holder has one of them; then return that holder."""
        with self.database.write() as connection:
            hold(connection, "leases")
            self._forget_unreleased(connection)
            held, moment = _holders(connection, tables), now(connection)
            if holder := self._first_living(held, moment):
                return holder
            gone = [each.table_name for each in held] + [
                each.table_name
                for each in _holders(connection)
                if each.table_name.startswith(NO_TABLE) and not _alive(each, moment)
            ]
            connection.execute(layout.leases.delete().where(layout.leases.c.table_name.in_(gone)))
            mine = {"token": token, "run_id": run_id, "host": socket.gethostname(), "pid": os.getpid()}
            mine |= {"process": process(os.getpid()), "since": moment, "heartbeat_at": moment}
            names = tables or [f"{NO_TABLE}{token}"]  # a run that writes none goes on all the same
            connection.execute(layout.leases.insert(), [{"table_name": name, **mine} for name in names])
        return None

    def _beat(self, token: str, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                with self.database.write() as connection:
                    row = layout.leases.update().where(layout.leases.c.token == token)
                    connection.execute(row.values(heartbeat_at=now(connection)))
            except CatalogError:
                continue  # the next beat may get through; if none does, the lease expires and publish notices

    def _forget_unreleased(self, connection: Connection) -> None:
        connection.execute(layout.leases.delete().where(layout.leases.c.token.in_(tuple(self._unreleased))))

    def _first_living(self, holders: Iterable[Holder], moment: str) -> Holder | None:
        others = (holder for holder in holders if holder.token not in self._unreleased)
        return next((holder for holder in others if _alive(holder, moment)), None)


def _holders(connection: Connection, tables: Sequence[str] | None = None) -> list[Holder]:
    found = select(layout.leases).order_by(layout.leases.c.table_name)
    if tables is not None:
        found = found.where(layout.leases.c.table_name.in_(tables))
    return [Holder(**values) for values in connection.execute(found).mappings()]


def _alive(holder: Holder, moment: str) -> bool:
    where = holder.process.split()[0]
    if holder.host == socket.gethostname() and where == namespace():
        return process(holder.pid) == holder.process
    silence = datetime.fromisoformat(moment) - datetime.fromisoformat(holder.heartbeat_at)
    return silence < timedelta(seconds=EXPIRY_SECONDS)
