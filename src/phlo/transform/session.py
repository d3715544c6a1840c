"""What dbt's adapter reads and writes right now: a catalog, an engine and one ref.

A run hands its session over with ``using``; dbt's worker threads then find it with ``current``. It is one slot for
the whole process, not a context variable, because dbt starts its own threads; dbt itself keeps its adapter, flags
and events in globals, so two dbt runs in one process are never allowed to overlap.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phlo.protocols import Catalog, Pin, View


@dataclass(frozen=True)
class Session:
    """One ref of a lake, as dbt sees it."""

    catalog: Catalog
    engine: Any
    ref: str
    dialect: str = "trino"
    scratch: dict[str, View] = field(default_factory=dict)
    """What dbt takes for temporary tables: queries that this session alone sees under a name."""

    def pin(self) -> Pin:
        """Resolve the state of the ref at this moment: earlier models of the run are in it."""
        pin = self.catalog.pin(self.ref)
        return replace(pin, views={**pin.views, **self.scratch}) if self.scratch else pin

    @contextmanager
    def query(self, sql: str) -> Iterator[Any]:
        """Yield one query in the project's dialect as a DuckDB relation; just the tables it names are read."""
        from phlo.engine.failure import explained

        with self.reading(tables_of(sql, self.dialect)) as con, explained(sql):
            yield con.sql(self.duckdb(sql))

    @contextmanager
    def reading(self, names: Iterable[str]) -> Iterator[Any]:
        """Yield a DuckDB connection in which these tables and views stand open."""
        con = self.engine.connect()
        try:
            self.engine.bind(con, list(names), self.pin())
            yield con
        finally:
            con.close()

    def duckdb(self, sql: str) -> str:
        """Turn a query into the engine's own SQL."""
        from phlo.engine.dialect import to_duckdb

        return to_duckdb(sql, self.dialect)


def tables_of(sql: str, dialect: str) -> list[str]:
    """List the tables and views that a query names."""
    from phlo.engine.dialect import parse, tables_in

    return tables_in(parse(sql, dialect))


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
