"""SQLite as the catalog's database: how a connection begins, and how a file is read that can not be written.

A write-ahead log needs a file of shared memory beside it, so SQLite does not even read a catalog whose folder can
not be written, unless it is told that the file does not change.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from sqlalchemy import URL, NullPool, create_engine, event

from phlo.errors import CatalogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 60
"""How long a writer waits for the others; a publish takes milliseconds, a suspended process may take longer."""


def connect(file: str) -> Engine:
    """Connect to a file that may be written, and make its folder."""
    Path(file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(URL.create("sqlite", database=file), connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def is_fixed(file: str) -> bool:
    """Whether this process can read the file, but neither write it nor put its log beside it."""
    return Path(file).is_file() and not os.access(Path(file).parent, os.W_OK)


def connect_fixed(file: str) -> Engine:
    """Connect to a file in a folder that can not be written; each connection sees the file as it is then.

    Where another user has the catalog open, SQLite reads through that user's log and shared memory; otherwise the
    file is complete without them, and what a killed writer has left in its log is read from a copy of both.
    """

    def opened() -> sqlite3.Connection:
        if Path(f"{file}-shm").exists():
            return _open(file, "mode=ro")
        if _size(f"{file}-wal"):
            return _open_copy(file)
        return _open(file, "mode=ro&immutable=1")

    engine = create_engine(URL.create("sqlite", database=file), creator=opened, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def unchanged(file: str) -> Iterator[None]:
    """Raise ``CatalogUnavailable`` if the file changed while the block read it: SQLite was told that it does not."""
    protected = Path(f"{file}-shm").exists()
    before = Path(file).stat()
    yield
    after = Path(file).stat()
    if not protected and (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise CatalogUnavailable(uri=f"sqlite:///{file}", detail="another user's run wrote it while it was read")


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # else the driver begins transactions of its own, and deferred ones
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log; of several that are the first at once SQLite refuses some, without waiting itself."""
    give_up = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > give_up:
                raise
            sleep(0.01)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("phlo_begin", "BEGIN"))


def _open(file: str, how: str) -> sqlite3.Connection:
    uri = f"{Path(file).absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _open_copy(file: str) -> sqlite3.Connection:
    """Read a file and its log into memory."""
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    with tempfile.TemporaryDirectory(prefix="phlo-") as folder:
        copy = Path(folder, "catalog.db")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{file}{suffix}", f"{copy}{suffix}")
        source = sqlite3.connect(copy)
        try:
            source.backup(memory)
        finally:
            source.close()
    return memory


def _size(file: str) -> int:
    try:
        return Path(file).stat().st_size
    except FileNotFoundError:
        return 0
