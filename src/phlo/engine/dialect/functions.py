"""Rules of function calls: which of Trino's functions DuckDB has, by which name or macro.

A name that is in none of the tables is refused with the nearest names: nothing is passed on in the hope that DuckDB
means the same.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sqlglot import exp

from phlo.engine.dialect.aggregates import AGGREGATES, WINDOWS, applied
from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.comparisons import alike
from phlo.engine.dialect.datetimes import DATETIMES, instant_of, zone_of
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.lambdas import LAMBDAS
from phlo.engine.dialect.macros import signatures
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text, text_of
from phlo.engine.dialect.rules import Rule, Translate, rule
from phlo.engine.dialect.strings import STRINGS
from phlo.errors import nearest

SAME_NAME = frozenset({
    "abs", "acos", "asin", "atan", "atan2", "cbrt", "coalesce", "concat_ws", "cos", "cosh", "degrees", "exp",
    "ln", "log10", "log2", "lower", "lpad", "map_entries", "map_keys", "map_values", "nullif", "pi",
    "radians", "rpad", "sin", "sinh", "sqrt", "starts_with", "tan", "tanh", "translate",
})  # fmt: skip
RENAMED = {
    "ceil": "trino_ceiling",
    "chr": "chr",
    "pow": "power",
    "power": "power",
    "rand": "random",
    "random": "random",
    "typeof": "typeof",
    "unnest": "unnest",
    "uuid": "uuid",
}
ALIASES = {
    "ceil": "ceiling",
    "substring": "substr",
    "day_of_month": "day",
    "dow": "day_of_week",
    "doy": "day_of_year",
    "week_of_year": "week",
    "yow": "year_of_week",
    "pow": "power",
    "rand": "random",
}
_ARITY = {
    "atan2": (2, 2), "chr": (1, 1), "coalesce": (2, 999), "concat_ws": (2, 999), "lpad": (3, 3),
    "nullif": (2, 2), "pi": (0, 0), "power": (2, 2), "random": (0, 0), "rpad": (3, 3), "starts_with": (2, 2),
    "translate": (3, 3), "uuid": (0, 0),
}  # fmt: skip
_NOT_WRITTEN = frozenset({
    "before_decimal", "concat_ws_list", "divide", "minus", "minus_interval", "plus_interval", "strftime", "subscript",
    "to_bigint", "to_boolean", "to_date", "to_double", "to_integer", "to_json", "to_real", "to_smallint", "to_time",
    "to_timestamp", "to_timestamptz", "to_tinyint", "to_varchar", "to_varchar_of",
})  # fmt: skip
"""Macros of operators and casts, whose names are no functions of Trino's."""


@lru_cache(maxsize=1)
def known_functions() -> frozenset[str]:
    """List the names of Trino's functions that are available."""
    macros = {name.removeprefix("trino_") for name in signatures() if name.startswith("trino_")}
    named = SAME_NAME | set(RENAMED) | set(ALIASES) | set(SPECIAL) | set(AGGREGATES) | WINDOWS
    return frozenset(named | (macros - _NOT_WRITTEN))


@rule(exp.Anonymous)
def _call(node: Node, t: Translate) -> Node:
    written = str(node.name)
    name = ALIASES.get(written.lower(), written.lower())
    if name not in known_functions():
        refuse(node, written, nearest=nearest(written, (known for known in known_functions() if len(known) > 2)))
    if name in AGGREGATES or name in WINDOWS:
        return applied(node, t)
    if name in SPECIAL:
        return SPECIAL[name](node, t)
    operands = [t(operand) for operand in node.expressions]
    macro = signatures().get(f"trino_{name}")
    if macro:
        _check_arity(node, written, len(operands), macro)
        return call_macro(f"trino_{name}", operands)
    low, high = _ARITY.get(name, (1, 1))
    _check_arity(node, written, len(operands), range(low, high + 1))
    return native(RENAMED.get(name, name), *operands)


def _check_arity(node: Node, name: str, count: int, allowed: object) -> None:
    if count not in allowed:  # type: ignore[operator]
        refuse(node, name, f"it is not available with {count} arguments")


def _concat(node: Node, t: Translate) -> Node:
    operands = [t(operand) for operand in node.expressions]
    if len(operands) < 2:
        refuse(node, "concat", "concat takes at least two arguments")
    if {"array"} < {kind_of(operand).name or "array" for operand in node.expressions} and len(operands) == 2:
        return fragment(
            "list_concat({0}, {1})",
            *(
                done if kind_of(operand).name in ("array", "") else fragment("[{0}]", done)
                for operand, done in zip(node.expressions, operands, strict=True)
            ),
        )
    alike(node, node.expressions, "concat")
    if any(isinstance(operand, exp.Null) for operand in node.expressions):
        return fragment("CAST(NULL AS VARCHAR)")
    return fragment("(" + " || ".join(f"{{{i}}}" for i in range(len(operands))) + ")", *operands)


def _extreme(name: str) -> Rule:
    def extreme(node: Node, t: Translate) -> Node:
        operands = [t(operand) for operand in node.expressions]
        inside = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        return fragment(f"phlo_{name}([{inside}])", *operands)

    return extreme


def _try(node: Node, t: Translate) -> Node:
    return native("TRY", *(t(operand) for operand in node.expressions))


def _alternatives(node: Node, t: Translate) -> Node:
    _check_arity(node, str(node.name), len(node.expressions), range(2, 3 if node.name.lower() == "nullif" else 999))
    alike(node, node.expressions, str(node.name))
    return native(node.name.lower(), *(t(operand) for operand in node.expressions))


def _contains(node: Node, t: Translate) -> Node:
    _check_arity(node, "contains", len(node.expressions), (2,))
    operands = [t(operand) for operand in node.expressions]
    if kind_of(node.expressions[1]).name == "ipaddress":
        return native("phlo_py_is_within", *operands)
    return call_macro("trino_contains", operands)


def _of_digests(node: Node, t: Translate) -> Node:
    """Count what two set digests share: exact, as Trino's are up to thousands of values."""
    sets = [
        native("list", exp.Distinct(expressions=[t(digest.expressions[0])]))
        for digest in node.expressions
        if isinstance(digest, exp.Anonymous) and digest.name.lower() == "make_set_digest"
    ]
    if len(sets) != 2:
        refuse(node, str(node.name), "it takes make_set_digest(x) and make_set_digest(y)")
    values = [fragment("list_filter(coalesce({0}, []), lambda phlo_e: phlo_e IS NOT NULL)", found) for found in sets]
    return fragment("CAST(len({0}) AS BIGINT)", native("list_intersect", *values))


def _row(node: Node, t: Translate) -> Node:
    return native("row", *(t(operand) for operand in node.expressions))


def _cardinality(node: Node, t: Translate) -> Node:
    digest = node.expressions[0] if len(node.expressions) == 1 else None
    if isinstance(digest, exp.Anonymous) and digest.name.lower() == "make_set_digest" and len(digest.expressions) == 1:
        return native("count", exp.Distinct(expressions=[t(digest.expressions[0])]))
    return fragment("CAST(cardinality({0}) AS BIGINT)", *(t(operand) for operand in node.expressions))


def _map(node: Node, t: Translate) -> Node:
    if not node.expressions:
        return fragment("MAP {{}}")
    return native("map", *(t(operand) for operand in node.expressions))


def _grouping(node: Node, t: Translate) -> Node:
    return fragment("CAST({0} AS INTEGER)", native("grouping", *(t(operand) for operand in node.expressions)))


def _element_at(node: Node, t: Translate) -> Node:
    container, index = node.expressions
    position = index if isinstance(index, exp.Literal) and not index.is_string else None
    if position is not None and kind_of(container).name != "map" and position.name == "0":
        refuse(node, "element_at(…, 0)", "positions in arrays count from 1")
    return native("trino_element_at", t(container), t(index))


def _typeof(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 1:
        refuse(node, "typeof", "it takes one argument")
    operand = node.expressions[0]
    kind = kind_of(operand)
    if isinstance(operand, exp.Literal) and operand.is_string:
        return text(f"varchar({len(operand.name)})")
    if isinstance(operand, exp.Cast) and (operand.to.expressions or kind.name not in ("", "timestamp", "timestamptz")):
        spelled = operand.to.sql("trino").lower()
        return text(re.sub(r"decimal\((\d+)\)", r"decimal(\1,0)", spelled.replace(", ", ",")) if kind.name == "decimal"
                    else spelled.replace("struct", "row"))  # fmt: skip
    if isinstance(operand, exp.Cast) and kind.name == "timestamp" and text_of(operand.this) is not None:
        return text(f"timestamp({len((text_of(operand.this) or '').partition('.')[2])})")
    return native("phlo_typeof", native("typeof", t(operand)))


def _timezone(node: Node, t: Translate) -> Node:
    zone = zone_of(node.expressions[0]) if len(node.expressions) == 1 else None
    if zone is None:
        refuse(node, str(node.name), "the zone is not known here: write it into the statement")
    if node.name.lower() == "timezone":
        return text(zone)
    fixed = re.fullmatch(r"([+-])(\d\d):(\d\d)", zone)
    if fixed:
        minutes = (int(fixed[2]) * 60 + int(fixed[3])) * (-1 if fixed[1] == "-" else 1)
        return fragment(
            f"CAST({int(minutes / 60) if node.name.lower() == 'timezone_hour' else minutes % 60} AS BIGINT)"
        )
    offset = native("phlo_offset", t(instant_of(node.expressions[0])), text(zone))
    return fragment("({0} // 60)" if node.name.lower() == "timezone_hour" else "({0} % 60)", offset)


def _python(name: str, *types: str, more: tuple[str, ...] = ()) -> Rule:
    """A function in Python: its arguments cast to its types, and words that it is given besides."""

    def call(node: Node, t: Translate) -> Node:
        _check_arity(node, str(node.name), len(node.expressions), (len(types),))
        operands = [fragment(f"CAST({{0}} AS {to})", t(operand))
                    for operand, to in zip(node.expressions, types, strict=True)]  # fmt: skip
        return native(f"phlo_py_{name}", *operands, *map(text, more))

    return call


def _normalize(node: Node, t: Translate) -> Node:
    form = "NFC" if len(node.expressions) == 1 else node.expressions[1].name.upper()
    if len(node.expressions) > 2 or form not in ("NFC", "NFD", "NFKC", "NFKD"):
        refuse(node, "normalize", "the form is NFC, NFD, NFKC or NFKD")
    return native("phlo_py_normalize", t(node.expressions[0]), text(form))


def _levenshtein(node: Node, t: Translate) -> Node:
    _check_arity(node, str(node.name), len(node.expressions), (2,))
    return native("phlo_py_levenshtein", *(t(operand) for operand in node.expressions))


def _hamming(node: Node, t: Translate) -> Node:
    _check_arity(node, "hamming_distance", len(node.expressions), (2,))
    return native("phlo_py_hamming", *(t(operand) for operand in node.expressions))


def _from_utf8(node: Node, t: Translate) -> Node:
    replacement = text_of(node.expressions[1]) if len(node.expressions) == 2 else "\ufffd"
    if replacement is None:
        refuse(node, "from_utf8", "the replacement is a literal")
    return native("phlo_py_from_utf8", t(node.expressions[0]), text(replacement))


def _float_bytes(layout: str) -> Rule:
    def encode(node: Node, t: Translate) -> Node:
        return native("phlo_py_float_bytes", fragment("CAST({0} AS DOUBLE)", t(node.expressions[0])), text(layout))

    return encode


def _float_of_bytes(layout: str, to: str) -> Rule:
    def decode(node: Node, t: Translate) -> Node:
        return fragment(f"CAST({{0}} AS {to})", native("phlo_py_float_of_bytes", t(node.expressions[0]), text(layout)))

    return decode


SPECIAL: dict[str, Rule] = {
    **STRINGS,
    **DATETIMES,
    **LAMBDAS,
    "cardinality": _cardinality,
    "coalesce": _alternatives,
    "nullif": _alternatives,
    "contains": _contains,
    "intersection_cardinality": _of_digests,
    "concat": _concat,
    "element_at": _element_at,
    "grouping": _grouping,
    "greatest": _extreme("greatest"),
    "least": _extreme("least"),
    "map": _map,
    "row": _row,
    "try": _try,
    "timezone": _timezone,
    "timezone_hour": _timezone,
    "timezone_minute": _timezone,
    "normalize": _normalize,
    "levenshtein_distance": _levenshtein,
    "hamming_distance": _hamming,
    "from_utf8": _from_utf8,
    "soundex": _python("soundex", "VARCHAR"),
    "crc32": _python("crc32", "BLOB"),
    "sha512": _python("sha512", "BLOB"),
    "xxhash64": _python("xxhash64", "BLOB"),
    "murmur3": _python("murmur3", "BLOB"),
    **{f"hmac_{name}": _python("hmac", "BLOB", "BLOB", more=(name,)) for name in ("md5", "sha1", "sha256", "sha512")},
    "to_base32": _python("to_base32", "BLOB"),
    "from_base32": _python("from_base32", "VARCHAR"),
    "normal_cdf": _python("normal_cdf", "DOUBLE", "DOUBLE", "DOUBLE"),
    "inverse_normal_cdf": _python("inverse_normal_cdf", "DOUBLE", "DOUBLE", "DOUBLE"),
    "to_ieee754_32": _float_bytes(">f"),
    "to_ieee754_64": _float_bytes(">d"),
    "from_ieee754_32": _float_of_bytes(">f", "FLOAT"),
    "from_ieee754_64": _float_of_bytes(">d", "DOUBLE"),
    "typeof": _typeof,
}
