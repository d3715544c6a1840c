"""The information schema as packages of dbt's ask it: which tables, views and columns a run's ref has.

A query that names ``information_schema.tables``, ``columns``, ``views`` or ``schemata`` reads views of literal rows in
their place, written when it is asked; the engine has an information schema of its own, which is not the catalog's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phlo.protocols import View

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def told(sql: str, session: Session) -> tuple[str, dict[str, View]]:
    """Return a query that reads views in place of the information schema, and these views by name."""
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
    return sql, {f"{NAMESPACE}.{name}": _view(_COLUMNS[name], _rows(name, session, pin)) for name in asked}


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


def _view(columns: tuple[str, ...], rows: Iterable[Row]) -> View:
    """Write rows as a query; a first row, which is left out, gives the columns their types."""
    kinds = ["bigint" if column == "ordinal_position" else "varchar" for column in columns]
    typed = ", ".join(f"CAST(NULL AS {kind})" for kind in kinds)
    values = [f"({typed})", *(f"({', '.join(map(_literal, row))})" for row in rows)]
    sql = f"SELECT * FROM (VALUES {', '.join(values)}) AS t ({', '.join(columns)}) WHERE {columns[0]} IS NOT NULL"
    return View(sql, tuple(zip(columns, kinds, strict=True)))


def _literal(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
