"""Rules of SQL/JSON: JSON_EXISTS, JSON_QUERY, JSON_VALUE, JSON_ARRAY, JSON_OBJECT and JSON_TABLE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.expressions import DType

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.casts import duckdb_type
from phlo.engine.dialect.json_grammar import JsonColumn, SqlJson
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text, text_of
from phlo.engine.dialect.rules import Translate, rule
from phlo.engine.functions.jsonpath import read

if TYPE_CHECKING:
    from collections.abc import Callable

_PASSED = frozenset({"integer", "varchar", "boolean", "double"})
_TYPES = {
    DType.TINYINT: "tinyint", DType.SMALLINT: "smallint", DType.INT: "integer", DType.BIGINT: "bigint",
    DType.DOUBLE: "double", DType.FLOAT: "real", DType.BOOLEAN: "boolean", DType.DATE: "date",
    DType.TIMESTAMP: "timestamp", DType.VARCHAR: "varchar", DType.TEXT: "varchar", DType.DECIMAL: "decimal",
}  # fmt: skip


@rule(SqlJson)
def _sql_json(node: Node, t: Translate) -> Node:
    name = str(node.args["name"])
    if name not in _RULES:
        refuse(node, name, "JSON_TABLE stands in FROM")
    return _RULES[name](node, t)


def _exists(node: Node, t: Translate) -> Node:
    return native("phlo_py_json_exists", *_input(node, t), text(str(node.args.get("on_error") or "FALSE")))


def _query(node: Node, t: Translate) -> Node:
    _check_text(node)
    options = [node.args.get(key) or otherwise for key, otherwise in
               (("wrapper", "WITHOUT"), ("quotes", "KEEP"), ("on_empty", "NULL"), ("on_error", "NULL"))]  # fmt: skip
    if not all(isinstance(option, str) for option in options):
        refuse(node, "JSON_QUERY with DEFAULT", "use coalesce(json_query(…), …)")
    return native("phlo_py_json_query", *_input(node, t), text("|".join(options)))


def _value(node: Node, t: Translate) -> Node:
    to = node.args.get("returning") or exp.DataType.build("varchar")
    name = _TYPES.get(to.this)
    if name is None:
        refuse(node, f"JSON_VALUE RETURNING {to.sql('trino')}", "return varchar and cast it")
    parameters = ",".join(parameter.name for parameter in to.expressions)
    spelled = f"{name}({parameters})" if parameters else "decimal(38,0)" if name == "decimal" else name
    empty, error = (node.args.get(key) or "NULL" for key in ("on_empty", "on_error"))
    words = [given if isinstance(given, str) else "DEFAULT" for given in (empty, error)]
    found = native("phlo_py_json_value", *_input(node, t), text("|".join([spelled, *words])))
    kind = duckdb_type(to, node)
    cast = f"CAST(phlo_r[2:] AS {kind})"
    if "DEFAULT" not in words:
        return fragment(f"list_transform([{{0}}], lambda phlo_r: {cast})[1]", found)
    defaults = [fragment("NULL") if isinstance(given, str) else t(given) for given in (empty, error)]
    case = (
        f"CASE phlo_r[1] WHEN '?' THEN CAST({{1}} AS {kind}) WHEN '!' THEN CAST({{2}} AS {kind}) "
        f"WHEN '=' THEN {cast} END"
    )
    return fragment(f"list_transform([{{0}}], lambda phlo_r: {case})[1]", found, *defaults)


def _check_text(node: Node) -> None:
    to = node.args.get("returning")
    if to is not None and to.this not in (DType.VARCHAR, DType.TEXT):
        refuse(node, f"{node.args['name']} RETURNING {to.sql('trino')}", "it returns varchar here")


def _input(node: Node, t: Translate) -> tuple[Node, Node, Node]:
    if node.args.get("format") not in ("", "JSON", "UTF8", None):
        refuse(node, f"ENCODING {node.args['format']}", "the input is text here")
    return fragment("CAST({0} AS VARCHAR)", t(node.this)), _path(node, node.args["path"]), _passed(node, t)


def _path(node: Node, path: Node) -> Node:
    written = text_of(path) or ""
    try:
        read(written)
    except ValueError as error:
        refuse(node, f"the path '{written}'", str(error))
    return text(written)


def _passed(node: Node, t: Translate) -> Node:
    passed = node.args.get("passing") or []
    if not passed:
        return text("{}")
    for given in passed:
        if kind_of(given.expression).name not in _PASSED:
            refuse(node, "PASSING", "cast the passed value to varchar, bigint, double or boolean")
    names = ", ".join(f"{{{2 * i}}}, {{{2 * i + 1}}}" for i in range(len(passed)))
    parts = [part for given in passed for part in (text(given.this.name), t(given.expression))]
    return fragment(f"CAST(json_object({names}) AS VARCHAR)", *parts)


# ── making JSON ──────────────────────────────────────────────────────────────────────────────────────────────


def _array(node: Node, t: Translate) -> Node:
    _check_text(node)
    values = _values(node, t)
    absent = (node.args.get("on_null") or "ABSENT") == "ABSENT"
    kept = (
        "[phlo_v FOR phlo_v IN [{}] IF phlo_v IS NOT NULL]"
        if absent
        else "[coalesce(phlo_v, 'null') FOR phlo_v IN [{}]]"
    )
    if not values:
        return fragment("'[]'")
    inside = ", ".join(f"{{{i}}}" for i in range(len(values)))
    return fragment("('[' || array_to_string(" + kept.replace("{}", inside) + ", ',') || ']')", *values)


def _object(node: Node, t: Translate) -> Node:
    _check_text(node)
    keys = [text_of(key) for key in node.args.get("keys") or []]
    if None in keys:
        refuse(node, "JSON_OBJECT with computed keys", "its keys are literals here")
    names = [key for key in keys if key is not None]
    if len(set(names)) < len(names):
        refuse(node, "JSON_OBJECT with a key that comes twice", "name each key once")
    if not names:
        return fragment("'{{}}'")
    values = dict(zip(names, _values(node, t), strict=True))
    ordered = java_order(names)
    member = "{} || coalesce({}, 'null')" if (node.args.get("on_null") or "NULL") == "NULL" else "{} || {}"
    members = ", ".join(member.format(f"{{{2 * i}}}", f"{{{2 * i + 1}}}") for i in range(len(ordered)))
    parts = [part for name in ordered for part in (text(json.dumps(name, ensure_ascii=False) + ":"), values[name])]
    kept = f"[phlo_v FOR phlo_v IN [{members}] IF phlo_v IS NOT NULL]"
    return fragment(f"('{{{{' || array_to_string({kept}, ',') || '}}}}')", *parts)


def java_order(keys: list[str]) -> list[str]:
    """Put keys in the order in which Trino writes them: that of a Java HashMap.

    >>> java_order(["b", "a"]), java_order(["key1", "key2"])
    (['a', 'b'], ['key1', 'key2'])
    """
    size = 16
    while len(keys) > size * 0.75:
        size *= 2
    return sorted(keys, key=lambda key: _spread(key) & (size - 1))


def _spread(key: str) -> int:
    h = 0
    encoded = key.encode("utf-16-be")
    for at in range(0, len(encoded), 2):
        h = (31 * h + int.from_bytes(encoded[at : at + 2], "big")) & 0xFFFFFFFF
    return h ^ h >> 16


def _values(node: Node, t: Translate) -> list[Node]:
    formats = node.args.get("formats") or []
    return [_json_text(value, form, t) for value, form in zip(node.expressions, formats, strict=True)]


def _json_text(value: Node, form: str, t: Translate) -> Node:
    if isinstance(value, exp.Null):
        return fragment("NULL")
    if isinstance(value, SqlJson):  # JSON already, as Trino reads it
        return t(value)
    if form in ("UTF16", "UTF32"):
        if not isinstance(value, exp.HexString):
            refuse(value, f"ENCODING {form}", "the input is text here")
        decoded = bytes.fromhex(str(value.this)).decode("utf-16-le" if form == "UTF16" else "utf-32-le")
        return native("phlo_py_json_compact", text(decoded))
    if form:
        return native("phlo_py_json_compact", fragment("CAST({0} AS VARCHAR)", t(value)))
    return call_macro("phlo_json_text", [t(value), exp.Literal.number(kind_of(value).digits)])


# ── JSON_TABLE ───────────────────────────────────────────────────────────────────────────────────────────────


def json_table(node: SqlJson, alias: Node | None, t: Translate, *, lateral: bool) -> Node:
    """Translate JSON_TABLE in FROM: the items of its path as rows, columns taken out of each."""
    plan = str(node.args.get("wrapper") or "")
    if any(word in plan for word in ("CROSS", "UNION")):
        refuse(node, "PLAN with CROSS or UNION", "join several JSON_TABLEs")
    names = [column.name for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
    table = alias.name if isinstance(alias, exp.TableAlias) and alias.name else "_json_table"
    document, path, passed = _input(node, t)
    rows = native("phlo_py_json_items", document, path, passed)
    query = _level(node.args["columns"], rows, 0, t, inner="INNER" in plan)
    listed = f"({', '.join(_quoted(name) for name in names)})" if names else ""
    word = "LATERAL " if lateral else ""
    return fragment(f"{word}{{0}} AS {_quoted(table)}{listed}", query)


def _level(columns: list[JsonColumn], rows: Node, depth: int, t: Translate, *, inner: bool) -> Node:
    """A query of one level's columns, joined with the rows of the level below."""
    item, place, below = f"phlo_i{depth}", f"phlo_n{depth}", f"phlo_l{depth + 1}"
    nested = [column for column in columns if column.args.get("nested")]
    if len(nested) > 1:
        refuse(columns[0], "several NESTED paths side by side", "join several JSON_TABLEs")
    selected: list[str] = []
    operands: list[Node] = [rows]
    for column in columns:
        if column.args.get("nested"):
            selected.append(f"{below}.*")
            continue
        operands.append(_cell(column, item, place, t))
        selected.append(f"{{{len(operands) - 1}}} AS {_quoted(column.name)}")
    source = f"(SELECT unnest({{0}}) AS {item}, generate_subscripts({{0}}, 1) AS {place})"
    if not nested:
        return fragment(f"(SELECT {', '.join(selected)} FROM {source})", *operands)
    path = _path(nested[0], nested[0].args["path"])
    inside = native("phlo_py_json_items", fragment(item), path, text("{}"))
    operands.append(_level(nested[0].args["nested"], inside, depth + 1, t, inner=inner))
    join = f"{'JOIN' if inner else 'LEFT JOIN'} LATERAL {{{len(operands) - 1}}} AS {below} ON true"
    return fragment(f"(SELECT {', '.join(selected)} FROM {source} {join})", *operands)


def _cell(column: JsonColumn, item: str, place: str, t: Translate) -> Node:
    if column.args.get("ordinality"):
        return fragment(f"CAST({place} AS BIGINT)")
    value = column.args["value"].copy()
    value.set("this", exp.column("phlo_json_item"))
    if value.args.get("path") is None:
        name = column.name if column.this.args.get("quoted") else column.name.upper()
        value.set("path", text(f'lax $."{name}"'))
    translated = _RULES[str(value.args["name"])](value, t)
    return translated.transform(
        lambda part: fragment(item) if isinstance(part, exp.Column) and part.name == "phlo_json_item" else part
    )


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql().replace("{", "{{").replace("}", "}}")


_RULES: dict[str, Callable[[Node, Translate], Node]] = {
    "JSON_EXISTS": _exists,
    "JSON_QUERY": _query,
    "JSON_VALUE": _value,
    "JSON_ARRAY": _array,
    "JSON_OBJECT": _object,
}
