"""The embedded catalog: refs of the whole catalog as rows of one SQL database, and one atomic way from a ref to main.

It keeps no state of its own: every method is one transaction, so any number of processes may share a catalog.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phlo.errors import NameTaken, NoHistory, UnknownTable, nearest
from phlo.iceberg import files, ledger, publishes, refs, states
from phlo.iceberg.database import open_database
from phlo.iceberg.leases import Leases, live_runs
from phlo.iceberg.names import split
from phlo.iceberg.states import Entry
from phlo.protocols import MAIN, Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pyarrow as pa
    from pyiceberg.table import Table
    from sqlalchemy import Connection

    from phlo.iceberg.states import Kind, State
    from phlo.protocols import Change, Load, Newest, Publish, Ref, View


class SqlRefCatalog:
    """A catalog of refs on SQLite (``sqlite:///FILE``) or Postgres (``postgresql+psycopg://…``).

    >>> import tempfile
    >>> import pyarrow as pa
    >>> folder = Path(tempfile.mkdtemp())
    >>> catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", folder / "warehouse")
    >>> ref = catalog.create_ref("run-1")
    >>> table = catalog.create_table("raw.readings", pa.schema([("sgv", pa.int64())]), "run-1")
    >>> table.append(pa.table({"sgv": [110, 120]}))
    >>> catalog.publish("run-1").seq
    1
    >>> catalog.load("raw.readings").scan().to_arrow()["sgv"].to_pylist()
    [110, 120]
    """

    def __init__(self, uri: str, warehouse: Path) -> None:
        self.warehouse = str(Path(warehouse).absolute().resolve())
        self.database = open_database(uri, self.warehouse)
        self._leases = Leases(self.database)

    def close(self) -> None:
        """Close the connections; the catalog can still be used, and opens new ones."""
        self.database.engine.dispose()

    def check_writable(self) -> None:
        """Raise ``ReadOnlyLake`` or ``ReadOnlyFolder`` for a bundle, and for a folder that can not be written."""
        self.database.check_writable()

    # ── refs ─────────────────────────────────────────────────────────────────────────────────────────────

    def refs(self) -> list[Ref]:
        """List the refs other than main, newest first."""
        with self.database.read() as connection:
            return refs.standing(connection, refs.all_refs(connection))

    def ref(self, name: str) -> Ref:
        """Return one ref, or raise ``UnknownRef`` with the nearest names."""
        with self.database.read() as connection:
            return refs.standing(connection, [refs.find(connection, name)])[0]

    def create_ref(self, name: str, *, run_id: str = "", selection: str = "") -> Ref:
        """Branch off main: copy every pointer and remember it as the base."""
        with self.database.write() as connection:
            return refs.create(connection, name, run_id, selection)

    def fail_ref(self, name: str, reason: str, *, blocked: bool = False) -> None:
        """Keep a ref as failed, with the reason."""
        with self.database.write() as connection:
            refs.fail(connection, name, reason, blocked=blocked)

    def drop_ref(self, name: str) -> None:
        """Forget a ref; files stay until maintenance finds them unreachable."""
        with self.database.write() as connection:
            refs.drop(connection, name)

    def reopen_ref(self, name: str) -> None:
        """Let a run that resumes a failed one go on with its ref, from the base it has."""
        with self.database.write() as connection:
            refs.reopen(connection, name)

    def reap(self) -> list[Ref]:
        """Keep the refs of runs that died as failed."""
        with self.database.write() as connection:
            return refs.reap(connection)

    def prune(self, *, keep: int, days: int) -> list[Ref]:
        """Drop failed refs beyond the newest ``keep`` of each selection, and those older than ``days``."""
        with self.database.write() as connection:
            return refs.prune(connection, keep, days)

    def live_runs(self) -> set[str]:
        """The ids of the runs that hold leases now."""
        with self.database.read() as connection:
            return live_runs(connection)

    # ── tables and views ─────────────────────────────────────────────────────────────────────────────────

    def pin(self, ref: str = MAIN, as_of: datetime | None = None, *, seq: int | None = None) -> Pin:
        """Resolve one fixed state; on main also that of a time (its last publish at or before) or of a publish."""
        with self.database.read() as connection:
            refs.check(connection, ref)
            if as_of is None and seq is None:
                return _pin(ref, states.current(connection, ref), refs.head(connection) if ref == MAIN else None)
            if ref != MAIN:
                raise NoHistory(ref=ref)
            if seq is None:
                assert as_of is not None
                seq = publishes.seq_at(connection, as_of)
            publishes.check_seq(seq, refs.head(connection))
            return _pin(ref, states.at(connection, seq), seq)

    def load(self, name: str, ref: str = MAIN) -> Table:
        """Open a table on a ref for reading or committing (on main for reading only)."""
        from phlo.iceberg import handles

        with self.database.read() as connection:
            pointer = refs.lookup(connection, ref, name, "table").pointer
        return handles.open_table(self.database, ref, name, pointer)

    def open_pinned(self, name: str, pin: Pin) -> Table:
        """Open a table exactly as a pin has it, for reading only."""
        from phlo.iceberg import handles

        if name not in pin.tables:
            raise UnknownTable(name=name, ref=pin.ref, nearest=nearest(name, pin.tables))
        return handles.open_pinned(pin.ref, name, pin.tables[name])

    def create_table(
        self, name: str, schema: pa.Schema, ref: str, *, partition_by: str | None = None, keys: Sequence[str] = ()
    ) -> Table:
        """Create an empty table on a ref at a location of its own; ``partition_by`` like ``month(partition_date)``."""
        from phlo.iceberg import handles

        location = handles.new_location(self.warehouse, name)
        with self.database.write() as connection:
            _check_free(connection, name, ref)  # before a file is written for nothing
            states.remember(connection, [location])  # for maintenance, if this process ends before the table is there
        pointer = handles.write_new_table(location, name, schema, partition_by, keys)
        with self.database.write() as connection:
            _check_free(connection, name, ref)
            states.forget_dropped(connection, [location])
            states.put(connection, ref, name, Entry("table", pointer))
        return handles.open_table(self.database, ref, name, pointer)

    def drop_table(self, name: str, ref: str) -> None:
        """Drop a table from a ref (never its files)."""
        with self.database.write() as connection:
            refs.writable(connection, ref, name)
            refs.lookup(connection, ref, name, "table")
            states.remove(connection, ref, name, "table")
            ledger.forget(connection, ref, name)

    def put_view(self, name: str, view: View, ref: str) -> None:
        """Create or replace a view on a ref."""
        with self.database.write() as connection:
            _check_free(connection, name, ref, replacing="view")
            states.put(connection, ref, name, Entry("view", states.definition(view)))

    def drop_view(self, name: str, ref: str) -> None:
        """Drop a view from a ref."""
        with self.database.write() as connection:
            refs.writable(connection, ref, name)
            refs.lookup(connection, ref, name, "view")
            states.remove(connection, ref, name, "view")

    # ── a run's record ───────────────────────────────────────────────────────────────────────────────────

    def record_reads(self, ref: str, names: Iterable[str]) -> None:
        """Add tables and views to the ref's read set; publish checks that main still has them as they were."""
        asked = set(names)
        with self.database.read() as connection:  # most are known already, and a write waits for other writers
            refs.check(connection, ref)
            asked -= set(refs.reads(connection, ref))
        if asked and ref != MAIN:
            with self.database.write() as connection:
                refs.record_reads(connection, ref, asked)

    def record_load(self, ref: str, *loads: Load) -> None:
        """Write loads onto the ref's ledger, all or none; the same ``load_id`` replaces, and the same partition."""
        with self.database.write() as connection:
            ledger.record(connection, ref, loads)

    def loads(self, ref: str = MAIN) -> list[Load]:
        """On main the ledger of what is loaded now (undone publishes do not count); on a ref its own loads."""
        with self.database.read() as connection:
            return ledger.loads(connection, ref)

    def newest(self) -> dict[str, Newest]:
        """By table, when main last got rows of it: neither undone publishes nor maintenance count."""
        with self.database.read() as connection:
            return ledger.newest(connection)

    # ── publishing ───────────────────────────────────────────────────────────────────────────────────────

    def diff(self, ref: str, base: str = MAIN) -> list[Change]:
        """What the ref changed against the state it branched from (base main), or against another ref's state."""
        with self.database.read() as connection:
            refs.check(connection, ref)
            refs.check(connection, base)
            branched = base == MAIN and ref != MAIN
            before = states.base(connection, ref) if branched else states.current(connection, base)
            changes = states.changes(states.moves(before, states.current(connection, ref)))
            return [states.shown(change) for change in changes]

    def publish(self, ref: str, *, force: bool = False) -> Publish:
        """Move main to the ref in one transaction, or raise ``PublishConflict`` and change nothing.

        What a run that failed or died has left is ``PublishBlocked`` without ``force``; one that goes on in another
        process is ``RunGoesOn``.
        """
        changed = {change.name: change.after for change in self.diff(ref) if change.kind == "table" and change.after}
        files.make_durable(changed, self.ref(ref).created_at)
        with self.database.write() as connection:
            self._leases.check(connection, refs.find(connection, ref))
            return publishes.publish(connection, ref, force=force)

    def publishes(self, limit: int | None = None, *, run_id: str | None = None) -> list[Publish]:
        """The publish log, newest first; with ``run_id`` that run's (so a resumed run sees that it had published)."""
        with self.database.read() as connection:
            return publishes.log(connection, limit, run_id)

    def undo(self, seq: int | None = None) -> Publish:
        """Move main back to the state before publish ``seq`` (default: the newest) in one publish."""
        with self.database.write() as connection:
            return publishes.undo(connection, seq)

    # ── leases ───────────────────────────────────────────────────────────────────────────────────────────

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
        return self._leases.hold(names, run_id, wait=wait, on_wait=on_wait, while_waiting=while_waiting)


def _check_free(connection: Connection, name: str, ref: str, replacing: Kind | None = None) -> None:
    """Lock the ref; raise ``NameTaken`` if it has the name, in upper or lower case: engines do not tell them apart."""
    split(name)
    refs.writable(connection, ref, name)
    for taken, entry in states.current(connection, ref).items():
        if taken.lower() == name.lower() and not (taken == name and entry.kind == replacing):
            raise NameTaken(name=name, ref=ref, kind=entry.kind, taken=taken)


def _pin(ref: str, state: State, seq: int | None) -> Pin:
    tables = {name: entry.pointer for name, entry in state.items() if entry.kind == "table"}
    views = {name: states.view(entry.pointer) for name, entry in state.items() if entry.kind == "view"}
    return Pin(ref, tables, views, seq)
