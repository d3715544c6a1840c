"""One DuckDB for all the queries of an engine: each has a connection and names of its own, on shared settings.

To open a DuckDB takes 15 ms of CPU, as much as to read a million numbers; a connection to one that is open takes
0.2. They share its memory limit and its threads, so that many queries at once take no more than one.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

LOST = (duckdb.FatalException, duckdb.ConnectionException)
"""What a DuckDB answers after an error that it does not survive."""

_FORKED: list[DuckDBPyConnection] = []  # a DuckDB that came through a fork has lost its threads: to end it would hang


class Instance:
    """A DuckDB that opens with its first connection, and anew after a fatal error or a fork.

    >>> instance = Instance(duckdb.connect)
    >>> with instance.connected() as one, instance.connected() as other:
    ...     _ = one.execute("CREATE VIEW t AS SELECT 1 AS x"), other.execute("CREATE VIEW t AS SELECT 2 AS x")
    ...     one.sql("SELECT x FROM t").fetchall(), other.sql("SELECT x FROM t").fetchall()
    ([(1,)], [(2,)])
    """

    def __init__(self, start: Callable[[], DuckDBPyConnection]) -> None:
        self._start = start
        self._base: DuckDBPyConnection | None = None
        self._process = 0
        self._lock = threading.Lock()
        self._numbers = count(1)

    @contextmanager
    def connected(self) -> Iterator[DuckDBPyConnection]:
        """Yield a connection whose schemas, views and tables no other sees; they go with it."""
        con, name = self._connect()
        try:
            yield con
        finally:
            con.close()
            self._forget(name)

    def _connect(self) -> tuple[DuckDBPyConnection, str]:
        name = f'"phlo${next(self._numbers)}"'  # with a sign that no namespace has, nor a query may name
        con, base = self._open()
        try:
            return _attached(con, name), name
        except LOST:
            self._give_up(base)
            return _attached(self._open()[0], name), name

    def _open(self) -> tuple[DuckDBPyConnection, DuckDBPyConnection]:
        """A connection of its own, which is what a cursor is, and the DuckDB that it is to."""
        with self._lock:
            if self._base is not None and self._process != os.getpid():
                _FORKED.append(self._base)
                self._base = None
            if self._base is None:
                self._base, self._process = self._start(), os.getpid()
            try:
                return self._base.cursor(), self._base
            except LOST:
                self._base = self._start()
                return self._base.cursor(), self._base

    def _forget(self, name: str) -> None:
        con, base = self._open()
        try:
            with con:
                con.execute(f"DETACH DATABASE IF EXISTS {name}")
        except LOST:
            self._give_up(base)

    def _give_up(self, base: DuckDBPyConnection) -> None:
        """Let the next connection open another, unless it has been opened already."""
        with self._lock:
            if self._base is base:
                self._base = None


def _attached(con: DuckDBPyConnection, name: str) -> DuckDBPyConnection:
    con.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
    return con
