"""What DuckDB says, in Trino's words: its types' names, and its sentences without advice that holds only there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phlo.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPES = {
    "INT8": "tinyint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint", "INT128": "decimal(38, 0)",
    "BOOL": "boolean", "FLOAT": "real", "VARCHAR": "varchar", "STRING_LITERAL": "varchar", "INTEGER_LITERAL": "integer",
    "BLOB": "varbinary", "TIMESTAMPTZ": "timestamp with time zone", "HUGEINT": "decimal(38, 0)", "STRUCT": "row",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "TIMESTAMP": "timestamp", "DATE": "date", "TIME": "time",
    "DOUBLE": "double", "BIGINT": "bigint", "INTEGER": "integer", "SMALLINT": "smallint", "TINYINT": "tinyint",
    "BOOLEAN": "boolean", "DECIMAL": "decimal", "INTERVAL": "interval", "JSON": "json", "UUID": "uuid", "MAP": "map",
}  # fmt: skip
_TYPE = re.compile(rf"\b({'|'.join(sorted(_TYPES, key=len, reverse=True))})\b")
_LIST = re.compile(r"((?:\w+(?:\([^()]*\))?(?: with time zone)?))\[\]")
_KIND = re.compile(r"^[A-Z]\w+(?: \w+)*? Error: ")
_OURS = (  # how the macros' own errors begin: a cast that can not be done says them
    "(?:not an? [a-z]|too long: |Index must |Limit must |''?instance'|an empty string is |this distance is |"
    "there is nothing at |length must |can not trim |cast a timestamp with |SQL array indices )"
)

_SENTENCES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (rf"Could not convert string '(?P<v>{_OURS}.*)' to \w+.*", r"\g<v>"),
    (r"Could not convert string '(?P<v>.*)' to (?P<t>\w+).*",
     lambda m: f"cannot cast '{m['v']}' to {trino_type(m['t'])}"),
    (r"invalid date field format: \"(?P<v>.*)\", expected .*", r"cannot cast '\g<v>' to date"),
    (r"date field value out of range: \"(?P<v>.*)\".*", r"cannot cast '\g<v>' to date"),
    (r"(?:invalid timestamp field format|timestamp field value out of range): \"(?P<v>.*)\".*",
     r"cannot cast '\g<v>' to timestamp"),
    (r"Type \w+ with value (?P<v>\S+) can't be cast because the value is out of range for the destination type "
     r"(?P<t>\w+).*",
     lambda m: f"out of range for {trino_type(m['t'])}: {m['v']}"),
    (r"Casting value \"(?P<v>.*)\" to type (?P<t>[\w(), ]+) failed: value is out of range!?.*",
     lambda m: f"cannot cast '{m['v']}' to {trino_type(m['t'])}: it is out of range"),
    (r"Overflow in (?P<o>\w+) of (?P<t>[\w()]+) \((?P<v>.*)\).*",
     lambda m: f"{trino_type(m['t'])} {m['o']} overflow: {m['v']}"),
    (r"Division by zero in expression.*", "division by zero"),
    (r"Python exception occurred while executing the UDF: \w+: (?P<v>.*)", r"\g<v>"),
    (r"Referenced column \"(?P<c>.*?)\" not found in FROM clause!(?P<rest>.*)",
     lambda m: f"column `{m['c']}` cannot be resolved{_candidates(m['c'], m['rest'])}"),
    (r"(?:Values list|Table) \"(?P<t>.*?)\" does not have a column named \"(?P<c>.*?)\"(?P<rest>.*)",
     lambda m: f"column `{m['t']}.{m['c']}` cannot be resolved{_candidates(m['c'], m['rest'])}"),
    (r"Referenced table \"(?P<t>.*?)\" not found!.*", r"`\g<t>` is no table of this query"),
    (r"Ambiguous reference to column name \"(?P<c>.*?)\" \(use: (?P<u>.*)\)",
     lambda m: f"column `{m['c']}` is ambiguous: write {m['u'].replace(chr(39), '`')}"),
    (r"column \"?(?P<c>.*?)\"? must appear in the GROUP BY clause or must be part of an aggregate function\..*",
     r"`\g<c>` must be an aggregate expression or appear in GROUP BY clause"),
    (r"Table with name (?P<t>\S+) does not exist!.*", r"table `\g<t>` does not exist"),
    (r"(?:Scalar Function|Aggregate Function|Table Function|Function|Macro) with name (?P<f>\S+) does not exist!.*",
     r"function `\g<f>` is not registered"),
    (r"No function matches the given name and argument types '(?P<o>[^\w\s(]+)\((?P<a>.*?), (?P<b>.*?)\)'.*",
     lambda m: f"cannot apply operator: {trino_type(m['a'])} {m['o']} {trino_type(m['b'])}"),
    (r"No function matches the given name and argument types '(?P<f>\w+)\((?P<a>.*?)\)'\. .*",
     lambda m: f"unexpected parameters ({trino_type(m['a'])}) for function {_function(m['f'])}"),
    (r"Macro (?P<f>\w+)\(\) does not support the supplied arguments\..*",
     lambda m: f"unexpected parameters for {_function(m['f'])}"),
    (r"Cannot compare values of type (?P<a>.*?) and (?:type )?(?P<b>[\w()\[\]]+).*",
     lambda m: f"cannot apply operator: {trino_type(m['a'])} = {trino_type(m['b'])}"),
    (r"Malformed JSON.*Input: (?P<v>.*)", r"cannot convert value to JSON: \g<v>"),
    (r"More than one row returned by a subquery used as an expression.*",
     "a subquery that stands for a value returned more than one row"),
    (r"Map keys must be unique\.?", "duplicate map keys are not allowed"),
    (r"Could not parse string \"(?P<v>.*?)\" according to format specifier \"(?P<p>.*?)\".*",
     r"cannot parse '\g<v>' by its pattern"),
)  # fmt: skip
_ADVICE = re.compile(
    r"\s*(?:You might (?:need|want) to add (?:an )?explicit.*|Candidate (?:functions|macros|bindings):.*"
    r"|Use (?:TRY|\"?SET|try).*|Did you mean .*|Either add it to the GROUP BY.*|LINE \d+:.*)",
    re.DOTALL,
)


def in_trinos_words(said: str) -> str:
    """Say what DuckDB said as Trino would.

    >>> in_trinos_words("Conversion Error: Could not convert string 'abc' to INT32")
    "cannot cast 'abc' to integer"
    >>> in_trinos_words("Invalid Input Error: Division by zero in expression (1 // 0). Use TRY(...) to return NULL")
    'division by zero'
    """
    plain = _KIND.sub("", said.strip())
    for pattern, words in _SENTENCES:
        found = re.fullmatch(pattern, plain, re.DOTALL)
        if found:
            return " ".join((found.expand(words) if isinstance(words, str) else words(found)).split())
    return trino_type(" ".join(_ADVICE.sub("", plain).split()).removeprefix("Error: "))


def trino_type(text: str) -> str:
    """Give the types in a text their names in Trino.

    >>> trino_type("DECIMAL(4,1)[], INT64")
    'array(decimal(4,1)), bigint'
    """
    named = _TYPE.sub(lambda found: _TYPES[found[1]], text)
    while (listed := _LIST.sub(r"array(\1)", named)) != named:
        named = listed
    return named


def _candidates(name: str, rest: str) -> str:
    return nearest(name, re.findall(r"\"(\w+)\"", rest)).removesuffix(".")


def _function(name: str) -> str:
    """What the user wrote for a macro of ours: its function, or a cast."""
    plain = re.sub(r"^(?:trino|phlo)_", "", name)
    return f"a cast to {plain.removeprefix('to_')}" if name.startswith("trino_to_") else plain
