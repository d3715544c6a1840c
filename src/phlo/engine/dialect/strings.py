"""Rules of string, regular expression and JSON functions whose literals need reading."""

from __future__ import annotations

import re

from sqlglot import exp

from phlo.engine.dialect.calls import call_macro
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, native, refuse, text_of
from phlo.engine.dialect.regex import groups, re2_pattern, re2_replacement
from phlo.engine.dialect.rules import Rule, Translate, rule

_SPECIFIER = re.compile(
    r"%(?:(?P<flags>[-0,]*)(?P<width>\d+)?(?:\.(?P<digits>\d+))?(?P<type>[sdfxXb])|(?P<plain>[%n]))"
)
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


def _regexp_replace(node: Node, t: Translate) -> Node:
    written = node.expressions[2] if len(node.expressions) > 2 else exp.Literal.string("")
    replacement = re2_replacement(text_of(written) or "") if text_of(written) is not None else None
    if replacement is None:
        refuse(node, "regexp_replace", "its replacement is a literal with $1 … $9 here")
    parts = t(node.expressions[0]), _pattern(node), exp.Literal.string(replacement), exp.Literal.string("g")
    return native("regexp_replace", *parts)


def _regexp_split(node: Node, t: Translate) -> Node:
    pattern = _pattern(node)
    if re.fullmatch(re.compile(text_of(pattern) or ""), "") if _is_python(text_of(pattern) or "") else True:
        refuse(node, "regexp_split by a pattern that matches nothing", "split by at least one character")
    return native("string_split_regex", t(node.expressions[0]), pattern)


def _is_python(pattern: str) -> bool:
    try:
        re.compile(pattern.replace(r"\z", r"\Z"))
    except re.error:
        return False
    return r"\z" not in pattern


def _regexp_count(node: Node, t: Translate) -> Node:
    return native("trino_regexp_count", t(node.expressions[0]), _pattern(node))


def _regexp_position(node: Node, t: Translate) -> Node:
    if len(node.expressions) != 2:
        refuse(node, "regexp_position with a start", "apply it to substr(…)")
    return native("trino_regexp_position", t(node.expressions[0]), _pattern(node))


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
    return native(f"trino_{node.name.lower()}", t(node.expressions[0]), exp.Literal.string(path))


def _format(node: Node, t: Translate) -> Node:
    template = text_of(node.expressions[0]) if node.expressions else None
    if template is None:
        refuse(node, "format", "its first argument is a literal here")
    operands = iter(node.expressions[1:])
    pieces: list[Node] = []
    end = 0
    for match in _SPECIFIER.finditer(template):
        pieces.append(exp.Literal.string(_plain(node, template[end : match.start()])))
        end = match.end()
        if match["plain"]:
            pieces.append(exp.Literal.string("%" if match["plain"] == "%" else "\n"))
        else:
            pieces.append(_formatted(node, match, next(operands, None), t))
    pieces.append(exp.Literal.string(_plain(node, template[end:])))
    if next(operands, None) is not None:
        refuse(node, "format", "it has more arguments than specifiers")
    kept = [piece for piece in pieces if text_of(piece) != ""] or [exp.Literal.string("")]
    return fragment("(" + " || ".join(f"{{{i}}}" for i in range(len(kept))) + ")", *kept)


def _plain(node: Node, part: str) -> str:
    if "%" in part:
        refuse(node, "format", "it knows %s %d %f %x %b, with width, '-', '0', ',' and '.n'")
    return part


def _formatted(node: Node, match: re.Match[str], operand: Node | None, t: Translate) -> Node:
    if operand is None:
        refuse(node, "format", "it has fewer arguments than specifiers")
    flags, width, letter = match["flags"] or "", match["width"], match["type"]
    value = t(operand)
    if letter == "f":
        digits = int(match["digits"] or 6)
        value = fragment(f"CAST(CAST(CAST({{0}} AS VARCHAR) AS DECIMAL(38, {digits})) AS VARCHAR)", value)
    elif letter == "d":
        value = fragment("CAST(CAST({0} AS BIGINT) AS VARCHAR)", value)
    elif letter in "xX":
        value = fragment(
            "lower(to_base(CAST({0} AS BIGINT), 16))" if letter == "x" else "to_base(CAST({0} AS BIGINT), 16)", value
        )
    else:
        value = call_macro("phlo_java_text", [value])
    if match["digits"] and letter != "f":
        refuse(node, f"format with {match[0]}", "only %f takes digits")
    if "," in flags:
        value = native("phlo_thousands", value)
    value = fragment("coalesce({0}, {1})", value, exp.Literal.string("null"[: int(match["digits"] or 4)]))
    if not width:
        return value
    padded = "phlo_zeros" if "0" in flags else "phlo_left" if "-" in flags else "phlo_right"
    return native(padded, value, exp.Literal.number(int(width)))


STRINGS: dict[str, Rule] = {
    "concat_ws": _concat_ws,
    "format": _format,
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
