"""Reads the calls of SQL/JSON, whose parentheses hold a grammar of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

if TYPE_CHECKING:
    from sqlglot.parser import Parser

    from phlo.engine.dialect.nodes import Node


class SqlJson(exp.Expression, exp.Func):
    """A call of SQL/JSON: ``name`` in capitals, its input, path and clauses."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": False, "name": True, "format": False, "path": False, "passing": False, "returning": False,
        "wrapper": False, "quotes": False, "on_empty": False, "on_error": False, "expressions": False,
        "keys": False, "formats": False, "on_null": False, "columns": False,
    }  # fmt: skip


class JsonColumn(exp.Expression):
    """A column of JSON_TABLE: FOR ORDINALITY, a value, or NESTED columns."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": False, "kind": False, "path": False, "value": False, "nested": False, "ordinality": False,
    }  # fmt: skip


def path_call(name: str) -> Any:
    """Read JSON_EXISTS, JSON_QUERY or JSON_VALUE after its parenthesis."""

    def read(parser: Parser) -> Node:
        node = SqlJson(name=name, this=parser._parse_bitwise(), format=_format(parser))
        _require(parser, parser._match(TokenType.COMMA), "the path is missing")
        node.set("path", parser._parse_string())
        _require(parser, bool(node.args.get("path")), "the path is a literal")
        _clauses(parser, node)
        return node

    return read


def array_call(parser: Parser) -> Node:
    """Read JSON_ARRAY after its parenthesis."""
    values: list[Node] = []
    formats: list[str] = []
    while not (parser._curr is None or parser._curr.token_type is TokenType.R_PAREN or _at_clause(parser)):
        value = parser._parse_bitwise()
        _require(parser, value is not None, "a value is missing")
        values.append(value)  # type: ignore[arg-type]
        formats.append(_format(parser))
        if not parser._match(TokenType.COMMA):
            break
    node = SqlJson(name="JSON_ARRAY", expressions=values, formats=formats)
    _clauses(parser, node)
    return node


def object_call(parser: Parser) -> Node:
    """Read JSON_OBJECT after its parenthesis."""
    node = SqlJson(name="JSON_OBJECT")
    keys: list[Node | None] = []
    values: list[Node | None] = []
    formats: list[str] = []
    while not (parser._curr is None or parser._curr.token_type is TokenType.R_PAREN or _at_clause(parser)):
        parser._match_text_seq("KEY")
        keys.append(parser._parse_primary() or parser._parse_column_reference())
        colon = parser._match(TokenType.COLON) or parser._match_text_seq("VALUE")
        _require(parser, bool(colon), "a key and its value are divided by `:` or VALUE")
        values.append(parser._parse_bitwise())
        formats.append(_format(parser))
        if not parser._match(TokenType.COMMA):
            break
    _require(parser, None not in keys and None not in values, "a key or a value is missing")
    for key, given in (("keys", keys), ("expressions", values), ("formats", formats)):
        node.set(key, given)
    _clauses(parser, node)
    if parser._match_text_seq("WITH", "UNIQUE"):
        parser._match_text_seq("KEYS")
        node.set("on_empty", "UNIQUE")
    elif parser._match_text_seq("WITHOUT", "UNIQUE"):
        parser._match_text_seq("KEYS")
    return node


def table_call(parser: Parser) -> Node:
    """Read JSON_TABLE after its parenthesis."""
    node = SqlJson(name="JSON_TABLE", this=parser._parse_bitwise(), format=_format(parser))
    _require(parser, parser._match(TokenType.COMMA), "the path is missing")
    node.set("path", parser._parse_string())
    if parser._match(TokenType.ALIAS):
        parser._parse_id_var()
    _clauses(parser, node)
    node.set("columns", _columns(parser))
    if parser._match_text_seq("PLAN"):
        node.set("wrapper", _plan(parser))
    _clauses(parser, node)
    return node


def _plan(parser: Parser) -> str:
    """The words of PLAN (…)."""
    parser._match_text_seq("DEFAULT")
    _require(parser, parser._match(TokenType.L_PAREN), "PLAN is followed by (")
    words: list[str] = []
    while parser._curr is not None and parser._curr.token_type is not TokenType.R_PAREN:
        words.append(parser._curr.text.upper())
        parser._advance()
    parser._match_r_paren()
    return " ".join(words)


def _columns(parser: Parser) -> list[Node]:
    _require(parser, parser._match_text_seq("COLUMNS"), "COLUMNS (…) is missing")
    parser._match_l_paren()
    columns: list[Node] = []
    while True:
        columns.append(_column(parser))
        if not parser._match(TokenType.COMMA):
            break
    parser._match_r_paren()
    return columns


def _column(parser: Parser) -> Node:
    if parser._match_text_seq("NESTED"):
        parser._match_text_seq("PATH")
        path = parser._parse_string()
        if parser._match(TokenType.ALIAS):
            parser._parse_id_var()
        return JsonColumn(path=path, nested=_columns(parser))
    name = parser._parse_id_var()
    if parser._match_text_seq("FOR", "ORDINALITY"):
        return JsonColumn(this=name, ordinality=True)
    kind = parser._parse_types()
    format_ = _format(parser)
    path = parser._parse_string() if parser._match_text_seq("PATH") else None
    value = SqlJson(name="JSON_QUERY" if format_ else "JSON_VALUE", path=path, returning=kind)
    _clauses(parser, value)
    return JsonColumn(this=name, kind=kind, value=value)


def _format(parser: Parser) -> str:
    """FORMAT JSON [ENCODING …]: empty without it."""
    if not parser._match_text_seq("FORMAT", "JSON"):
        return ""
    if not parser._match_text_seq("ENCODING"):
        return "JSON"
    found = next((word for word in ("UTF8", "UTF16", "UTF32") if parser._match_text_seq(word)), "")
    _require(parser, bool(found), "the encoding is UTF8, UTF16 or UTF32")
    return found


def _at_clause(parser: Parser) -> bool:
    """Whether a clause begins here, and no value."""
    words = parser._curr.text.upper() if parser._curr else ""
    after = parser._next.text.upper() if parser._next else ""
    return words == "RETURNING" or (words, after) in {("NULL", "ON"), ("ABSENT", "ON"), ("WITH", "UNIQUE")}


def _clauses(parser: Parser, node: SqlJson) -> None:
    """Read PASSING, RETURNING, WRAPPER, QUOTES and ON … in whatever order they stand."""
    while _clause(parser, node):
        pass


def _clause(parser: Parser, node: SqlJson) -> bool:
    if parser._match_text_seq("PASSING"):
        node.set("passing", parser._parse_csv(lambda: _passed(parser)))
    elif parser._match_text_seq("RETURNING"):
        node.set("returning", parser._parse_types())
        _format(parser)
    elif wrapper := _wrapper(parser):
        node.set("wrapper", wrapper)
    elif quotes := next((word for word in ("KEEP", "OMIT") if parser._match_text_seq(word, "QUOTES")), ""):
        parser._match_text_seq("ON", "SCALAR", "STRING")
        node.set("quotes", quotes)
    else:
        return _on(parser, node)
    return True


def _wrapper(parser: Parser) -> str:
    for words, meaning in (
        (("WITHOUT", "ARRAY", "WRAPPER"), "WITHOUT"), (("WITHOUT", "WRAPPER"), "WITHOUT"),
        (("WITH", "CONDITIONAL", "ARRAY", "WRAPPER"), "CONDITIONAL"),
        (("WITH", "CONDITIONAL", "WRAPPER"), "CONDITIONAL"),
        (("WITH", "UNCONDITIONAL", "ARRAY", "WRAPPER"), "UNCONDITIONAL"),
        (("WITH", "UNCONDITIONAL", "WRAPPER"), "UNCONDITIONAL"),
        (("WITH", "ARRAY", "WRAPPER"), "UNCONDITIONAL"), (("WITH", "WRAPPER"), "UNCONDITIONAL"),
    ):  # fmt: skip
        if parser._match_text_seq(*words):
            return meaning
    return ""


def _on(parser: Parser, node: SqlJson) -> bool:
    behaviour: Node | str = ""
    if parser._match_text_seq("DEFAULT"):
        behaviour = parser._parse_bitwise() or ""
    elif parser._match_text_seq("EMPTY", "ARRAY"):
        behaviour = "ARRAY"
    elif parser._match_text_seq("EMPTY", "OBJECT"):
        behaviour = "OBJECT"
    else:
        words = ("ERROR", "NULL", "TRUE", "FALSE", "UNKNOWN", "ABSENT", "EMPTY")
        behaviour = next((word for word in words if parser._match_text_seq(word, "ON", advance=False)), "")
        if not behaviour:
            return False
        parser._advance()
    _require(parser, parser._match(TokenType.ON), "ON is missing")
    for word, key in (("EMPTY", "on_empty"), ("ERROR", "on_error"), ("NULL", "on_null")):
        if parser._match_text_seq(word):
            node.set(key, behaviour)
            return True
    _require(parser, False, "ON EMPTY, ON ERROR or ON NULL is expected")
    return False


def _passed(parser: Parser) -> Node:
    value = parser._parse_bitwise()
    _format(parser)
    parser._match(TokenType.ALIAS)
    name = parser._parse_id_var()
    _require(parser, name is not None, "a passed value has a name")
    spelled = name.name if name and name.args.get("quoted") else (name.name.upper() if name else "")
    return exp.PropertyEQ(this=exp.to_identifier(spelled), expression=value)


def _require(parser: Parser, met: bool | None, message: str) -> None:
    if not met:
        parser.raise_error(message)
