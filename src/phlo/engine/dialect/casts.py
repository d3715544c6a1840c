"""Rules of CAST, TRY_CAST and typed literals."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp
from sqlglot.expressions import DType

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.datetimes import kept, read_locally
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text_of
from phlo.engine.dialect.rules import Translate, rule
from phlo.engine.functions.texts import ip_address

_MACROS = {
    DType.BIGINT: "trino_to_bigint",
    DType.INT: "trino_to_integer",
    DType.SMALLINT: "trino_to_smallint",
    DType.TINYINT: "trino_to_tinyint",
    DType.DOUBLE: "trino_to_double",
    DType.FLOAT: "trino_to_real",
    DType.BOOLEAN: "trino_to_boolean",
    DType.DATE: "trino_to_date",
    DType.TIME: "trino_to_time",
    DType.JSON: "trino_to_json",
}
_PLAIN = {DType.VARBINARY: "BLOB", DType.UUID: "UUID", DType.UNKNOWN: "NULL"}
_SIMPLE = {
    DType.BIGINT: "BIGINT", DType.INT: "INTEGER", DType.SMALLINT: "SMALLINT", DType.TINYINT: "TINYINT",
    DType.DOUBLE: "DOUBLE", DType.FLOAT: "FLOAT", DType.BOOLEAN: "BOOLEAN", DType.DATE: "DATE", DType.TIME: "TIME",
    DType.TIMESTAMP: "TIMESTAMP", DType.TIMESTAMPTZ: "TIMESTAMPTZ", DType.VARCHAR: "VARCHAR", DType.TEXT: "VARCHAR",
    DType.JSON: "JSON", DType.VARBINARY: "BLOB", DType.UUID: "UUID",
}  # fmt: skip
_SAME_KIND = {"integer": {DType.BIGINT}, "varchar": {DType.VARCHAR, DType.TEXT}, "double": {DType.DOUBLE}}
_DATES = frozenset({"date", "timestamp", "timestamptz"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?", re.ASCII)
_UTC = frozenset({"Z", "UTC", "GMT", "+00:00", "-00:00"})
_ZONED_TIME = re.compile(r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(?P<zone>[+-]\d\d:\d\d)", re.ASCII)
_ZONED = re.compile(
    r"(?P<local>[-+\d]+(?: +[\d:.]+)?)\s*(?P<zone>Z|(?:UTC|GMT)(?:[+-]\d\d:?\d\d)?|[+-]\d\d:\d\d|[A-Z]\w*/[\w/+-]+)",
    re.ASCII,
)


@rule(exp.Cast, exp.TryCast)
def _cast(node: Node, t: Translate) -> Node:
    done = cast_to(node, t(node.this), node.args["to"])
    return native("TRY", done) if isinstance(node, exp.TryCast) else done


def cast_to(node: Node, operand: Node, to: exp.DataType) -> Node:
    """Cast a translated operand of the cast ``node`` as Trino would."""
    source = kind_of(node.this)
    if isinstance(node.this, exp.Null):
        return fragment(f"CAST(NULL AS {duckdb_type(to, node)})")
    if to.this in (DType.VARCHAR, DType.TEXT):
        return _to_varchar(node, operand, to)
    if to.this in (DType.CHAR, DType.IPADDRESS, DType.TIMETZ):
        return _OTHERS[to.this](node, operand, to)
    if source.name == "json":
        return from_json(operand, to, node)
    if to.this is DType.DECIMAL:
        return fragment(f"CAST({{0}} AS {duckdb_type(to, node)})", call_macro("trino_before_decimal", [operand]))
    if to.this in (DType.TIMESTAMP, DType.TIMESTAMPTZ):
        return _to_timestamp(node, operand, to)
    if to.this is DType.DATE and (source.name in _DATES or _DATE.fullmatch(text_of(node.this) or "")):
        return fragment("CAST({0} AS DATE)", operand)
    if to.this in _PLAIN:
        return fragment(f"CAST({{0}} AS {_PLAIN[to.this]})", operand)
    if to.this is DType.TIME:
        digits = exp.Literal.number(int(to.expressions[0].name) if to.expressions else 3)
        return native("phlo_time_digits", call_macro("trino_to_time", [operand]), digits)
    if to.this is DType.JSON and source.name == "timestamp":
        return native("to_json", call_macro("trino_to_varchar", [operand, exp.Literal.number(source.digits)]))
    if to.this in _MACROS:
        if to.this in _SAME_KIND.get(source.name, ()):
            return fragment(f"CAST({{0}} AS {_SIMPLE[to.this]})", operand)
        return call_macro(_MACROS[to.this], [operand])
    return _to_nested(node, operand, to)


def duckdb_type(to: exp.DataType, node: Node) -> str:
    """Write a type for DuckDB, or refuse it.

    >>> duckdb_type(exp.DataType.build("array(decimal(10, 2))", dialect="trino"), exp.null())
    'DECIMAL(10, 2)[]'
    """
    if to.this in _SIMPLE:
        return _SIMPLE[to.this]
    if to.this is DType.DECIMAL:
        precision, scale = [*(int(p.name) for p in to.expressions), *([38, 0] if not to.expressions else [0])][:2]
        return f"DECIMAL({precision}, {scale})"
    if to.this is DType.ARRAY and to.expressions:
        return duckdb_type(to.expressions[0], node) + "[]"
    if to.this is DType.MAP and len(to.expressions) == 2:
        return f"MAP({duckdb_type(to.expressions[0], node)}, {duckdb_type(to.expressions[1], node)})"
    if to.this is DType.STRUCT and all(isinstance(field, exp.ColumnDef) for field in to.expressions):
        fields = (
            f"{exp.to_identifier(f.name, quoted=True)} {duckdb_type(f.args['kind'], node)}" for f in to.expressions
        )
        return f"STRUCT({', '.join(fields)})"
    if to.this is DType.UNKNOWN:
        return '"NULL"'
    return refuse(node, to.sql("trino"), "the embedded engine has no such type")


def _to_varchar(node: Node, operand: Node, to: exp.DataType) -> Node:
    source = kind_of(node.this)
    digits = exp.Literal.number(source.digits)
    if to.expressions:
        length = exp.Literal.number(int(to.expressions[0].name))
        return call_macro("trino_to_varchar_of", [operand, digits, length])
    if source.name == "json":
        return native("phlo_json_varchar", operand)
    if source.name in ("varchar", "integer"):
        return fragment("CAST({0} AS VARCHAR)", operand)
    return call_macro("trino_to_varchar", [operand, digits])


def _to_timestamp(node: Node, operand: Node, to: exp.DataType) -> Node:
    digits = int(to.expressions[0].name) if to.expressions else 3
    if digits > 6:
        refuse(node, to.sql("trino"), "timestamps have at most 6 digits of a second here, as in Iceberg")
    zoned = _ZONED.fullmatch(text_of(node.this) or "") if to.this is DType.TIMESTAMPTZ else None
    if zoned and zoned["zone"] not in _UTC:
        if read_locally(node):
            local = exp.Literal.string(zoned["local"].strip())
            return call_macro("trino_to_timestamp", [local, exp.Literal.number(digits)])
        if not kept(node):
            refuse(node, f"a timestamp in the time zone {zoned['zone']}", "write the time in UTC")
        return _instant(node, zoned["local"], zoned["zone"], digits)
    if to.this is DType.TIMESTAMP and _is_exact(node.this, digits):
        return fragment("CAST({0} AS TIMESTAMP)", operand)
    macro = "trino_to_timestamp" if to.this is DType.TIMESTAMP else "trino_to_timestamptz"
    return call_macro(macro, [operand, exp.Literal.number(digits)])


def _instant(node: Node, local: str, zone: str, digits: int) -> Node:
    """The instant that a clock in a zone shows, the earlier one where it shows two."""
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)", zone)
    minutes = (int(offset[2]) * 60 + int(offset[3])) * (-1 if offset[1] == "-" else 1) if offset else 0
    day, _, clock = local.strip().partition(" ")
    try:
        info = dt.timezone(dt.timedelta(minutes=minutes)) if offset else ZoneInfo(zone)
        when = dt.datetime.fromisoformat(f"{day}T{clock.strip() or '00:00'}").replace(tzinfo=info)
    except (ValueError, ZoneInfoNotFoundError):
        refuse(node, f"the timestamp '{local} {zone}'", "write it as 2024-01-31 10:00:00 Europe/Berlin")
    if when.astimezone(dt.UTC).astimezone(info).replace(tzinfo=None) != when.replace(tzinfo=None):
        refuse(node, f"the timestamp '{local} {zone}'", "the clock was put on then: it never showed this time")
    written = when.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    return call_macro(
        "trino_to_timestamptz", [fragment(f"CAST('{written}' AS TIMESTAMPTZ)"), exp.Literal.number(digits)]
    )


def _is_exact(source: Node, digits: int) -> bool:
    """Whether a cast to that many digits of a second has nothing to round, and no text to judge."""
    kind, literal = kind_of(source), _TIME.fullmatch(text_of(source) or "")
    if literal:
        return len(literal[2] or ".") - 1 <= digits
    return kind.name == "date" or (kind.name in _DATES and kind.digits <= digits)


def from_json(operand: Node, to: exp.DataType, node: Node) -> Node:
    """Cast JSON to a type; a row takes its fields from an object by name, from an array by place."""
    if to.this in (DType.DATE, DType.TIME, DType.TIMESTAMP, DType.TIMESTAMPTZ, DType.VARBINARY, DType.UUID):
        refuse(node, f"a cast of JSON to {to.sql('trino')}", "cast it to varchar first")
    if to.this is DType.JSON:
        return operand
    if to.this in (DType.VARCHAR, DType.TEXT):
        return native("phlo_json_varchar", operand)
    if to.this is DType.ARRAY and to.expressions:
        inside = from_json(fragment("phlo_e"), to.expressions[0], node)
        return fragment("list_transform(phlo_json_elements({0}), lambda phlo_e: {1})", operand, inside)
    if to.this is DType.MAP and len(to.expressions) == 2 and to.expressions[0].this in (DType.VARCHAR, DType.TEXT):
        inside = from_json(fragment("phlo_p['value']"), to.expressions[1], node)
        pair = "{{'key': phlo_p['key'], 'value': {1}}}"
        template = f"map_from_entries(list_transform(phlo_json_members({{0}}), lambda phlo_p: {pair}))"
        return fragment(template, operand, inside)
    if to.this is DType.STRUCT and to.expressions and all(isinstance(field, exp.ColumnDef) for field in to.expressions):
        return _row_from_json(operand, to, node)
    return fragment(f"CAST({{0}} AS {duckdb_type(to, node)})", operand)


def _row_from_json(operand: Node, to: exp.DataType, node: Node) -> Node:
    fields = []
    for i, field in enumerate(to.expressions):
        name = exp.Literal.string(field.name).sql().replace("{", "{{").replace("}", "}}")
        part = fragment(f"phlo_json_field(phlo_x, {name}, {i})")
        fields.append(from_json(part, field.args["kind"], node))
    names = (exp.to_identifier(field.name, quoted=True).sql() for field in to.expressions)
    packed = ", ".join(f"{name} := {{{i + 1}}}" for i, name in enumerate(names))
    template = (
        "list_transform([{0}], lambda phlo_x: CASE WHEN phlo_x IS NULL OR json_type(phlo_x) = 'NULL' THEN NULL "
        f"ELSE struct_pack({packed}) END)[1]"
    )
    return fragment(template, operand, *fields)


def _to_char(node: Node, operand: Node, to: exp.DataType) -> Node:
    """Text of a length, filled with blanks; where it is compared, these do not count (see ``operators``)."""
    written = text_of(node.this)
    length = int(to.expressions[0].name) if to.expressions else len(written or " ")
    if kind_of(node.this).name not in ("varchar", "char", ""):
        refuse(node, to.sql("trino"), "cast it to varchar first")
    return fragment(f"rpad(substr(CAST({{0}} AS VARCHAR), 1, {length}), {length}, ' ')", operand)


def _to_ip_address(node: Node, operand: Node, _to: exp.DataType) -> Node:
    written = text_of(node.this)
    if written is None:
        return native("phlo_py_ip_address", fragment("CAST({0} AS VARCHAR)", operand))
    try:
        return exp.Literal.string(ip_address(written))
    except ValueError:
        return refuse(node, f"the IP address '{written}'", "write it as 10.0.0.1 or 2001:db8::1")


def _to_zoned_time(node: Node, _operand: Node, _to: exp.DataType) -> Node:
    found = _ZONED_TIME.fullmatch(text_of(node.this) or "")
    if found is None or not isinstance(node.parent, exp.Select | exp.Alias | exp.Anonymous):
        refuse(node, "a time with a time zone", "keep a timestamp with its zone instead")
    return fragment(f"CAST('{found['time']}{found['zone']}' AS TIMETZ)")


_OTHERS = {DType.CHAR: _to_char, DType.IPADDRESS: _to_ip_address, DType.TIMETZ: _to_zoned_time}


def _to_nested(node: Node, operand: Node, to: exp.DataType) -> Node:
    if to.this is DType.ARRAY and to.expressions:
        element = exp.column("phlo_e")
        inner = cast_to(exp.Cast(this=element, to=to.expressions[0].copy()), element.copy(), to.expressions[0])
        return fragment("list_transform({0}, lambda phlo_e: {1})", operand, inner)
    if to.this is DType.STRUCT and isinstance(node.this, exp.Anonymous) and node.this.name.lower() == "row":
        return _row(node.this, operand, to)
    if to.this in (DType.STRUCT, DType.MAP):
        return fragment(f"CAST({{0}} AS {duckdb_type(to, node)})", operand)
    return refuse(node, to.sql("trino"), "the embedded engine has no such cast")


def _row(row: exp.Anonymous, operand: Node, to: exp.DataType) -> Node:
    fields = to.expressions
    if len(fields) != len(row.expressions) or not all(isinstance(field, exp.ColumnDef) for field in fields):
        refuse(row, to.sql("trino"), "name each field of the row: ROW(x BIGINT, y VARCHAR)")
    casts = [cast_to(exp.Cast(this=value.copy(), to=field.args["kind"].copy()), part, field.args["kind"])
             for field, value, part in zip(fields, row.expressions, operand.expressions, strict=True)]  # fmt: skip
    names = [exp.to_identifier(field.name, quoted=True).sql() for field in fields]
    return fragment("struct_pack(" + ", ".join(f"{name} := {{{i}}}" for i, name in enumerate(names)) + ")", *casts)
