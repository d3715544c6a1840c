"""The catalog's database: SQLite in the project, or Postgres; reads see one state, writes wait for each other.

On SQLite a write is ``BEGIN IMMEDIATE`` (so that it never has to be upgraded, and refused, half way); on Postgres it
is a read-committed transaction that locks the rows it builds on.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import weakref
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import URL, create_engine, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from phlo.errors import (
    CatalogCorrupt,
    CatalogError,
    CatalogTooNew,
    CatalogUnavailable,
    CatalogUnsupported,
    CommitUnclear,
    MissingExtra,
    ProjectMoved,
    ReadOnlyFolder,
    ReadOnlyLake,
)
from phlo.iceberg import layout, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

SQLITE = "sqlite:///"
ROOM = 64 * 1024
"""Bytes that SQLite needs beside its file for its shared memory, and some pages."""

SEALED = "sealed"
"""The key of what a bundled catalog knows of itself."""

CREATION_LOCK = 0x70686C6F
"""Any number: the key of the Postgres lock under which the tables are created."""

TAKE_ROOM = ("_WRITE", "_FSYNC", "_SHMSIZE")
"""How SQLite's names end for what failed of what takes room on the disk."""


@dataclass(frozen=True)
class Database:
    """An open catalog database."""

    engine: Engine
    writer: Engine
    """The same connections; its transactions take the write lock when they begin."""
    sealed: bool = False
    """Whether it came from a bundle: nothing may be written."""
    fixed: str = ""
    """The file, where its folder can not be written: nothing can be."""

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction in which all SELECTs see one state."""
        still = sqlite.unchanged(self.fixed) if self.fixed else nullcontext()
        with translated(self.engine.url), still, self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that commits as a whole when the block ends, and not at all when it raises."""
        self.check_writable()
        url, committing = self.engine.url, False
        with translated(url):
            try:
                with self.writer.begin() as connection:
                    yield connection
                    committing = True
            except DBAPIError as error:
                if committing and _may_be_done(error):
                    raise CommitUnclear(uri=shown(url), detail=_detail(url, error.orig)) from error
                raise

    def check_writable(self) -> None:
        """Raise ``ReadOnlyLake`` or ``ReadOnlyFolder`` where nothing may be written."""
        if self.sealed:
            raise ReadOnlyLake(uri=shown(self.engine.url))
        if self.fixed:
            raise ReadOnlyFolder(folder=Path(self.fixed).parent)


def open_database(uri: str, root: str) -> Database:
    """Open or create the catalog at ``uri`` for tables below ``root``; refuse what this Phlo can not use."""
    database = connect(uri)
    with database.read() as connection:
        known = inspect(connection).has_table(layout.meta.name) and facts(connection)
    if not known:
        known = _create(database, root)
    _check(database.engine.url, known, root)
    return replace(database, sealed=SEALED in known)


def connect(uri: str) -> Database:
    """Connect to a database, whatever is in it."""
    engine, file = _engine(uri), uri.removeprefix(SQLITE)
    _forget_after_fork(engine)
    fixed = file if file != uri and sqlite.is_fixed(file) else ""
    return Database(engine, engine.execution_options(phlo_begin="BEGIN IMMEDIATE"), fixed=fixed)


def facts(connection: Connection) -> dict[str, str]:
    """Read what the catalog knows of itself: its format, and the folder of its tables."""
    return {row.key: row.value for row in connection.execute(select(layout.meta))}


def hold(connection: Connection, what: Literal["main", "leases"]) -> None:
    """Let one writer at a time move main, or take leases, until its transaction ends (on SQLite there is but one)."""
    connection.execute(select(layout.meta.c.value).where(layout.meta.c.key == what).with_for_update())


def now(connection: Connection) -> str:
    """Tell the time by the database's clock, which all hosts that share the catalog share."""
    if connection.dialect.name == "postgresql":
        return stamp(connection.scalar(select(func.clock_timestamp())) or datetime.now(UTC))
    return stamp(datetime.now(UTC))


def stamp(time: datetime) -> str:
    """Write a time as the catalog keeps it; a naive time is UTC.

    >>> stamp(datetime(2024, 1, 20, 12))
    '2024-01-20T12:00:00.000000+00:00'
    """
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn what the database raises into catalog errors that name it (without its password)."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _error(url, error) from error


def _error(url: URL, error: SQLAlchemyError | sqlite3.Error) -> CatalogError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    # SQLite's own subclasses are locks, full disks and the like.
    kind = CatalogCorrupt if type(cause) is sqlite3.DatabaseError else CatalogUnavailable
    return kind(uri=shown(url), detail=_detail(url, cause))


def _may_be_done(error: DBAPIError) -> bool:
    """Whether a commit that failed may count all the same.

    SQLite's log has it, though not surely on the disk, and who opens it next reads it; or Postgres did not answer.
    """
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
    return error.connection_invalidated


def _detail(url: URL, cause: BaseException | None) -> str:
    detail = str(cause).strip().split("\n")[0]
    if detail != "disk I/O error":
        return detail
    if _is_full(url):
        return "No space left on device"  # SQLite's shared memory is a file, and it has no word for that
    failed = str(getattr(cause, "sqlite_errorname", "SQLITE_IOERR"))
    often = ", such as of a disk that was full for a moment" if failed.endswith(TAKE_ROOM) else ""
    return f"{detail} ({failed}{often})"


def _is_full(url: URL) -> bool:
    return shutil.disk_usage(Path(url.database or "").parent).free < ROOM


def _engine(uri: str) -> Engine:
    if uri.startswith(SQLITE):
        file = uri.removeprefix(SQLITE)
        return sqlite.connect_fixed(file) if sqlite.is_fixed(file) else sqlite.connect(file)
    try:
        url = make_url(uri)
    except ArgumentError as error:
        raise CatalogUnsupported(uri=uri.split("@")[-1]) from error
    if url.get_backend_name() != "postgresql":
        raise CatalogUnsupported(uri=shown(url))
    try:
        return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="A catalog in Postgres", package="psycopg", extra="postgres") from error


def _forget_after_fork(engine: Engine) -> None:
    """Keep a forked child from using, or closing, its parent's connections: that corrupts files and protocols."""
    held = weakref.ref(engine)

    def forget() -> None:
        if (inherited := held()) is not None:
            inherited.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


def _create(database: Database, root: str) -> dict[str, str]:
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CREATION_LOCK})
        layout.metadata.create_all(connection)
        if not facts(connection):  # another process may have been first
            first = {"format": str(layout.FORMAT), "warehouse": root, "main": "lock", "leases": "lock"}
            connection.execute(layout.meta.insert(), [{"key": key, "value": first[key]} for key in first])
        return facts(connection)


def _check(url: URL, known: dict[str, str], root: str) -> None:
    if int(known["format"]) > layout.FORMAT:
        uri = shown(url)
        raise CatalogTooNew(uri=uri, found=known["format"], known=layout.FORMAT)
    if known["warehouse"] != root:
        raise ProjectMoved(stored=known["warehouse"], found=root)


def shown(url: URL) -> str:
    """Write a URL without what may be secret: the password, also where the query string has it."""
    return url.set(query={}).render_as_string(hide_password=True)
