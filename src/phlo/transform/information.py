"""The information schema as packages of dbt's ask it: which tables, views and columns a run's ref has.

A query that names ``information_schema.tables``, ``columns``, ``views`` or ``schemata`` reads Arrow tables in their
place, made when it is asked; the engine has an information schema of its own, which is not the catalog's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from phlo.protocols import Pin
    from phlo.transform.session import Session

CATALOG = "lake"
"""What dbt calls the database."""

NAMESPACE = "phlo_information"

_ASKED = re.compile(
    r"""'[^']*'|--[^\n]*|/\*.*?\*/
    |(?<![\w".])(?:(?:"\w+"|\w+)\s*\.\s*)?"?information_schema"?\s*\.\s*"?(?P<name>tables|columns|views|schemata)\b"?""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)

_COLUMNS = {
    "tables": ("table_catalog", "table_schema", "table_name", "table_type"),
    "views": ("table_catalog", "table_schema", "table_name", "view_definition"),
    "schemata": ("catalog_name", "schema_name"),
    "columns": (
        "table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "column_default",
        "is_nullable", "data_type",
    ),
}  # fmt: skip

Row = tuple[str | int | None, ...]


def told(sql: str, session: Session) -> tuple[str, dict[str, pa.Table]]:
    """Return a query that reads tables of memory in place of the information schema, and these by name."""
    asked: dict[str, None] = {}

    def renamed(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        name = found["name"].lower()
        asked[name] = None
        return f"{NAMESPACE}.{name}"

    if "information_schema" not in sql.lower():
        return sql, {}
    sql, pin = _ASKED.sub(renamed, sql), session.pin()
    return sql, {f"{NAMESPACE}.{name}": _table(_COLUMNS[name], _rows(name, session, pin)) for name in asked}


def _rows(name: str, session: Session, pin: Pin) -> list[Row]:
    from phlo.transform.write import columns_at

    names = sorted({*pin.tables, *pin.views})
    places = [(CATALOG, *each.split(".", 1)) for each in names]
    if name == "schemata":
        return [(CATALOG, schema) for schema in sorted({place[1] for place in places})]
    if name == "tables":
        kinds = ("VIEW" if each in pin.views else "BASE TABLE" for each in names)
        return [(*place, kind) for place, kind in zip(places, kinds, strict=True)]
    if name == "views":
        return [(CATALOG, *each.split(".", 1), pin.views[each].sql) for each in sorted(pin.views)]
    return [
        (*place, column, number, None, "YES", kind)
        for place, each in zip(places, names, strict=True)
        for number, (column, kind) in enumerate(columns_at(session, each, pin), 1)
    ]


def _table(columns: tuple[str, ...], rows: Iterable[Row]) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema([(name, pa.int64() if name == "ordinal_position" else pa.string()) for name in columns])
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)
