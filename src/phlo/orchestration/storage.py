"""Dagster's event storage on SQLite, tuned: connections are kept, and the disk is not waited for at every event.

``synchronous=NORMAL`` may lose the last events when the power fails, and nothing when a process is killed. Events are
the record of processes; the catalog, which is the record of the data, stays at ``FULL``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import threading
import uuid
from collections import OrderedDict
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as db
from dagster import __version__ as dagster_version
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dagster import EventLogEntry
    from dagster._serdes import ConfigurableClassData

BUSY_SECONDS = 60.0
KEPT = 4
"""Runs whose files stay open beside the index."""
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What disks that know no hard links say when they are asked for one."""


class FastEventLog(SqliteEventLogStorage):
    """One file for each run and an index, as Dagster's own, with engines that are kept."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, db.Engine] = OrderedDict()
        self._opening = threading.RLock()
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events in one transaction of the run's file, and those of assets in one of the index."""
        plain = all(each.dagster_event_type in ASSET_EVENTS for each in events)
        if not plain or len({each.run_id for each in events}) != 1:
            for each in events:
                self.store_event(each)
            return
        with self.index_transaction() as connection:
            ids = [_stored_as(connection.execute(self.prepare_insert_event(each))) for each in events]
            self._store_asset_event_tags(connection, events, ids)
            newest = {each.dagster_event.asset_key: (each, i) for each, i in zip(events, ids, strict=True)}  # type: ignore[union-attr]
            for event, event_id in newest.values():
                self._store_asset_event(connection, event, event_id)
        # Last: whoever was killed in between looks here for what is stored, and stores it again.
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(self.prepare_insert_event_batch(events))

    def dispose(self) -> None:
        """Close every file."""
        with self._opening:
            while self._engines:
                self._engines.popitem()[1].dispose()
        super().dispose()

    def delete_events(self, run_id: str) -> None:
        """Forget a run's events; its file must be closed for that."""
        with self._opening:
            if run_id in self._engines:
                self._engines.pop(run_id).dispose()
        super().delete_events(run_id)

    def _engine(self, shard: str) -> db.Engine:
        with self._opening:
            engine = self._engines.pop(shard, None)
            if engine is None or not Path(self.path_for_shard(shard)).exists():
                engine = fast_engine(self.conn_string_for_shard(shard))
                if shard == INDEX_SHARD_NAME or not self._is_made(Path(self.path_for_shard(shard))):
                    self._initdb(engine, for_index_shard=shard == INDEX_SHARD_NAME)
                self._initialized_dbs.add(shard)
            self._engines[shard] = engine
            closable = [name for name in self._engines if name not in (shard, INDEX_SHARD_NAME)]
            for name in closable[: max(0, len(closable) - KEPT)]:
                self._engines.pop(name).dispose()
            return engine

    def _is_made(self, file: Path) -> bool:
        """Make a run's file, if it is not there, as a copy of an empty one: to make its tables takes 0.2 CPU seconds.

        Whether it is as this version of Dagster makes it; of another's files Dagster knows more.
        """
        blank = Path(self._base_dir).with_name(f"blank-{dagster_version}.db")
        if not blank.exists():
            with draft_of(blank) as draft:
                engine = fast_engine(f"sqlite:///{draft}")
                self._initdb(engine)
                engine.dispose()  # the last connection takes what it wrote into the file
        if not file.exists():
            with draft_of(file) as draft:
                shutil.copyfile(blank, draft)
        return _revision(file) == _revision(blank)


class FastRuns(SqliteRunStorage):
    """Dagster's runs on SQLite, with an engine that is kept."""

    _engine: db.Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[db.Connection]:
        """Open a transaction."""
        if self._engine is None:
            self._engine = fast_engine(self._conn_string)
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


class FastSqliteStorage(DagsterSqliteStorage):
    """What dagster.yaml names as the storage."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        folder = Path(base_dir)
        self._run_storage = FastRuns.from_local(str(folder / "history"))
        self._event_log_storage = FastEventLog(str(folder / "history" / "runs"))
        self._schedule_storage = SqliteScheduleStorage.from_local(str(folder / "schedules"))
        self._inst_data = inst_data
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> FastSqliteStorage:
        """Make it as dagster.yaml says."""
        return cls.from_local(inst_data=inst_data, **config_value)


@contextmanager
def draft_of(file: Path) -> Iterator[Path]:
    """Write a file whole: it appears when the block ends, unless another process was quicker."""
    draft = file.with_name(f"{file.name}.{uuid.uuid4().hex}.draft")
    try:
        yield draft
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _move(draft, file)
    finally:
        for part in ("", "-wal", "-shm"):  # SQLite's own, of a file whose making failed
            draft.with_name(f"{draft.name}{part}").unlink(missing_ok=True)


def _move(draft: Path, file: Path) -> None:
    """Rename a draft where there are no links: it must not take the place of a file that is written to.

    The lock is of this file alone and goes once the file is there: who still waits for it then, or makes it anew, finds
    the file and does nothing.
    """
    making = file.with_name(f"{file.name}.making")
    with making.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            draft.replace(file)
        making.unlink(missing_ok=True)


def _revision(file: Path) -> str:
    """The revision of the tables in a file, as Alembic keeps it."""
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchall())
    except sqlite3.OperationalError:  # none: it is being made
        return ""


def _stored_as(result: db.CursorResult[Any]) -> int:
    assert result.inserted_primary_key is not None, "it was an insert of one row"
    return int(result.inserted_primary_key[0])


def fast_engine(uri: str) -> db.Engine:
    """Open a SQLite file for many short transactions."""
    engine = db.create_engine(uri, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @db.event.listens_for(engine, "connect")
    def tune(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")  # before the tables are made: each would wait for the disk
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
