"""The embedded engine: DuckDB reads pinned Iceberg tables and views, and writes go through file-level merges.

Each query has names of its own, of just the tables that it reads, and everything else is locked:
no files outside the warehouse, no settings, no extensions.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from phlo.engine.columns import known_columns
from phlo.engine.define import define
from phlo.engine.describe import answer, take_explain
from phlo.engine.dialect import read_once, tables_in, tables_named, to_duckdb
from phlo.engine.failure import explained, reading_views
from phlo.engine.guard import check_read_only
from phlo.engine.instance import Instance
from phlo.engine.spill import spill_folder
from phlo.engine.tally import known_by, last_by
from phlo.errors import QueryFailed, TableNotYet, UnknownTable, WriteFailed, nearest
from phlo.iceberg.interrupts import StoppableConnection, stoppable
from phlo.iceberg.tables import (
    PARTITION_COLUMN,
    Columns,
    as_pattern,
    evolve,
    needs_reader,
    plan,
    scan_sql,
    tasks_sql,
    within_sql,
)
from phlo.iceberg.types import literal, quoted
from phlo.protocols import MAIN, Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from duckdb import DuckDBPyConnection
    from pyiceberg.table import Table

    from phlo.config import Settings
    from phlo.engine.dialect import Tables
    from phlo.iceberg import merge
    from phlo.iceberg.tables import Connection
    from phlo.protocols import Catalog, Pin, Publish, WriteMode

SCANS, LONGEST_SCAN = 64, 200_000
"""How many scans' texts are kept, and the longest of them, in characters: of a thousand files and more."""


class DuckDBEngine:
    """Queries and writes with DuckDB in this process; ``temp`` is where it spills what memory does not hold."""

    def __init__(self, catalog: Catalog, settings: Settings, temp: Path) -> None:
        self.catalog = catalog
        self.settings = settings
        self.temp = temp
        self._scans: dict[str, str] = {}
        self._instance = Instance(partial(_locked, catalog.warehouse, settings, temp))
        self._writes = Instance(partial(_for_writes, settings, temp))

    def query(self, sql: str, pin: Pin) -> pa.Table:
        """Run one read-only statement in the project's dialect.

        Raises ``QuerySyntax``, ``QueryNotAllowed``, ``UnknownTable``, ``UnsupportedFunction`` and ``QueryFailed``.
        """
        dialect = self.settings.dialect
        found = answer(sql, pin, dialect, lambda name: self._schema(self._known(name, pin), pin))
        if found is not None:
            return found
        explain, query = take_explain(sql)
        tree = read_once(query, dialect)
        check_read_only(tree)
        names = tables_in(tree)
        with self.connect() as con:
            tables = self.bind(con, names, pin)
            statement = to_duckdb(query, dialect, tables)
            define(con, statement)
            with reading_views([name for name in names if name in pin.views]):
                rows = run(con, f"{explain} {statement}".lstrip(), query)
        return pa.table({"Query Plan": rows["explain_value"]}) if explain else rows

    def read(
        self,
        name: str,
        pin: Pin,
        *,
        columns: Sequence[str] = (),
        partitions: Sequence[date] = (),
        matching: pa.Table | None = None,
    ) -> pa.Table:
        """Read a table's or view's rows, or just some columns and partitions of it.

        ``matching`` keeps the rows that have the values of one of its rows in its columns.
        """
        with self.connect() as con:
            if name in pin.views:
                self.bind(con, [name], pin)
                names = ", ".join(map(quoted, columns)) or "*"
                select = f"SELECT {names} FROM {_quoted_name(name)} WHERE {within_sql(partitions)}"
            else:
                self._record_reads(pin, [name])
                select = scan_sql(self.catalog.open_pinned(name, pin), columns, partitions, con)
            if matching is not None:
                con.register("phlo_matching", matching)
                select = (
                    f"FROM ({select}) SEMI JOIN phlo_matching USING ({', '.join(map(quoted, matching.column_names))})"
                )
            return run(con, select, select)

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

        ``merge`` updates by ``keys``, ``insert`` adds rows and replaces none. ``append`` and ``replace`` replace the
        rows of ``partitions``; without these,
        or where the table has no ``partition_date``, ``replace`` replaces all rows, and so does ``append`` where the
        table has no ``partition_date``. Raises ``SchemaMismatch`` before anything is written.
        """
        from phlo.iceberg import merge  # a second of imports, which queries need not pay

        table = self._table(name, rows.schema, ref, keys)
        limits = self.limits()
        if mode == "merge":
            return merge.merge(table, rows, keys, deduplication=deduplication, limits=limits)
        dated = PARTITION_COLUMN in table.schema().column_names
        if mode == "insert" or (mode == "append" and dated and not partitions):
            return merge.append(table, rows, limits=limits)
        return merge.replace(table, rows, partitions if dated else (), limits=limits)

    def last_by(self, name: str, rows: pa.RecordBatchReader, keys: Sequence[str], by: str) -> dict[str, int]:
        """Count a table's rows to be by a column's values, of equal keys the last alone; memory need not hold them."""
        with self._counting(name) as con:
            return last_by(con, rows, keys, by)

    def known_by(self, name: str, pin: Pin, before: Pin, keys: Sequence[str], by: str) -> dict[str, int]:
        """Count a table's rows whose key it had in another state, by a column's values."""
        now, then = (self.catalog.open_pinned(name, each) for each in (pin, before))
        with self._counting(name) as con:
            return known_by(con, scan_sql(now, [*keys, by], (), con), scan_sql(then, keys, (), con), keys, by)

    @contextmanager
    def _counting(self, name: str) -> Iterator[Connection]:
        """Yield a connection that may use of the machine what a write may."""
        try:
            with self._writes.connected() as con:
                yield StoppableConnection(con)
        except duckdb.Error as error:
            raise WriteFailed(table=name, detail=str(error).partition("\n")[0]) from error

    def limits(self) -> merge.Limits:
        """The DuckDB that all writes of this engine share, and with it what they may use of the machine."""
        from phlo.iceberg import merge

        return merge.Limits(connect=self._writes.connected)

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def connect(self) -> Iterator[DuckDBPyConnection]:
        """Yield a connection with names of its own, in UTC, that reaches nothing but the warehouse."""
        with self._instance.connected() as con:
            yield con

    def bind(self, con: DuckDBPyConnection, names: Iterable[str], pin: Pin) -> Tables:
        """Make a pin's tables and views, and what these views read, known to a connection under their names.

        On a run's ref they join the ref's read set. Returns what the dialect is told of them. Raises ``UnknownTable``.
        """
        ordered: dict[str, None] = {}
        for name in names:
            self._resolve(name, pin, ordered, ())
        self._record_reads(pin, ordered)
        tables = known_columns(self.catalog, ordered, pin)
        for name in ordered:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.partition('.')[0])}")
            if name in pin.views:
                sql = pin.views[name].sql
                _create_view(con, name, to_duckdb(sql, self.settings.dialect, tables), sql)
            else:
                select = self._scan(name, pin, con)
                _create_view(con, name, select, select)
        return tables

    def _scan(self, name: str, pin: Pin, con: DuckDBPyConnection) -> str:
        """Return a SELECT of a pinned table's rows; where no file takes PyIceberg's reader, its text is kept."""
        kept = self._scans.get(pin.tables[name])
        if kept is not None:
            return kept
        table = self.catalog.open_pinned(name, pin)
        tasks = plan(table)
        select = tasks_sql(table, tasks, Columns(table.schema()), con)
        if len(select) < LONGEST_SCAN and not any(needs_reader(table, task) for task in tasks):
            if len(self._scans) >= SCANS:
                self._scans.clear()
            self._scans[pin.tables[name]] = select
        return select

    def _resolve(self, name: str, pin: Pin, ordered: dict[str, None], above: tuple[str, ...]) -> None:
        """Add a name to ``ordered`` after all that it reads."""
        known = self._known(name, pin)
        if known in above:
            raise QueryFailed(
                detail=f"views read each other: {' → '.join([*above, known])}", where="change one of them"
            )
        if known in pin.views:
            for inner in tables_named(pin.views[known].sql, self.settings.dialect):
                self._resolve(inner, pin, ordered, (*above, known))
        ordered[known] = None

    def _known(self, name: str, pin: Pin) -> str:
        """Return the name as the pin spells it."""
        if name in pin.tables or name in pin.views:
            return name
        names = [*pin.tables, *pin.views]
        for known in names:
            if known.lower() == name.lower():
                return known
        since = self._made(name, pin)
        if since:
            raise TableNotYet(name=name, seq=pin.seq, since=since.seq, at=since.at.isoformat())
        raise UnknownTable(name=name, ref=pin.ref, nearest=nearest(name, names))

    def _made(self, name: str, pin: Pin) -> Publish | None:
        """The publish after a pin of main's past that made a table."""
        later = () if pin.seq is None else self.catalog.publishes()
        made = [
            publish
            for publish in later
            if publish.seq > (pin.seq or 0)
            and any(each.after and each.name.lower() == name.lower() for each in publish.changes)
        ]
        return made[-1] if made else None

    def _record_reads(self, pin: Pin, names: Iterable[str]) -> None:
        if pin.ref != MAIN:
            self.catalog.record_reads(pin.ref, names)

    def _schema(self, name: str, pin: Pin) -> pa.Schema:
        """The columns of a table or view."""
        if name in pin.tables:
            return self.catalog.open_pinned(name, pin).schema().as_arrow()
        with self.connect() as con:
            self.bind(con, [name], pin)
            return run(con, f"SELECT * FROM {_quoted_name(name)} LIMIT 0", "").schema

    # ── tables ───────────────────────────────────────────────────────────────────────────────────────────

    def _table(self, name: str, schema: pa.Schema, ref: str, keys: Sequence[str]) -> Table:
        """Open the table with room for rows of ``schema``, or create it; columns of no type wait for one."""
        typed = pa.schema([field for field in schema if not pa.types.is_null(field.type)])
        try:
            table = self.catalog.load(name, ref)
        except UnknownTable:
            partition_by = None
            dated = PARTITION_COLUMN in typed.names and pa.types.is_date(typed.field(PARTITION_COLUMN).type)
            if dated and self.settings.partitioning != "none":
                partition_by = f"{self.settings.partitioning}({PARTITION_COLUMN})"
            return self.catalog.create_table(name, typed, ref, partition_by=partition_by, keys=keys)
        evolve(table, typed)
        return table


def write_memory(limit: str) -> str:
    """What a write may use before it spills: a fifth, beside the rows on their way, but no less than 400 MB of it.

    A write sorts rows by key and joins them with a table; spilling costs it little, measured on 10 million rows.

    >>> write_memory("8GB"), write_memory("2GB"), write_memory("300MB"), write_memory("50%")
    ('1600MB', '400MB', '300MB', '50%')
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([MGT])i?B\s*", limit, re.IGNORECASE)
    if found is None:
        return limit
    megabytes = float(found[1]) * {"M": 1, "G": 1_000, "T": 1_000_000}[found[2].upper()]
    return f"{max(megabytes / 5, min(megabytes, 400)):.0f}MB"


def _locked(warehouse: str, settings: Settings, temp: Path) -> DuckDBPyConnection:
    """Open a DuckDB that reads the warehouse, writes what it spills, and reaches nothing else."""
    spill = spill_folder(temp)
    config = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "enable_external_file_cache": "false",  # the system keeps what was read
    }
    if settings.threads:
        config["threads"] = str(settings.threads)
    con = duckdb.connect(config=config)
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    con.execute("SET GLOBAL parquet_metadata_cache = true")  # a table's files never change
    folders = [warehouse, str(spill)]
    allowed = ", ".join(literal(spelling) for path in folders for spelling in {path, as_pattern(path)})
    con.execute(f"SET allowed_directories = [{allowed}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def run(con: DuckDBPyConnection, statement: str, sql: str) -> pa.Table:
    """Run a statement to an Arrow table; errors are ``QueryFailed`` and speak of the user's ``sql``."""
    with explained(sql):
        return stoppable(con, lambda: _rows(con, statement))


def _rows(con: DuckDBPyConnection, statement: str) -> pa.Table:
    relation = con.sql(statement)
    return relation.to_arrow_table() if relation is not None else pa.table({})


def _for_writes(settings: Settings, temp: Path) -> DuckDBPyConnection:
    from phlo.iceberg import merge

    limits = merge.Limits(write_memory(settings.memory_limit), settings.threads, spill_folder(temp))
    return duckdb.connect(config=merge.settings(limits))


def _create_view(con: DuckDBPyConnection, name: str, select: str, sql: str) -> None:
    with explained(sql):
        define(con, select)
        con.execute(f"CREATE OR REPLACE VIEW {_quoted_name(name)} AS {select}")


def _quoted_name(name: str) -> str:
    return ".".join(map(quoted, name.split(".")))
