"""Ctrl-C and statements of DuckDB."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.iceberg.interrupts import StoppableConnection, stoppable

if TYPE_CHECKING:
    from pathlib import Path

ENDLESS = "SELECT max(a.range * b.range % 7 + hash(a.range)::DOUBLE) FROM range(3000000) a, range(3000000) b"
"""Hours of work."""

PROGRAM = """
import duckdb, sys, threading
from phlo.iceberg.interrupts import StoppableConnection
con = duckdb.connect()
threading.Timer(0.2, lambda: print("running", flush=True)).start()
try:
    StoppableConnection(con).execute(sys.argv[1])
except KeyboardInterrupt:
    print("stopped", con.execute("SELECT 42").fetchall()[0][0], flush=True)
"""


def test_ctrl_c_stops_a_statement_at_once_and_the_connection_lives_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "running\n"
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=60)  # without the thread it would be hours
    assert (out, child.returncode) == ("stopped 42\n", 0)


def test_a_statement_gives_what_it_would_give_alone() -> None:
    with StoppableConnection(duckdb.connect()) as con:
        assert con.execute("SELECT $1 + 1", [41]).fetchall() == [(42,)]


def test_an_error_of_the_statement_comes_out_as_it_was() -> None:
    with StoppableConnection(duckdb.connect()) as con, pytest.raises(duckdb.CatalogException):
        con.execute("SELECT * FROM nothing_there")


def test_work_stays_in_its_thread_where_no_signals_arrive() -> None:
    seen: list[threading.Thread] = []
    with duckdb.connect() as con:
        worker = threading.Thread(target=lambda: stoppable(con, lambda: seen.append(threading.current_thread())))
        worker.start()
        worker.join()
    assert seen == [worker]
