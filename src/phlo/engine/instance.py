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
        name = f"phlo_{next(self._numbers)}"
        try:
            return _attached(self._open(), name), name
        except (duckdb.FatalException, duckdb.ConnectionException):
            self._base = None  # an error that DuckDB does not survive ended all connections to it
            return _attached(self._open(), name), name

    def _open(self) -> DuckDBPyConnection:
        """A cursor is a connection of its own."""
        with self._lock:
            if self._base is not None and self._process != os.getpid():
                _FORKED.append(self._base)
                self._base = None
            if self._base is None:
                self._base, self._process = self._start(), os.getpid()
            return self._base.cursor()

    def _forget(self, name: str) -> None:
        try:
            with self._open() as con:
                con.execute(f"DETACH DATABASE IF EXISTS {name}")
        except (duckdb.FatalException, duckdb.ConnectionException):
            self._base = None


def _attached(con: DuckDBPyConnection, name: str) -> DuckDBPyConnection:
    con.execute(f"ATTACH ':memory:' AS {name}; USE {name}")
    return con
