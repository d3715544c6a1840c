"""The adapter: what dbt asks about the ref, answered from the catalog, and what materializations write."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dbt.adapters.base.meta import available
from dbt.adapters.capability import Capability, CapabilityDict, CapabilitySupport, Support
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.sql import SQLAdapter
from dbt.flags import get_flags
from dbt_common.contracts.metadata import CatalogTable, ColumnMetadata, TableMetadata
from dbt_common.events.event_manager_client import add_callback_to_manager

from dbt import selected_resources
from phlo.transform import write
from phlo.transform.adapter import byhand
from phlo.transform.adapter.connections import PhloConnectionManager
from phlo.transform.adapter.relation import PhloRelation
from phlo.transform.constraints import read_constraints
from phlo.transform.increment import Increment, increment
from phlo.transform.models import tables_above
from phlo.transform.seed import seed
from phlo.transform.session import Compiled, current
from phlo.transform.snapshot import snapshot
from phlo.transform.statements import comment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dbt.adapters.base import BaseRelation
    from dbt.adapters.trino.column import TrinoColumn

    from phlo.transform.write import Built

logger = AdapterLogger("Phlo")

MASTER = "master"
"""What dbt calls the connection that it takes before it builds, and again for its last hooks."""

CATALOG_COLUMNS = (
    "table_database",
    "table_schema",
    "table_name",
    "table_type",
    "table_comment",
    "column_name",
    "column_index",
    "column_type",
    "column_comment",
    "table_owner",
)


class PhloAdapter(SQLAdapter):
    """dbt on one ref of a Phlo lake."""

    ConnectionManager = PhloConnectionManager
    Relation = PhloRelation
    _capabilities = CapabilityDict({Capability.GetCatalogForSingleRelation: CapabilitySupport(support=Support.Full)})
    open_lake: ClassVar[byhand.OpenLake]
    check: ClassVar[byhand.Check]

    def __init__(self, config: Any, mp_context: Any) -> None:
        super().__init__(config, mp_context)
        # `dbt debug` has read the profile alone.
        folder = Path(getattr(config, "project_root", None) or get_flags().PROJECT_DIR)
        self.connections.project = folder
        if current() is None:
            with self.connections.exception_handler(""):
                ref = config.credentials.ref
                byhand.prepare(type(self).open_lake, type(self).check, folder, config.target_name, ref)
            add_callback_to_manager(byhand.watch)

    def set_macro_resolver(self, macro_resolver: Any) -> None:
        """Take dbt's manifest: errors name the files of its nodes."""
        super().set_macro_resolver(macro_resolver)
        self.connections.nodes = getattr(macro_resolver, "nodes", {})

    @classmethod
    def date_function(cls) -> str:
        """The dialect's present time."""
        return "now()"

    @classmethod
    def is_cancelable(cls) -> bool:
        """Whether a running query can be stopped from another thread."""
        return True

    # ── the run ──────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def connection_named(self, name: str, *args: Any, **kwargs: Any) -> Iterator[None]:
        """Name a connection; with the first one of a command typed by hand its ref is opened."""
        if name == MASTER:
            with self.connections.exception_handler(""):
                byhand.begin(get_flags().WHICH, self._tables(selected_resources.SELECTED_RESOURCES), logger.info)
        with super().connection_named(name, *args, **kwargs):
            yield

    def cleanup_connections(self) -> None:
        """Let go of dbt's connections, which is the last of a command: its ref is published now, or kept."""
        super().cleanup_connections()
        with self.connections.exception_handler(""):
            byhand.end(logger.info)

    def _tables(self, selected: Iterable[str]) -> list[str]:
        nodes = self._macro_resolver.nodes
        kinds = ("model", "seed", "snapshot")
        chosen = (nodes[unique_id] for unique_id in selected if unique_id in nodes)
        return [f"{node.schema}.{node.alias}" for node in chosen if str(node.resource_type) in kinds]

    @available.parse_none
    def say(self, message: str) -> None:
        """Tell the user something that stops nothing."""
        logger.info(message)

    def validate_sql(self, sql: str) -> AdapterResponse:
        """Look whether a query could run, and run nothing."""
        with self.connections.exception_handler(sql), byhand.session().query(sql):
            return AdapterResponse(_message="OK")

    # ── what materializations write ──────────────────────────────────────────────────────────────────────

    @available.parse_none
    def built(self, relation: PhloRelation, code: str, model: dict[str, Any]) -> None:
        """Take note of a model that was built as what it was: where its columns come from is told by that."""
        manifest, language = self._macro_resolver, str(model.get("language") or "sql")
        node = manifest.nodes.get(model["unique_id"]) if language == "python" else None
        parents = tuple(dict.fromkeys(tables_above(node, manifest))) if node else ()
        byhand.session().built[relation.table_name] = Compiled(relation.table_name, code, language, parents)

    @available.parse_none
    def write_table(
        self, relation: PhloRelation, code: str, partition_by: str | None = None, model: Any = None
    ) -> AdapterResponse:
        """Replace a table by the rows of a query, or of dbt's ``model``, which can be Python and has constraints."""
        action = partial(write.replace_table, partition_by=partition_by)
        return self._write("TABLE", action, relation, _code(code, model))

    @available.parse_none
    def write_view(self, relation: PhloRelation, sql: str) -> AdapterResponse:
        """Store a query."""
        return self._write("VIEW", write.create_view, relation, sql)

    @available.parse_none
    def write_scratch(self, relation: PhloRelation, sql: str) -> AdapterResponse:
        """Let the session see a query under a name."""
        return self._write("SCRATCH", write.create_scratch, relation, sql)

    @available.parse_none
    def write_increment(
        self, relation: PhloRelation, code: str, config: dict[str, Any], model: Any = None
    ) -> AdapterResponse:
        """Bring a model's rows into a table that is there."""
        with self.connections.exception_handler(code):
            how = Increment.read(config)
        return self._write("INCREMENT", partial(increment, how=how), relation, _code(code, model))

    @available.parse_none
    def write_comments(self, relation: PhloRelation, text: str | None, columns: dict[str, Any]) -> None:
        """Keep what a table and its columns mean in the table."""
        described = {name: str(column.get("description") or "") for name, column in columns.items()}
        with self.connections.exception_handler(""):
            comment(byhand.session(), relation.table_name, text, described)

    @available.parse_none
    def write_snapshot(self, relation: PhloRelation, sql: str, columns: dict[str, str]) -> AdapterResponse:
        """Bring a snapshot's changes into its table."""
        return self._write("SNAPSHOT", partial(snapshot, columns=columns), relation, sql)

    @available.parse_none
    def write_seed(self, relation: PhloRelation, rows: Any, types: dict[str, str]) -> AdapterResponse:
        """Replace a table by the rows of a CSV file."""
        typed = {
            name: types.get(name) or self.convert_type(rows, position)
            for position, name in enumerate(rows.column_names)
        }
        return self._write("SEED", partial(seed, rows=rows, types=typed), relation, "")

    def _write(
        self, kind: str, action: Callable[..., Built], relation: PhloRelation, code: write.Code | str
    ) -> AdapterResponse:
        with self.connections.exception_handler(code if isinstance(code, str) else code.text):
            built = action(byhand.session(), relation.table_name, code)
        return AdapterResponse(_message=str(built), code=kind, rows_affected=built.rows)

    # ── what dbt asks of the catalog ─────────────────────────────────────────────────────────────────────

    def list_schemas(self, database: str) -> list[str]:
        """List the namespaces."""
        del database
        pin = byhand.session().pin()
        return sorted({name.split(".")[0] for name in (*pin.tables, *pin.views)})

    @available.parse(lambda *_, **__: False)
    def check_schema_exists(self, database: str, schema: str) -> bool:
        """Whether a namespace can be written: any can, a table's own creation makes it."""
        del database, schema
        return True

    def list_relations_without_caching(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        """List a namespace's tables and views."""
        pin, prefix = byhand.session().pin(), f"{schema_relation.schema}."
        return [
            self.Relation.create(
                database=schema_relation.database,
                schema=schema_relation.schema,
                identifier=name.removeprefix(prefix),
                type=kind,
            )
            for kind, names in (("table", pin.tables), ("view", pin.views))
            for name in names
            if name.startswith(prefix)
        ]

    @available.parse_list
    def get_columns_in_relation(self, relation: BaseRelation) -> list[TrinoColumn]:
        """List a relation's columns with Trino's types; none, where there is no such relation."""
        found = write.columns(byhand.session(), relation.table_name)
        return [self.Column.from_description(name, kind) for name, kind in found]

    @available.parse_none
    def drop_relation(self, relation: BaseRelation) -> None:
        """Drop a table or view from the ref."""
        self.cache_dropped(relation)
        write.drop(byhand.session(), relation.table_name)

    def create_schema(self, relation: BaseRelation) -> None:
        """Do nothing: a namespace is as soon as it has a table."""

    @available.parse_none
    def drop_schema(self, relation: BaseRelation) -> None:
        """Drop everything in a namespace from the ref."""
        for each in self.list_relations_without_caching(relation):
            self.drop_relation(each)
        self.cache.drop_schema(relation.database, relation.schema)

    def _get_one_catalog(self, information_schema: Any, schemas: set[str], used_schemas: frozenset[Any]) -> Any:
        """List the columns of everything in some namespaces, for dbt's documentation."""
        from dbt_common.clients.agate_helper import table_from_data

        session, database = byhand.session(), information_schema.database
        pin = session.pin()
        found = [
            (database, *name.split("."), kind, told, column, position, dtype, docs.get(column), None)
            for kind, names in (("table", pin.tables), ("view", pin.views))
            for name in names
            if name.split(".")[0] in schemas
            for told, docs in [write.comments(session, name)]
            for position, (column, dtype) in enumerate(write.columns(session, name), 1)
        ]
        rows = [dict(zip(CATALOG_COLUMNS, row, strict=True)) for row in found]
        return self._catalog_filter_table(table_from_data(rows, CATALOG_COLUMNS), used_schemas)

    def get_catalog_for_single_relation(self, relation: BaseRelation) -> CatalogTable | None:
        """Describe one table or view with its columns; None, where there is no such relation."""
        session, name = byhand.session(), relation.table_name
        pin = session.pin()
        if name not in pin.tables and name not in pin.views:
            return None
        told, docs = write.comments(session, name)
        kind = "table" if name in pin.tables else "view"
        columns = {
            column: ColumnMetadata(dtype, position, column, docs.get(column))
            for position, (column, dtype) in enumerate(write.columns(session, name), 1)
        }
        about = TableMetadata(kind, relation.schema, relation.identifier, relation.database, told)
        return CatalogTable(about, columns, {})

    # ── what a seed's columns are, by the values of its CSV file ─────────────────────────────────────────

    @classmethod
    def convert_text_type(cls, agate_table: Any, col_idx: int) -> str:
        """Name the type of text."""
        return "varchar"

    @classmethod
    def convert_number_type(cls, agate_table: Any, col_idx: int) -> str:
        """Name the type of numbers."""
        import agate  # type: ignore[import-untyped]  # it has none

        return (
            "double"
            if agate_table.aggregate(agate.MaxPrecision(col_idx))
            else cls.convert_integer_type(agate_table, col_idx)
        )

    @classmethod
    def convert_integer_type(cls, agate_table: Any, col_idx: int) -> str:
        """Name the type of whole numbers."""
        values = (abs(value) for value in agate_table.columns[col_idx].values_without_nulls())
        return "bigint" if max(values, default=0) >= 2**31 else "integer"

    @classmethod
    def convert_datetime_type(cls, agate_table: Any, col_idx: int) -> str:
        """Name the type of times."""
        return "timestamp"

    def expand_column_types(self, goal: BaseRelation, current: BaseRelation) -> None:
        """Do nothing: no type of the lake's has a length."""


def _code(text: str, model: Any) -> write.Code:
    if not model:
        return write.Code(text)
    enforced = (model.get("config", {}).get("contract") or {}).get("enforced")
    constraints = tuple(read_constraints(model)) if enforced else ()
    return write.Code(text, str(model.get("language") or "sql"), constraints)
