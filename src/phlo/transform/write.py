"""What a materialization does to the ref: SELECT in, a table or a view out.

Rows stream from DuckDB into Iceberg in batches. A table that keeps its columns is replaced in place, so that its
history goes on; one whose columns changed is dropped and created on the ref, which readers of main never see.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from phlo.engine.failure import explained
from phlo.iceberg.tables import evolve, iceberg_schema
from phlo.protocols import View
from phlo.transform.columns import columns_of, columns_of_query, storable
from phlo.transform.constraints import insist_on_constraints
from phlo.transform.python import computed
from phlo.transform.session import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.protocols import Pin
    from phlo.transform.constraints import Constraint
    from phlo.transform.session import Session

BATCH_ROWS = 122_880
"""Rows of one Arrow batch: one row group of DuckDB's."""


@dataclass(frozen=True)
class Built:
    """What came of a model."""

    rows: int | None
    """How many rows its SELECT returned; None for a view, which returns none yet."""

    def __str__(self) -> str:
        return "view" if self.rows is None else f"{self.rows:,} row{'' if self.rows == 1 else 's'}"


@dataclass(frozen=True)
class Code:
    """What dbt compiled of a model, and what its contract promises of the rows."""

    text: str
    language: str = "sql"
    constraints: tuple[Constraint, ...] = ()

    @contextmanager
    def rows(self, session: Session, name: str, *tables: str) -> Iterator[tuple[Any, Any]]:
        """Yield a connection, on which ``tables`` stand open too, and the rows as a relation that can be stored.

        Raises ``ConstraintBroken``, ``UntypedColumn`` and what the model's own code raises.
        """
        with self._computed(session, tables) as (con, relation):
            yield con, insist_on_constraints(session, con, name, storable(relation), self.constraints)

    @contextmanager
    def _computed(self, session: Session, tables: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
        if self.language == "python":
            with computed(session, self.text, *tables) as found:
                yield found
            return
        names = dict.fromkeys([*tables_of(self.text, session.dialect), *tables])
        with session.reading(names) as con, explained(self.text):
            yield con, con.sql(session.duckdb(self.text, con))


def replace_table(session: Session, name: str, code: Code | str, *, partition_by: str | None = None) -> Built:
    """Make a table of exactly the rows that a model, or a query, returns."""
    model = Code(code) if isinstance(code, str) else code
    with model.rows(session, name) as (_, relation):
        return replace_by(session, name, relation, partition_by=partition_by)


def replace_by(session: Session, name: str, relation: Any, *, partition_by: str | None = None) -> Built:
    """Make a table of exactly the rows of a DuckDB relation."""
    rows = Counted(storable(relation))
    _make_way(session, name, rows.columns, partition_by, rows.schema)
    session.engine.write(name, rows.reader(), session.ref, mode="replace")
    return Built(rows.rows)


def append_table(session: Session, name: str, sql: str) -> Built:
    """Add the rows of a query to a table that is there, which widens to columns it lacks."""
    from phlo.iceberg import merge

    with session.query(sql) as relation:
        rows = Counted(storable(relation))
        table = session.catalog.load(name, session.ref)
        evolve(table, rows.schema)
        merge.append(table, rows.reader(), limits=session.engine.limits())
    return Built(rows.rows)


def create_view(session: Session, name: str, sql: str) -> Built:
    """Store a query under a name, after a look at whether it runs and what its columns are."""
    with session.query(sql) as relation:
        columns = columns_of_query(storable(relation))
    view, pin = View(sql, columns), session.pin()
    if name in pin.tables:
        session.catalog.drop_table(name, session.ref)
    if pin.views.get(name) != view:
        session.catalog.put_view(name, view, session.ref)
    return Built(None)


def create_scratch(session: Session, name: str, sql: str) -> Built:
    """Let the session alone see a query under a name; dbt computes nothing expensive in what it calls temporary."""
    with session.query(sql) as relation:
        session.scratch[name] = View(sql, columns_of_query(relation))
    return Built(None)


def drop(session: Session, name: str) -> None:
    """Drop a table, a view or a scratch relation, if it is there."""
    pin = session.pin()
    if session.scratch.pop(name, None):
        return
    if name in pin.tables:
        session.catalog.drop_table(name, session.ref)
    elif name in pin.views:
        session.catalog.drop_view(name, session.ref)


def columns(session: Session, name: str) -> tuple[tuple[str, str], ...]:
    """List a relation's columns with Trino's names of their types; none, where there is no such relation."""
    return columns_at(session, name, session.pin())


def columns_at(session: Session, name: str, pin: Pin) -> tuple[tuple[str, str], ...]:
    """List a relation's columns as a pin has it."""
    if name in pin.tables:
        return columns_of(session.catalog.open_pinned(name, pin).schema())
    view = pin.views.get(name)
    return view.columns if view else ()


def comments(session: Session, name: str) -> tuple[str | None, dict[str, str]]:
    """What a table and its columns are said to mean; views keep no comments."""
    pin = session.pin()
    if name not in pin.tables:
        return None, {}
    table = session.catalog.open_pinned(name, pin)
    return table.properties.get("comment"), {field.name: field.doc for field in table.schema().fields if field.doc}


class Counted:
    """The rows of a DuckDB relation, counted as they pass."""

    def __init__(self, relation: Any) -> None:
        self.rows = 0
        self._reader = relation.to_arrow_reader(BATCH_ROWS)
        self.schema: pa.Schema = self._reader.schema
        self.columns = columns_of(iceberg_schema(self.schema))

    def reader(self) -> pa.RecordBatchReader:
        """Stream the rows, once."""
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._reader:
            self.rows += batch.num_rows
            yield batch


def _make_way(
    session: Session, name: str, wanted: tuple[tuple[str, str], ...], partition_by: str | None, schema: pa.Schema
) -> None:
    """Drop what can not become the wanted table: a view, or a table of other columns."""
    pin = session.pin()
    if name in pin.views:
        session.catalog.drop_view(name, session.ref)
    elif name in pin.tables:
        if columns(session, name) == wanted:
            return
        session.catalog.drop_table(name, session.ref)
    if partition_by:
        session.catalog.create_table(name, schema, session.ref, partition_by=partition_by)
