"""SHOW, DESCRIBE and EXPLAIN, answered from the pin: what tables there are, and what columns they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg import types as ice

from phlo.errors import QueryFailed, nearest
from phlo.iceberg.tables import iceberg_schema
from phlo.iceberg.types import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phlo.protocols import Pin

_NAME = r'(?P<name>"?\w+"?(?:\."?\w+"?){0,2})'
_LIKE = r"(?:\s+LIKE\s+'(?P<like>(?:[^']|'')*)')?"
_STATEMENTS = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "schemas": rf"SHOW\s+SCHEMAS(?:\s+(?:FROM|IN)\s+{_NAME})?{_LIKE}",
        "tables": rf"SHOW\s+TABLES(?:\s+(?:FROM|IN)\s+{_NAME})?{_LIKE}",
        "columns": rf"(?:SHOW\s+COLUMNS\s+(?:FROM|IN)|DESCRIBE|DESC)\s+{_NAME}{_LIKE}",
    }.items()
}
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?P<analyze>ANALYZE\s+)?(?P<query>.*)", re.IGNORECASE | re.DOTALL)


def answer(sql: str, pin: Pin, dialect: str, schema_of: Callable[[str], pa.Schema]) -> pa.Table | None:
    """Answer SHOW SCHEMAS, SHOW TABLES, SHOW COLUMNS and DESCRIBE as Trino does; None for any other statement.

    ``schema_of`` tells the Arrow schema of a table or view. SHOW TABLES without a schema lists all of them.
    """
    statement = sql.strip().rstrip(";").rstrip()
    for kind, pattern in _STATEMENTS.items():
        found = pattern.fullmatch(statement)
        if found:
            parts = [part.strip('"') for part in (found["name"] or "").split(".") if part]
            like = _like(found["like"])
            if kind == "schemas":
                return pa.table({"Schema": [name for name in _schemas(pin) if like.fullmatch(name)]})
            if kind == "tables":
                return _tables(pin, parts[-1] if parts else "", like)
            return _columns(schema_of(".".join(parts[-2:])), dialect, like)
    return None


def take_explain(sql: str) -> tuple[str, str]:
    """Take EXPLAIN off a query: the word that DuckDB wants for it (empty without one), and the query.

    >>> take_explain("EXPLAIN ANALYZE SELECT 1"), take_explain("SELECT 1")
    (('EXPLAIN ANALYZE', 'SELECT 1'), ('', 'SELECT 1'))
    """
    found = _EXPLAIN.fullmatch(sql)
    if not found:
        return "", sql
    return "EXPLAIN ANALYZE" if found["analyze"] else "EXPLAIN", found["query"]


def trino_type(iceberg: ice.IcebergType) -> str:
    """Spell an Iceberg type in Trino's SQL.

    >>> trino_type(ice.ListType(1, ice.DecimalType(10, 2)))
    'array(decimal(10, 2))'
    """
    if isinstance(iceberg, ice.ListType):
        return f"array({trino_type(iceberg.element_type)})"
    if isinstance(iceberg, ice.MapType):
        return f"map({trino_type(iceberg.key_type)}, {trino_type(iceberg.value_type)})"
    if isinstance(iceberg, ice.StructType):
        return f"row({', '.join(f'{field.name} {trino_type(field.field_type)}' for field in iceberg.fields)})"
    return _TRINO.get(type(iceberg), str(iceberg))


_TRINO: dict[type[ice.IcebergType], str] = {
    ice.IntegerType: "integer",
    ice.LongType: "bigint",
    ice.FloatType: "real",
    ice.StringType: "varchar",
    ice.TimeType: "time(6)",
    ice.TimestampType: "timestamp(6)",
    ice.TimestamptzType: "timestamp(6) with time zone",
    ice.BinaryType: "varbinary",
}


def _schemas(pin: Pin) -> list[str]:
    return sorted({name.partition(".")[0] for name in [*pin.tables, *pin.views]})


def _tables(pin: Pin, schema: str, like: re.Pattern[str]) -> pa.Table:
    names = [name.partition(".")[::2] for name in sorted([*pin.tables, *pin.views])]
    if not schema:
        shown = [(space, name) for space, name in names if like.fullmatch(name)]
        return pa.table({"Schema": _texts(space for space, _ in shown), "Table": _texts(name for _, name in shown)})
    if schema.lower() not in (known.lower() for known in _schemas(pin)):
        raise QueryFailed(
            detail=f"there is no schema `{schema}`{nearest(schema, _schemas(pin))}", where="SHOW SCHEMAS lists them"
        )
    inside = (name for space, name in names if space.lower() == schema.lower() and like.fullmatch(name))
    return pa.table({"Table": _texts(inside)})


def _columns(schema: pa.Schema, dialect: str, like: re.Pattern[str]) -> pa.Table:
    spell = trino_type if dialect == "trino" else duckdb_type
    fields = [field for field in iceberg_schema(schema).fields if like.fullmatch(field.name)]
    return pa.table(
        {
            "Column": _texts(field.name for field in fields),
            "Type": _texts(spell(field.field_type) for field in fields),
            "Extra": _texts("" for _ in fields),
            "Comment": _texts(field.doc or "" for field in fields),
        }
    )


def _texts(values: Iterable[str]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _like(pattern: str | None) -> re.Pattern[str]:
    if pattern is None:
        return re.compile(".*", re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile("".join(wild.get(char) or re.escape(char) for char in pattern.replace("''", "'")), re.DOTALL)
