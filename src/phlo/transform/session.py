"""What dbt's adapter reads and writes right now: a catalog, an engine and one ref.

A run hands its session over with ``using``; dbt's worker threads then find it with ``current``. It is one slot for
the whole process, not a context variable, because dbt starts its own threads; dbt itself keeps its adapter, flags
and events in globals, so two dbt runs in one process are never allowed to overlap.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phlo.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from phlo.protocols import Catalog, Pin, View

NOTHING: Mapping[str, pa.Table] = MappingProxyType({})


@dataclass(frozen=True)
class Compiled:
    """What dbt made of a model, a snapshot's own columns among it."""

    table: str
    code: str
    language: str = "sql"
    parents: tuple[str, ...] = ()
    """The tables and views that dbt knows it to read."""


@dataclass(frozen=True)
class Session:
    """One ref of a lake, as dbt sees it."""

    catalog: Catalog
    engine: Any
    ref: str
    dialect: str = "trino"
    folder: str = ""
    """The dbt project's folder, as files in it are to be named; empty: from there."""
    scratch: dict[str, View] = field(default_factory=dict)
    """What dbt takes for temporary tables: queries that this session alone sees under a name."""
    built: dict[str, Compiled] = field(default_factory=dict)
    """By table or view the models that were built."""
    _working: dict[Any, Any] = field(default_factory=dict)
    """The engine's connections that are open now, and what the dialect is told of the tables that stand open there."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def pin(self) -> Pin:
        """Resolve the state of the ref at this moment: earlier models of the run are in it."""
        pin = self.catalog.pin(self.ref)
        return replace(pin, views={**pin.views, **self.scratch}) if self.scratch else pin

    @contextmanager
    def query(self, sql: str) -> Iterator[Any]:
        """Yield one query in the project's dialect as a DuckDB relation; just the tables it names are read."""
        from phlo.engine.failure import explained
        from phlo.transform.information import told

        sql, given = told(sql, self)
        with self.reading(tables_of(sql, self.dialect), given) as con, explained(sql):
            yield con.sql(self.duckdb(sql, con))

    @contextmanager
    def reading(self, names: Iterable[str], given: Mapping[str, pa.Table] = NOTHING) -> Iterator[Any]:
        """Yield a DuckDB connection in which these tables and views stand open, and those that are given."""
        from phlo.engine.given import give

        with self.engine.connect() as con:
            with self._lock:
                if self._stopped.is_set():
                    raise Interrupted()
                self._working[con] = ()
            try:
                bound = self.engine.bind(con, [name for name in names if name not in given], self.pin())
                self._working[con] = (*bound, *give(con, given)) if given else bound
                yield con
            finally:
                with self._lock:
                    self._working.pop(con)

    def interrupt(self) -> None:
        """Stop what runs now in other threads, and let nothing begin: returns when all have stopped.

        The engine takes no notice of an interrupt between two statements, so it is told until it has.
        """
        with self._lock:
            self._stopped.set()
        while self._working:
            with self._lock:
                for con in self._working:
                    con.interrupt()
            time.sleep(0.05)

    def duckdb(self, sql: str, con: Any) -> str:
        """Turn a query into the engine's own SQL, and make the functions that it needs known to the connection."""
        from phlo.engine.define import define
        from phlo.engine.dialect import to_duckdb

        return define(con, to_duckdb(sql, self.dialect, self._working.get(con, ())))


def tables_of(sql: str, dialect: str) -> list[str]:
    """List the tables and views that a query names."""
    from phlo.engine.dialect import tables_named

    return list(tables_named(sql, dialect))


_dbt = threading.Lock()
_session: Session | None = None


@contextmanager
def using(session: Session) -> Iterator[None]:
    """Let dbt read and write through a session; another run in this process waits until it ends."""
    global _session
    with _dbt:
        _session = session
        try:
            yield
        finally:
            _session = None


def current() -> Session | None:
    """The session that a run handed over; None when a user typed a dbt command."""
    return _session
