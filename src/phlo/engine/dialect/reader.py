"""Reads Trino's SQL into a tree in which every function call is still the call that was written.

sqlglot's own Trino reader turns calls into the functions it believes they mean, which loses what was asked for;
here only the calls with a grammar of their own (CAST, EXTRACT, TRIM …) become typed nodes.
"""

from __future__ import annotations

import re
import sys
import threading
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from phlo.engine.dialect.json_grammar import array_call, object_call, path_call, table_call
from phlo.errors import QuerySyntax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phlo.engine.dialect.nodes import Node

DIALECT = "phlo_dialect"
"""Where a statement's root keeps the dialect that it was read in."""

OWN_GRAMMAR = ("CAST", "EXTRACT", "LISTAGG", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST")

_NO_ITEM = frozenset({TokenType.COMMA, TokenType.FROM, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.WHERE})
DEEPEST = 5000  # Python's own frames at the deepest; more could overrun the stack of a thread
_DEEPER = threading.Lock()
T = TypeVar("T")

_UNDERSCORED = re.compile(r"(_\d+)+$")
_RADIX = re.compile(r"0(?:x(?P<x>[0-9a-f_]+)|o(?P<o>[0-7_]+)|b(?P<b>[01_]+))$", re.IGNORECASE)
_MISSING = re.compile("Expecting|Expected|Required keyword")
_REQUIRED = re.compile(r"Required keyword: .*")
_QUOTED = re.compile(r"(?P<ended>'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/)|(?P<unended>['\"]|/\*)", re.DOTALL)
_SPACED = re.compile(
    r"(?P<hex>\b[xX]'[0-9A-Fa-f ]*')|(?P<number>(?<![\w.])(?:\d[\d_]*\.?\d*|\.\d+)[eE]\d+)(?=[+-])"
    r"|'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
_TOKEN = re.compile(r"<Token .*?text: (.*?), line: .*>", re.DOTALL)


def _quantified(kind: type[exp.SubqueryPredicate]) -> Callable[..., Node]:
    """Read what follows ``> ALL (``: sqlglot knows it before SELECT alone."""
    return lambda self: kind(this=exp.Subquery(this=self._parse_select()))


class PhloTrinoParser(TrinoParser):
    """sqlglot's Trino parser, less its table of functions."""

    FUNCTIONS: ClassVar[dict[str, Callable[..., Node]]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Node]]] = {
        **{name: TrinoParser.FUNCTION_PARSERS[name] for name in OWN_GRAMMAR},
        **{name: path_call(name) for name in ("JSON_EXISTS", "JSON_QUERY", "JSON_VALUE")},
        **{word: _quantified(kind) for word, kind in (("ALL", exp.All), ("ANY", exp.Any), ("SOME", exp.Any))},
        "JSON_ARRAY": array_call,
        "JSON_OBJECT": object_call,
        "JSON_TABLE": table_call,
    }

    TYPE_LITERAL_PARSERS: ClassVar[dict[exp.DType, Callable[..., Node]]] = {
        **TrinoParser.TYPE_LITERAL_PARSERS,
        exp.DType.DECIMAL: lambda self, this, to: self.expression(_decimal_literal(this, to)),
    }

    def parse(self, raw_tokens: list[Token], sql: str) -> list[Node | None]:
        """Parse tokens; numbers such as 1_000 and 0xFF, which the tokenizer does not know, are joined first."""
        _check_commas(raw_tokens)
        return super().parse(_join_numbers(raw_tokens, sql), sql)

    def _warn_unsupported(self) -> None:
        """Say nothing of statements kept as text: the guard judges them."""


class PhloTrino(Trino):
    """Trino's SQL with its subscripts as written (from 1)."""

    INDEX_OFFSET = 0
    Parser = PhloTrinoParser


class PhloDuckDBTextParser(DuckDBParser):
    """sqlglot's DuckDB parser, less its table of functions."""

    FUNCTIONS: ClassVar[dict[str, Callable[..., Node]]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Node]]] = {
        name: DuckDBParser.FUNCTION_PARSERS[name] for name in OWN_GRAMMAR if name != "LISTAGG"
    }

    def _warn_unsupported(self) -> None:
        """Say nothing of statements kept as text: the guard judges them."""


class PhloDuckDBText(DuckDB):
    """DuckDB's SQL as it is written."""

    INDEX_OFFSET = 0
    Parser = PhloDuckDBTextParser


def parse(sql: str, dialect: str = "trino") -> Node:
    """Parse one statement; raise ``QuerySyntax`` with line, column and the line itself where that fails.

    >>> parse("SELECT approx_distinct(sgv) FROM raw.glucose_entries").key
    'select'
    """
    statements = [tree for tree in _parse_all(sql, dialect) if tree is not None]
    if len(statements) != 1:
        found = "nothing" if not statements else f"{len(statements)} of them"
        raise _syntax_error(sql, 1, 1, f"expected one statement, found {found}")
    statement = statements[0]
    statement.meta[DIALECT] = dialect
    return statement


@lru_cache(maxsize=64)
def read_once(sql: str, dialect: str = "trino") -> Node:
    """Parse one statement, or return the tree that it was parsed to just before: nobody may change it."""
    return parse(sql, dialect)


def _decimal_literal(this: Node, to: exp.DataType) -> exp.Cast:
    """Give DECIMAL '10.3' the type that its digits have, as a number written without quotes has."""
    whole, _, part = this.name.strip().lstrip("+-").partition(".")
    precision = max(1, len(whole.lstrip("0")) + len(part))
    to.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(n)) for n in (precision, len(part))])
    return exp.Cast(this=this, to=to)


def _parse_all(sql: str, dialect: str) -> list[Node | None]:
    reader = PhloTrino() if dialect == "trino" else PhloDuckDBText()
    if dialect == "trino":
        sql = _SPACED.sub(_spaced, sql)
    try:
        return deeply(lambda: reader.parse(sql), sql)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        detail = str(first.get("description") or error)
        raise _syntax_error(sql, *_place(sql, first), detail) from error
    except TokenError as error:
        raise _syntax_error(sql, *_unended(sql), "a quotation or a comment does not end") from error


def _spaced(found: re.Match[str]) -> str:
    """Write what sqlglot's tokenizer mistakes so that it does not: X'0A 0B' without spaces, 1e1-1 with one."""
    if found["hex"]:
        return found["hex"].replace(" ", "")
    return f"{found['number']} " if found["number"] else found[0]


def _place(sql: str, error: Mapping[str, Any]) -> tuple[int, int]:
    """Line and column at which the culprit begins, or at which the text ends too early.

    The parser tells of the end of the last token that it read.
    """
    culprit, after = str(error.get("highlight") or ""), str(error.get("end_context") or "")
    if not after.strip() and _MISSING.search(str(error.get("description"))):
        lines = sql.rstrip().split("\n")
        return len(lines), len(lines[-1]) + 1
    return int(error.get("line") or 1), max(1, int(error.get("col") or 1) - len(culprit.rpartition("\n")[2]) + 1)


def _unended(sql: str) -> tuple[int, int]:
    """Line and column of the quotation or comment that does not end."""
    start = next((found.start() for found in _QUOTED.finditer(sql) if found.lastgroup == "unended"), 0)
    return sql.count("\n", 0, start) + 1, start - sql.rfind("\n", 0, start)


def deeply(work: Callable[[], T], sql: str) -> T:
    """Do work that goes as deep as a statement is nested; a thousand terms in one sum are as many levels."""
    try:
        return work()
    except RecursionError:
        with _DEEPER:
            before = sys.getrecursionlimit()
            sys.setrecursionlimit(max(before, DEEPEST))
            try:
                return work()
            except RecursionError as error:
                raise _syntax_error(sql, 1, 1, "the statement is nested too deeply") from error
            finally:
                sys.setrecursionlimit(before)


def _syntax_error(sql: str, line: int, column: int, detail: str) -> QuerySyntax:
    lines = sql.splitlines() or [""]
    text = lines[min(line, len(lines)) - 1].strip()
    detail = _TOKEN.sub(lambda found: "the end" if found[1] == "SENTINEL" else f"`{found[1]}`", detail)
    detail = _REQUIRED.sub("an operand is missing", detail)
    return QuerySyntax(line=line, column=column, detail=detail.rstrip(". "), text=text)


def _check_commas(tokens: list[Token]) -> None:
    """Refuse a comma that nothing follows: sqlglot passes over it."""
    for comma, after in pairwise(tokens):
        if comma.token_type is TokenType.COMMA and after.token_type in _NO_ITEM:
            raise ParseError.new(
                "", "nothing stands behind the comma", comma.line, comma.col, highlight=",", end_context=after.text
            )


def _join_numbers(tokens: list[Token], sql: str) -> list[Token]:
    joined: list[Token] = []
    for token in tokens:
        previous = joined[-1] if joined else None
        if previous and token.token_type is TokenType.VAR and _adjacent(previous, token):
            joined[-1] = _joined(previous, token)
        elif token.token_type is TokenType.NUMBER and len(joined) > 1 and _is_fraction(joined[-2], joined[-1], sql):
            joined[-2:] = [_number(joined[-2], f"{joined[-2].text}.{token.text}", token.end)]
        elif token.token_type is TokenType.HEX_STRING and sql[token.start : token.end + 1].startswith("0"):
            joined.append(_number(token, "0x" + token.text))
        else:
            joined.append(token)
    return joined


def _adjacent(number: Token, token: Token) -> bool:
    return number.token_type is TokenType.NUMBER and token.start == number.end + 1


def _is_fraction(number: Token, dot: Token, sql: str) -> bool:
    """Whether a dot follows a number that was joined at its underscores."""
    return dot.token_type is TokenType.DOT and _adjacent(number, dot) and "_" in sql[number.start : number.end + 1]


def _joined(number: Token, token: Token) -> Token:
    text = number.text + token.text
    if not (_UNDERSCORED.match(token.text) or _RADIX.match(text)):
        what = f"`{text}` is neither a number nor a name"
        raise ParseError.new("", what, number.line, number.col, highlight=number.text, end_context=token.text)
    return _number(number, text, token.end)


def _number(token: Token, text: str, end: int | None = None) -> Token:
    plain = text.replace("_", "")
    if match := _RADIX.match(plain):
        plain = str(int(match[match.lastgroup or 0], {"x": 16, "o": 8, "b": 2}[match.lastgroup or "x"]))
    return Token(TokenType.NUMBER, plain, token.line, token.col, token.start, token.end if end is None else end)
