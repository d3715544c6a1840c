"""How dbt's SQL statements reach the engine: a connection whose cursor runs queries on the session's ref."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dbt.adapters.contracts.connection import AdapterResponse, Connection, ConnectionState, Credentials
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.sql import SQLConnectionManager
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError

from phlo.errors import PhloError
from phlo.transform.adapter.byhand import session
from phlo.transform.columns import columns_of_query
from phlo.transform.excerpt import Source, told
from phlo.transform.statements import run_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

logger = AdapterLogger("Phlo")

_COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)


@dataclass
class PhloCredentials(Credentials):
    """What a profile of ``type: phlo`` may say; nothing in it is secret."""

    database: str = "lake"
    schema: str = "silver"
    ref: str | None = None
    """The ref that dbt by hand writes; None: a run's own, published at the end (target ``dev``: ``dev-<user>``)."""

    @property
    def type(self) -> str:
        """The adapter's name."""
        return "phlo"

    @property
    def unique_field(self) -> str:
        """What dbt would count installations by, were telemetry on."""
        return self.database

    def _connection_keys(self) -> tuple[str, ...]:
        return ("database", "schema", "ref")


class Cursor:
    """Runs one query on the session's ref and keeps its rows for dbt; what materializations write does not pass."""

    def __init__(self) -> None:
        self.description: list[tuple[str, str]] | None = None
        self.rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str, bindings: Sequence[Any] | None = None) -> None:
        """Run a query in the project's dialect, or a statement that writes to the run's ref."""
        del bindings  # dbt passes them for seeds alone, which have a materialization of their own here
        bare = _bare(sql)
        if not bare:
            return
        if not re.match(r"(?i)(select|with|values|table)\b|\(", bare):
            self.description, self.rows = [], []
            run_statement(session(), bare, logger.info)
            return
        # Whole, with its comments: an error's line is a line of this.
        with session().query(sql) as relation:
            self.description = list(columns_of_query(relation))
            self.rows = relation.fetchall()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows."""
        return self.rows

    def fetchmany(self, limit: int) -> list[tuple[Any, ...]]:
        """Return the first rows."""
        return self.rows[:limit]

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row."""
        return self.rows[0] if self.rows else None


class Handle:
    """What dbt takes for a connection: nothing stays open between statements."""

    def cursor(self) -> Cursor:
        """Make a cursor."""
        return Cursor()

    def close(self) -> None:
        """Close nothing."""

    def commit(self) -> None:
        """Commit nothing: every statement is a commit on the ref."""

    def rollback(self) -> None:
        """Roll nothing back: a run that fails is a ref that is never published."""


class PhloConnectionManager(SQLConnectionManager):
    """Connections without a server, and without transactions: the ref is the transaction."""

    TYPE = "phlo"
    project = Path()
    """The dbt project's folder."""
    nodes: Mapping[str, Any] = MappingProxyType({})
    """dbt's nodes by their ids, which are the names of the connections that work on them."""

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Open a connection."""
        connection.handle = Handle()
        connection.state = ConnectionState.OPEN
        return connection

    def cancel_open(self) -> list[str]:
        """Stop the queries that run now, when a user has pressed Ctrl-C."""
        session().interrupt()
        names: list[str] = super().cancel_open()
        return names

    def cancel(self, connection: Connection) -> None:
        """Do nothing more: ``cancel_open`` has stopped what ran on it."""

    def begin(self) -> None:
        """Begin nothing."""

    def commit(self) -> None:
        """Commit nothing."""

    def commit_if_has_connection(self) -> None:
        """Commit nothing."""

    @classmethod
    def get_response(cls, cursor: Cursor) -> AdapterResponse:
        """Say how a query ended."""
        return AdapterResponse(_message="OK", rows_affected=len(cursor.rows))

    @classmethod
    def data_type_code_to_name(cls, type_code: str) -> str:
        """Name a type: the cursor's description has Trino's names already."""
        return type_code

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Turn an engine's error into dbt's, with the lines of the model's file that it is about."""
        try:
            yield
        except DbtRuntimeError:
            raise
        except PhloError as error:
            raise DbtDatabaseError(told(error, sql, self._sources())) from error
        except Exception as error:
            raise DbtDatabaseError(str(error)) from error

    def _sources(self) -> list[Source]:
        """The files of the model that this thread works on, and of the ephemeral models that are a part of it."""
        connection = self.get_if_exists()
        waiting, found = [connection.name if connection else ""], dict[str, Any]()
        while waiting:
            unique_id = waiting.pop()
            node = self.nodes.get(unique_id or "")
            if node is None or unique_id in found or (found and node.config.materialized != "ephemeral"):
                continue
            found[unique_id] = node
            waiting += getattr(node.depends_on, "nodes", ())
        return [self._source(node) for node in found.values() if node.original_file_path.endswith((".sql", ".py"))]

    def _source(self, node: Any) -> Source:
        """Read a node's file as it is: dbt strips it, which moves its lines."""
        shown = str(PurePath(session().folder, node.original_file_path))
        try:
            return Source(shown, (self.project / node.original_file_path).read_text(encoding="utf-8"))
        except OSError:  # a package's
            return Source(shown, node.raw_code)


def _bare(sql: str) -> str:
    """Strip leading comments and the trailing semicolon."""
    bare = sql.strip()
    while match := _COMMENT.match(bare):
        bare = bare[match.end() :].lstrip()
    return bare.rstrip().rstrip(";")
