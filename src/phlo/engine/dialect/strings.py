"""Rules of string, regular expression and JSON functions whose literals need reading."""

from __future__ import annotations

import re

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.formats import FORMATS
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text, text_of
from phlo.engine.dialect.regex import groups, re2_pattern, re2_replacement
from phlo.engine.dialect.rules import Rule, Translate, rule

_PATH_PART = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<index>\d+)\]|\[\"(?P<quoted>[^\"\\]*)\"\]|\.\"(?P<dotted>[^\"\\]*)\""
)


def _pattern(node: Node) -> exp.Literal:
    pattern = text_of(node.expressions[1]) if len(node.expressions) > 1 else None
    if pattern is None:
        refuse(node, str(node.name), "its pattern must be a literal here")
    converted = re2_pattern(pattern)
    if converted is None:
        refuse(node, f"{node.name}(…, '{pattern}')", "the pattern has a part that RE2 has no equal of")
    return exp.Literal.string(converted)


def _group(node: Node) -> int:
    group = node.expressions[2] if len(node.expressions) > 2 else exp.Literal.number(0)
    count, always = groups(text_of(node.expressions[1]) or "")
    if not isinstance(group, exp.Literal) or group.is_string or int(group.name) > count:
        refuse(node, str(node.name), f"the group is a number of at most {count}")
    if int(group.name) and not always:
        refuse(node, f"{node.name} of a group that may not match", "extract the whole match, then the part")
    return int(group.name)


def _regexp_like(node: Node, t: Translate) -> Node:
    return native("regexp_matches", t(node.expressions[0]), _pattern(node))


def _regexp_extract(node: Node, t: Translate) -> Node:
    pattern, group = _pattern(node), exp.Literal.number(_group(node))
    return call_macro("trino_regexp_extract", [t(node.expressions[0]), pattern, group])


def _regexp_extract_all(node: Node, t: Translate) -> Node:
    pattern, group = _pattern(node), exp.Literal.number(_group(node))
    return native("regexp_extract_all", t(node.expressions[0]), pattern, group)


def _replaced_by_function(node: Node, function: exp.Lambda, t: Translate) -> Node:
    """Between the pieces that the pattern leaves stand the function's results, of the groups of each match."""
    pattern, (count, always) = _pattern(node), groups(text_of(node.expressions[1]) or "")
    _refuse_empty(node, pattern)
    if not always or len(function.expressions) != 1:
        refuse(node, "regexp_replace of groups that may not match", "let each group take part in every match")
    name = exp.to_identifier(function.expressions[0].name, quoted=True).sql().replace("{", "{{").replace("}", "}}")
    found = ", ".join(f"regexp_extract_all(phlo_s, {{1}}, {i})[phlo_i]" for i in range(1, count + 1))
    result = f"list_transform([[{found}]], lambda {name}: {{2}})[1]" if count else "{2}"
    piece = f"phlo_b[phlo_i] || CASE WHEN phlo_i < len(phlo_b) THEN {result} ELSE '' END"
    template = (
        "list_transform([{0}], lambda phlo_s: list_transform([string_split_regex(phlo_s, {1})], lambda phlo_b: "
        f"phlo_join(list_transform(range(1, len(phlo_b) + 1), lambda phlo_i: {piece})))[1])[1]"
    )
    return fragment(template, t(node.expressions[0]), pattern, t(function.this))


def _refuse_empty(node: Node, pattern: exp.Literal) -> None:
    plain = text_of(pattern) or ""
    if not _is_python(plain) or re.fullmatch(plain.replace(r"\z", r"\Z"), ""):
        refuse(node, f"{node.name} by a pattern that matches nothing", "let it match at least one character")


def _regexp_replace(node: Node, t: Translate) -> Node:
    if len(node.expressions) == 3 and isinstance(node.expressions[2], exp.Lambda):
        return _replaced_by_function(node, node.expressions[2], t)
    written = node.expressions[2] if len(node.expressions) > 2 else exp.Literal.string("")
    replacement = re2_replacement(text_of(written) or "") if text_of(written) is not None else None
    if replacement is None:
        refuse(node, "regexp_replace", "its replacement is a literal with $1 … $9 here")
    parts = t(node.expressions[0]), _pattern(node), exp.Literal.string(replacement), exp.Literal.string("g")
    return native("regexp_replace", *parts)


def _regexp_split(node: Node, t: Translate) -> Node:
    pattern = _pattern(node)
    _refuse_empty(node, pattern)
    return native("string_split_regex", t(node.expressions[0]), pattern)


def _is_python(pattern: str) -> bool:
    try:
        re.compile(pattern.replace(r"\z", r"\Z"))
    except re.error:
        return False
    return True


def _regexp_count(node: Node, t: Translate) -> Node:
    return native("trino_regexp_count", t(node.expressions[0]), _pattern(node))


def _regexp_position(node: Node, t: Translate) -> Node:
    pattern = _pattern(node)
    if len(node.expressions) > 2 and re.search(r"\^|\\[bBA]", text_of(pattern) or ""):
        first = node.expressions[2]
        if not (isinstance(first, exp.Literal) and first.name == "1") and "^" in (text_of(pattern) or ""):
            refuse(node, "regexp_position with a start and `^`", "apply it to substr(…)")
    rest = [t(operand) for operand in node.expressions[2:]]
    if len(rest) == 1:
        rest.append(exp.Literal.number(1))
    if len(rest) > 2:
        refuse(node, "regexp_position", "it takes a text, a pattern, a start and an occurrence")
    return native("trino_regexp_position", t(node.expressions[0]), pattern, *rest)


@rule(exp.Trim)
def _trim(node: Node, t: Translate) -> Node:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(str(node.args.get("position") or "").upper(), "trim")
    characters = node.args.get("expression")
    if characters is None:
        return native(f"trino_{name}", t(node.this))
    return native(name, t(node.this), t(characters))


def _trim_function(name: str) -> Rule:
    def trim(node: Node, t: Translate) -> Node:
        operands = [t(operand) for operand in node.expressions]
        return native(f"trino_{name}" if len(operands) == 1 else name, *operands)

    return trim


@rule(exp.Substring)
def _substring(node: Node, t: Translate) -> Node:
    parts = [node.this, node.args.get("start"), node.args.get("length")]
    return call_macro("trino_substr", [t(part) for part in parts if part is not None])


@rule(exp.StrPosition)
def _position(node: Node, t: Translate) -> Node:
    return native("trino_strpos", t(node.this), t(node.args["substr"]))


def _concat_ws(node: Node, t: Translate) -> Node:
    operands = [t(operand) for operand in node.expressions]
    if len(operands) == 2 and kind_of(node.expressions[1]).name == "array":
        return native("trino_concat_ws_list", *operands)
    return native("concat_ws", *operands)


def json_path(path: str) -> str | None:
    """Turn a path into DuckDB's spelling; None where it is more than names and positions.

    >>> json_path('$.store["a b"][0]')
    '$."store"."a b"[0]'
    >>> json_path("$.a[*]") is None
    True
    """
    if not path.startswith("$"):
        return None
    out, end = ["$"], 1
    for match in _PATH_PART.finditer(path, 1):
        if match.start() != end:
            return None
        end = match.end()
        name = next((match[key] for key in ("name", "quoted", "dotted") if match[key] is not None), None)
        out.append(f"[{match['index']}]" if match["index"] else f'."{name}"')
    return "".join(out) if end == len(path) else None


def _json_at(node: Node, t: Translate) -> Node:
    path = json_path(text_of(node.expressions[1]) or "") if len(node.expressions) == 2 else None
    if path is None:
        refuse(node, str(node.name), "its path is a literal of names and positions, such as '$.a[0]'")
    name, operand = node.name.lower(), t(node.expressions[0])
    if name != "json_extract_scalar":
        return native(f"trino_{name}", operand, text(path))
    written = "phlo_py_json_number(CAST(phlo_x AS VARCHAR), {1})"  # DuckDB prints such a number in its own way
    scalar = f"CASE WHEN json_type(phlo_f) = 'DOUBLE' THEN {written} ELSE phlo_json_scalar(phlo_f) END"
    found = f"list_transform([trino_json_extract(phlo_x, {{1}})], lambda phlo_f: {scalar})[1]"
    return fragment(f"list_transform([{{0}}], lambda phlo_x: {found})[1]", operand, text(path))


def _json_array_get(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 2:
        refuse(node, "json_array_get", "it takes JSON and a position")
    operand, place = (t(part) for part in node.expressions)
    written = "phlo_py_json_number(CAST(phlo_x AS VARCHAR), '$[' || {1} || ']')"
    element = (
        f"CASE WHEN json_valid(phlo_x) AND json_type(CAST(phlo_x AS JSON) -> CAST({{1}} AS BIGINT)) = 'DOUBLE' "
        f"THEN {written} ELSE trino_json_array_get(phlo_x, {{1}}) END"
    )
    return fragment(f"list_transform([{{0}}], lambda phlo_x: {element})[1]", operand, place)


STRINGS: dict[str, Rule] = {
    "concat_ws": _concat_ws,
    **FORMATS,
    "json_array_get": _json_array_get,
    "json_extract": _json_at,
    "json_extract_scalar": _json_at,
    "json_size": _json_at,
    "ltrim": _trim_function("ltrim"),
    "regexp_count": _regexp_count,
    "regexp_extract": _regexp_extract,
    "regexp_extract_all": _regexp_extract_all,
    "regexp_like": _regexp_like,
    "regexp_position": _regexp_position,
    "regexp_replace": _regexp_replace,
    "regexp_split": _regexp_split,
    "rtrim": _trim_function("rtrim"),
    "trim": _trim_function("trim"),
}
