"""Rules of dates and times: units, time zones, and what is printed and read by patterns."""

from __future__ import annotations

import re

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, line_of, native, refuse, text, text_of
from phlo.engine.dialect.patterns import CODES, JODA, JODA_PARSE, MYSQL, MYSQL_PARSE, joda_pattern, mysql_pattern
from phlo.engine.dialect.rules import Rule, Translate, rule
from phlo.errors import TypesDiffer

UNITS = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
_CLOCK_UNITS = frozenset({"millisecond", "second", "minute", "hour"})
_UTC = frozenset({"utc", "gmt", "z", "etc/utc", "+00:00", "-00:00"})
_ZONE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z_/+-]+|UTC|GMT")

# Fields: the DuckDB function that gives the same number.
_FIELDS = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "trino_day", "day_of_week": "isodow",
    "day_of_year": "dayofyear", "year_of_week": "isoyear", "hour": "trino_hour", "minute": "trino_minute",
    "second": "trino_second", "millisecond": "trino_millisecond",
}  # fmt: skip
_FIELD_ALIASES = {"day_of_month": "day", "dow": "day_of_week", "doy": "day_of_year", "yow": "year_of_week",
                  "week_of_year": "week"}  # fmt: skip


def _pattern(node: Node, convert: object, known: object) -> Node:
    if len(node.expressions) != 2:
        refuse(node, str(node.name), "it takes two arguments")
    pattern = text_of(node.expressions[1])
    if pattern is None:
        refuse(node, str(node.name), "its pattern must be a literal here")
    converted = convert(pattern, known)  # type: ignore[operator]
    if converted is not None and "parse" in node.name.lower() and not {"%Y", "%y"} & set(CODES.findall(converted)):
        refuse(node, f"{node.name}(…, '{pattern}')", "a pattern without a year has another default here: add one")
    if converted is None:
        refuse(node, f"{node.name}(…, '{pattern}')", "the pattern has a part without an equal here")
    return exp.Literal.string(converted)


def _formatted(convert: object, known: object, macro: str) -> Rule:
    def formatted(node: Node, t: Translate) -> Node:
        pattern = _pattern(node, convert, known)
        return call_macro(macro, [t(node.expressions[0]), pattern])

    return formatted


def _unit(node: Node) -> str:
    unit = (text_of(node.expressions[0]) or "").lower()
    if unit not in UNITS:
        refuse(
            node, f"{node.name}({node.expressions[0].sql('trino')}, …)", "the unit is a literal: " + ", ".join(UNITS)
        )
    return unit


def _truncated(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 2:
        refuse(node, "date_trunc", "it takes a unit and a time")
    unit, operand = exp.Literal.string(_unit(node)), t(node.expressions[1])
    kind = kind_of(node.expressions[1]).name
    if kind == "date":
        return fragment("CAST(date_trunc({0}, {1}) AS DATE)", unit, operand)
    if kind in ("timestamp", "timestamptz"):
        return native("date_trunc", unit, operand)
    return call_macro("trino_date_trunc", [unit, operand])


def moved(source: Node, time: Node, interval: Node, direction: str = "plus") -> Node:
    """Add an interval to a time, or take it off; a date stays a date."""
    sign = "+" if direction == "plus" else "-"
    kind = kind_of(source).name
    if kind == "date":
        return fragment(f"CAST(({{0}} {sign} {{1}}) AS DATE)", time, interval)
    if kind in ("timestamp", "timestamptz", "time"):
        return fragment(f"({{0}} {sign} {{1}})", time, interval)
    return call_macro(f"trino_{direction}_interval", [time, interval])


def _added(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 3:
        refuse(node, "date_add", "it takes a unit, a number and a time")
    unit = _unit(node)
    amount, time = node.expressions[1:]
    kind = kind_of(time)
    if kind_of(amount).name not in ("", "integer"):
        raise TypesDiffer(left="date_add", sign="takes an integer, not", right=kind_of(amount).name, line=line_of(node))
    if kind.name == "date" and unit in _CLOCK_UNITS:
        refuse(node, f"date_add('{unit}', …) of a date", "cast the date to timestamp")
    done = moved(time, t(time), native("phlo_units", text(unit), t(amount)))
    if unit == "millisecond" and kind.name == "timestamp" and kind.digits < 3:
        return native("phlo_to_digits", done, exp.Literal.number(kind.digits))
    return done


def _difference(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 3:
        refuse(node, "date_diff", "it takes a unit and two times")
    for time in node.expressions[1:]:
        if kind_of(time).name in ("varchar", "integer", "double", "decimal", "boolean"):
            raise TypesDiffer(left="date_diff", sign="takes times, not", right=kind_of(time).name, line=line_of(node))
    first, second = t(node.expressions[1]), t(node.expressions[2])
    return native("trino_date_diff", exp.Literal.string(_unit(node)), first, second)


@rule(exp.Extract)
def _extract(node: Node, t: Translate) -> Node:
    return _field(node, str(node.this.name).lower(), t(node.expression))


def _field(node: Node, name: str, operand: Node) -> Node:
    function = _FIELDS.get(_FIELD_ALIASES.get(name, name))
    if function is None:
        refuse(node, name, "all times are UTC here")
    return call_macro(function, [operand]) if function.startswith("trino_") else native(function, operand)


def _field_function(name: str) -> Rule:
    def field(node: Node, t: Translate) -> Node:
        if len(node.expressions) != 1:
            refuse(node, name, "it takes one argument")
        return _field(node, name, t(node.expressions[0]))

    return field


def _date(node: Node, t: Translate) -> Node:
    if len(node.expressions) == 1 and kind_of(node.expressions[0]).name in ("date", "timestamp", "timestamptz"):
        return fragment("CAST({0} AS DATE)", t(node.expressions[0]))
    return call_macro("trino_to_date", [t(operand) for operand in node.expressions])


def _iso8601(node: Node, t: Translate) -> Node:
    operand = node.expressions[0]
    return call_macro("trino_to_iso8601", [t(operand), exp.Literal.number(kind_of(operand).digits)])


def _from_unixtime(node: Node, t: Translate) -> Node:
    if len(node.expressions) == 2:
        return _zoned(node, native("trino_from_unixtime", t(node.expressions[0])), text_of(node.expressions[1]))
    if len(node.expressions) != 1:
        refuse(node, "from_unixtime of hours and minutes", "add the offset with date_add")
    return native("trino_from_unixtime", t(node.expressions[0]))


@rule(exp.AtTimeZone)
def _at_time_zone(node: Node, t: Translate) -> Node:
    return _zoned(node, fragment("CAST({0} AS TIMESTAMPTZ)", t(node.this)), text_of(node.args["zone"]))


def _at_timezone(node: Node, t: Translate) -> Node:
    return _zoned(node, fragment("CAST({0} AS TIMESTAMPTZ)", t(node.expressions[0])), text_of(node.expressions[1]))


def _with_timezone(node: Node, t: Translate) -> Node:
    zone = text_of(node.expressions[1])
    local = t(node.expressions[0])
    if zone is None or not _ZONE.fullmatch(zone):
        refuse(node, "with_timezone", "the zone is a literal such as 'America/New_York'")
    if zone.lower() not in _UTC and read_locally(node):
        return local
    return native("timezone", text(zone), local)


def _zoned(node: Node, instant: Node, zone: str | None) -> Node:
    """An instant as a clock in ``zone`` shows it, where that is what is read of it; the instant itself elsewhere.

    DuckDB's values carry no zone. What is kept or compared is the instant alone; only a reader of the clock needs more.
    """
    if zone is None or not (_ZONE.fullmatch(zone) or zone.lower() in _UTC):
        refuse(node, "AT TIME ZONE", "the zone is a literal such as 'America/New_York'")
    if zone.lower() in _UTC:
        return instant
    if read_locally(node):
        return native("timezone", exp.Literal.string(zone), instant)
    if kept(node):
        return instant
    return refuse(
        node, f"AT TIME ZONE '{zone}'", "cast it to timestamp or date, or extract its fields, where it stands"
    )


def zone_of(node: Node) -> str | None:
    """Tell the zone of a time with a zone, where the statement says it; all that is computed is in UTC."""
    if isinstance(node, exp.Paren):
        return zone_of(node.this)
    if isinstance(node, exp.AtTimeZone):
        return text_of(node.args["zone"])
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name in ("at_timezone", "with_timezone"):
        return text_of(node.expressions[1])
    if name in ("from_unixtime", "now", "current_timestamp"):
        return text_of(node.expressions[1]) if len(node.expressions) == 2 else "UTC"
    written = text_of(node.this) if isinstance(node, exp.Cast) else None
    zone = re.search(r"([A-Z]\w*(?:/[\w/+-]+)?|[+-]\d\d:\d\d)$", written or "")
    return zone[1] if zone else "UTC" if isinstance(node, exp.CurrentTimestamp) else None


def instant_of(node: Node) -> Node:
    """Take off what only sets the zone."""
    if isinstance(node, exp.Paren | exp.AtTimeZone):
        return instant_of(node.this)
    if isinstance(node, exp.Anonymous) and node.name.lower() == "at_timezone":
        return instant_of(node.expressions[0])
    if isinstance(node, exp.Cast) and text_of(node.this) is not None:
        alone = exp.Anonymous(this="to_unixtime", expressions=[node.copy()])
        return alone.expressions[0]  # type: ignore[no-any-return]
    return node


_READERS = frozenset({*_FIELDS, *_FIELD_ALIASES, "date", "date_format", "format_datetime"})


def read_locally(node: Node) -> bool:
    """Whether the clock of a time with a zone is read where it stands: its fields, its date, its text."""
    parent = node.parent
    if isinstance(parent, exp.Paren):
        return read_locally(parent)
    if isinstance(parent, exp.Cast | exp.TryCast):
        return parent.to.this.name in ("DATE", "TIME", "TIMESTAMP")
    if isinstance(parent, exp.Anonymous) and parent.name.lower() == "date_trunc":
        return read_locally(parent)
    return isinstance(parent, exp.Extract) or (isinstance(parent, exp.Anonymous) and parent.name.lower() in _READERS)


def kept(node: Node) -> bool:
    """Whether only the instant of a time with a zone counts where it stands: it is stored, or compared."""
    parent = node.parent
    if isinstance(parent, exp.Paren | exp.Alias):
        return kept(parent)
    if isinstance(parent, exp.Select):
        return parent.parent is None
    instant = isinstance(parent, exp.Anonymous) and parent.name.lower() in ("to_unixtime",)
    return instant or isinstance(parent, exp.AtTimeZone | exp.Predicate)


def _from_iso8601(node: Node, t: Translate) -> Node:
    operand = t(node.expressions[0])
    if read_locally(node):
        return native("phlo_local_iso8601", operand)
    return native("phlo_instant_iso8601" if kept(node) else "phlo_utc_iso8601", operand)


def _clock(name: str) -> Rule:
    def clock(node: Node, _t: Translate) -> Node:
        digits = int(node.expressions[0].name) if node.expressions else 3
        if digits > 6:
            refuse(node, f"{name}({digits})", "times have at most 6 digits of a second here, as in Iceberg")
        instant = fragment("now()") if name == "current_timestamp" else fragment("timezone('UTC', now())")
        unit = "millisecond" if digits <= 3 else "microsecond"
        return native("date_trunc", exp.Literal.string(unit), instant)

    return clock


@rule(exp.CurrentTimestamp)
def _now(_node: Node, _t: Translate) -> Node:
    return native("trino_now")


@rule(exp.Localtimestamp)
def _local_now(_node: Node, _t: Translate) -> Node:
    return native("trino_localtimestamp")


DATETIMES: dict[str, Rule] = {
    **{name: _field_function(name) for name in (*_FIELDS, *_FIELD_ALIASES)},
    "at_timezone": _at_timezone,
    "current_timestamp": _clock("current_timestamp"),
    "date": _date,
    "date_add": _added,
    "date_diff": _difference,
    "date_format": _formatted(mysql_pattern, MYSQL, "trino_strftime"),
    "date_parse": _formatted(mysql_pattern, MYSQL_PARSE, "trino_date_parse"),
    "date_trunc": _truncated,
    "format_datetime": _formatted(joda_pattern, JODA, "trino_strftime"),
    "from_iso8601_timestamp": _from_iso8601,
    "from_unixtime": _from_unixtime,
    "localtimestamp": _clock("localtimestamp"),
    "parse_datetime": _formatted(joda_pattern, JODA_PARSE, "trino_parse_datetime"),
    "to_iso8601": _iso8601,
    "with_timezone": _with_timezone,
}
