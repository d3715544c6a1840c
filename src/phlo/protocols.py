"""The two seams of Phlo and what passes through them: ``Catalog`` (refs of tables) and ``Engine`` (reads and writes).

A *ref* is a branch of the whole catalog. A *pin* is one fixed state of a ref: every reader resolves its pin once
and reads all tables through it, so that a query never sees two publishes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    import pyarrow as pa
    from pyiceberg.table import Table

MAIN = "main"

MAINTENANCE = "maintain-"
"""How the ids of runs begin that wrote small files together and changed no row."""

RefState = Literal["open", "failed", "died"]
WriteMode = Literal["merge", "append", "replace", "insert"]


@dataclass(frozen=True)
class View:
    """A stored SELECT in the project's dialect, and its columns as (name, type) pairs."""

    sql: str
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Pin:
    """One fixed state of a whole ref: table names to Iceberg metadata locations, view names to views."""

    ref: str
    tables: Mapping[str, str]
    views: Mapping[str, View] = field(default_factory=dict)
    seq: int | None = None
    """The newest publish this state holds; None on a ref that is not main."""


@dataclass(frozen=True)
class Ref:
    """A branch of the whole catalog."""

    name: str
    state: RefState
    created_at: datetime
    run_id: str = ""
    selection: str = ""
    base_seq: int | None = None
    reason: str = ""
    """Why a failed run failed."""
    blocked: bool = False
    """Whether it failed before all its checks passed: publishing it then takes ``force``."""


@dataclass(frozen=True)
class Change:
    """A table or view that differs between two states; ``before`` or ``after`` is None where it did not exist.

    They are a table's metadata locations, or a view's SQL.
    """

    name: str
    kind: Literal["table", "view"]
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Load:
    """One ingestion of one partition in one run: what the publish log records of it."""

    table: str
    partition: str | None
    load_id: str
    rows_read: int = 0
    rows_written: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0

    @property
    def rows_repeated(self) -> int:
        """Rows that lost to another one with their key in the same load."""
        kept = self.rows_written + self.rows_updated + self.rows_unchanged + self.rows_rejected
        return max(self.rows_read - kept, 0)


@dataclass(frozen=True)
class Publish:
    """One atomic move of main."""

    seq: int
    at: datetime
    run_id: str
    ref: str
    changes: tuple[Change, ...] = ()
    loads: tuple[Load, ...] = ()
    forced: bool = False
    restores: int | None = None
    """For an undo: the publish whose state main went back to (0: the empty state)."""


@dataclass(frozen=True)
class Newest:
    """The newest publish that counts now of those that loaded a table, or, of a model's, that changed it."""

    at: datetime
    loads: tuple[Load, ...] = ()


@dataclass(frozen=True)
class Written:
    """What one write did to a table, in rows."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


@runtime_checkable
class Catalog(Protocol):
    """Refs of a whole catalog, and the one atomic way from a ref to main.

    Tables and views are named ``namespace.name``. All methods raise ``CatalogError``s.
    """

    warehouse: str
    """The folder or bucket below which all tables' files are."""

    def check_writable(self) -> None:
        """Raise ``ReadOnlyLake`` or ``ReadOnlyFolder`` for a bundle, and for a folder that can not be written."""

    def refs(self) -> list[Ref]:
        """List the refs other than main, newest first; an open one whose run holds no live lease has died."""

    def ref(self, name: str) -> Ref:
        """Return one ref, or raise ``UnknownRef`` with the nearest names."""

    def create_ref(self, name: str, *, run_id: str = "", selection: str = "") -> Ref:
        """Branch off main: copy every pointer and remember it as the base."""

    def fail_ref(self, name: str, reason: str, *, blocked: bool = False) -> None:
        """Keep a ref as failed, with the reason."""

    def reopen_ref(self, name: str) -> None:
        """Let a run that resumes a failed one go on with its ref, from the base it has."""

    def reap(self) -> list[Ref]:
        """Keep the refs of runs that died as failed."""

    def prune(self, *, keep: int, days: int) -> list[Ref]:
        """Drop failed refs beyond the newest ``keep`` of each selection, and those older than ``days``."""

    def live_runs(self) -> set[str]:
        """The ids of the runs that hold leases now."""

    def drop_ref(self, name: str) -> None:
        """Forget a ref; files stay until maintenance finds them unreachable."""

    def pin(self, ref: str = MAIN, as_of: datetime | None = None, *, seq: int | None = None) -> Pin:
        """Resolve one fixed state; of main also that of a time (its last publish at or before) or of a publish."""

    def load(self, name: str, ref: str = MAIN) -> Table:
        """Open a table on a ref for reading or committing."""

    def open_pinned(self, name: str, pin: Pin) -> Table:
        """Open a table exactly as a pin has it, for reading only."""

    def create_table(
        self,
        name: str,
        schema: pa.Schema,
        ref: str,
        *,
        partition_by: str | None = None,
        keys: Sequence[str] = (),
    ) -> Table:
        """Create an empty table on a ref at a location of its own; ``partition_by`` like ``month(partition_date)``."""

    def drop_table(self, name: str, ref: str) -> None:
        """Drop a table from a ref (never its files)."""

    def put_view(self, name: str, view: View, ref: str) -> None:
        """Create or replace a view on a ref."""

    def drop_view(self, name: str, ref: str) -> None:
        """Drop a view from a ref."""

    def record_reads(self, ref: str, names: Iterable[str]) -> None:
        """Add tables and views to the ref's read set."""

    def record_load(self, ref: str, *loads: Load) -> None:
        """Write loads onto the ref's ledger, all or none; the same ``load_id`` replaces, and the same partition."""

    def loads(self, ref: str = MAIN) -> list[Load]:
        """On main the ledger of what is loaded now (undone publishes do not count); on a ref its own loads."""

    def newest(self) -> dict[str, Newest]:
        """By table, when main last got rows of it: neither undone publishes nor maintenance count."""

    def diff(self, ref: str, base: str = MAIN) -> list[Change]:
        """What the ref changed against the state it branched from (base main), or against another ref's state."""

    def publish(self, ref: str, *, force: bool = False) -> Publish:
        """Move main to the ref in one transaction, or raise ``PublishConflict`` and change nothing.

        What a run that failed or died has left is ``PublishBlocked`` without ``force``; one that goes on in another
        process is ``RunGoesOn``.
        """

    def publishes(self, limit: int | None = None, *, run_id: str | None = None) -> list[Publish]:
        """The publish log, newest first; with ``run_id`` that run's: a resumed run sees whether it had published."""

    def undo(self, seq: int | None = None) -> Publish:
        """Move main back to the state before publish ``seq`` (default: the newest) in one publish."""

    def lease(
        self,
        names: Iterable[str],
        run_id: str,
        *,
        wait: bool = True,
        on_wait: Callable[[str], None] | None = None,
        while_waiting: Callable[[], None] | None = None,
    ) -> AbstractContextManager[None]:
        """Hold the right to write these tables; wait for (``on_wait`` is told whom), or raise ``TableLeased``.

        ``while_waiting`` is called again and again while it waits; what it raises ends the wait.
        """


@runtime_checkable
class Engine(Protocol):
    """What computes: reads through a pin, writes onto a ref."""

    def query(self, sql: str, pin: Pin) -> pa.Table:
        """Run one read-only statement in the project's dialect; allow-listed, else ``QueryError``."""

    def read(
        self,
        name: str,
        pin: Pin,
        *,
        columns: Sequence[str] = (),
        partitions: Sequence[date] = (),
        matching: pa.Table | None = None,
    ) -> pa.Table:
        """Read a table's rows, or just some columns, partitions and values (those of ``matching``) of it."""

    def write(
        self,
        name: str,
        rows: pa.Table | pa.RecordBatchReader,
        ref: str,
        *,
        mode: WriteMode,
        keys: Sequence[str] = (),
        partitions: Sequence[date] = (),
        deduplication: str = "last",
    ) -> Written:
        """Bring rows into a table on a ref in one snapshot, creating or evolving the table first.

        ``merge`` updates by ``keys``; ``append`` and ``replace`` replace the rows of ``partitions`` (all rows,
        where the table has no ``partition_date``); ``insert`` adds rows and replaces none. Rows that are already
        there unchanged are not written again.
        """

    def last_by(self, name: str, rows: pa.RecordBatchReader, keys: Sequence[str], by: str) -> dict[str, int]:
        """Count a table's rows to be by a column's values, of equal keys the last alone; memory need not hold them."""

    def known_by(self, name: str, pin: Pin, before: Pin, keys: Sequence[str], by: str) -> dict[str, int]:
        """Count a table's rows whose key it had in another state, by a column's values."""
