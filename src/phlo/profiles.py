"""The only module that picks implementations: settings in, a ``Lake`` (project, catalog, engine) out."""

from __future__ import annotations

import datetime as dt
import hashlib
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.errors import InvalidTime
from phlo.project import Project, Workflows, find_project, load_workflows
from phlo.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from phlo.iceberg.bundle import About
    from phlo.protocols import Catalog, Engine, Pin


@dataclass(frozen=True)
class Lake:
    """A project with the catalog and the engine of its profile."""

    project: Project
    catalog: Catalog

    @cached_property
    def engine(self) -> Engine:
        """What computes; commands that only look at the catalog do not pay for it."""
        with _uninterrupted():  # Ctrl-C while DuckDB's module initializes would abort the process
            from phlo.engine.duckdb import DuckDBEngine

        return DuckDBEngine(self.catalog, self.project.settings, self.project.state / "temp")

    @cached_property
    def staging(self) -> Path:
        """Where runs keep what they extracted: of each catalog apart, for each knows its own runs alone."""
        catalog = hashlib.sha256(self.project.settings.catalog_uri.encode()).hexdigest()[:12]
        return self.project.state / "staging" / catalog

    @cached_property
    def workflows(self) -> Workflows:
        """The project's declarations; importing them costs seconds, so only runs ask for them."""
        from phlo.load.extract import spec_rest_api

        return load_workflows(self.project, around=spec_rest_api())

    def pin(self, ref: str | None = None, as_of: str | None = None) -> Pin:
        """Resolve the one state that a query reads."""
        return self.catalog.pin(ref or MAIN, parse_time(as_of) if as_of else None)

    def query(self, sql: str, ref: str | None = None, as_of: str | None = None) -> pa.Table:
        """Run one read-only statement in the project's dialect."""
        return self.engine.query(sql, self.pin(ref, as_of))


def open_lake(project: Project | str | Path | None = None) -> Lake:
    """Open the lake of a project, of the project in a folder, or of the one the working folder belongs to."""
    found = project if isinstance(project, Project) else find_project(project)
    from phlo.iceberg.catalog import SqlRefCatalog

    return Lake(found, SqlRefCatalog(*_places(found)))


def relocate(project: Project) -> int:
    """Mend the paths in the tables of a project whose folder moved; return how many files were rewritten."""
    from phlo.iceberg import relocate as tables

    return tables.relocate(*_places(project))


def bundle(project: Project, file: Path) -> About:
    """Pack what a project has published into one file."""
    from phlo.iceberg.bundle import pack

    uri, _ = _places(project)
    open_lake(project)  # a moved project is told so
    moment = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return pack(uri, file, project.name, project.settings.dialect, moment)


def _places(project: Project) -> tuple[str, Path]:
    """Where the catalog and the tables' files are."""
    settings, state = project.settings, project.state
    warehouse = Path(settings.warehouse).expanduser() if settings.warehouse else state / "warehouse"
    return settings.catalog_uri or f"sqlite:///{state / 'catalog.db'}", warehouse.absolute()


def parse_time(value: str) -> dt.datetime:
    """Read an ISO 8601 time; without a zone it is UTC.

    >>> parse_time("2024-01-20T14:30:00Z") == parse_time("2024-01-20T14:30") == parse_time("2024-01-20T15:30+01:00")
    True
    """
    try:
        time = dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidTime(value=value) from error
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back while the block runs; they come after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in HELD_BACK}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler or signal.SIG_DFL)  # none: not one of Python's
    for number in came[:1]:
        signal.raise_signal(number)


HELD_BACK = (signal.SIGINT, signal.SIGTERM)
