"""Functions of Trino's that no DuckDB macro can compute, in Python; a statement's connection gets just those it names.

Python costs about a microsecond a row and more: what a macro can do is one.
"""

from __future__ import annotations

import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"\bphlo_py_\w+")
_KNOWN = "SELECT 1 FROM duckdb_functions() WHERE function_name = ?"
_ONE_AT_A_TIME = threading.Lock()  # all connections to one DuckDB share its functions


class Function(NamedTuple):
    """Where a function is, and DuckDB's types of its arguments and its result."""

    module: str
    arguments: tuple[str, ...]
    returns: str
    takes_null: bool = False


FUNCTIONS: dict[str, Function] = {
    "crc32": Function("hashes", ("BLOB",), "BIGINT"),
    "sha512": Function("hashes", ("BLOB",), "BLOB"),
    "hmac": Function("hashes", ("BLOB", "BLOB", "VARCHAR"), "BLOB"),
    "xxhash64": Function("hashes", ("BLOB",), "BLOB"),
    "murmur3": Function("hashes", ("BLOB",), "BLOB"),
    "normalize": Function("texts", ("VARCHAR", "VARCHAR"), "VARCHAR"),
    "soundex": Function("texts", ("VARCHAR",), "VARCHAR"),
    "hamming": Function("texts", ("VARCHAR", "VARCHAR"), "BIGINT"),
    "levenshtein": Function("texts", ("VARCHAR", "VARCHAR"), "BIGINT"),
    "to_base32": Function("texts", ("BLOB",), "VARCHAR"),
    "from_base32": Function("texts", ("VARCHAR",), "BLOB"),
    "from_utf8": Function("texts", ("BLOB", "VARCHAR"), "VARCHAR"),
    "is_within": Function("texts", ("VARCHAR", "VARCHAR"), "BOOLEAN"),
    "ip_address": Function("texts", ("VARCHAR",), "VARCHAR"),
    "float_bytes": Function("numbers", ("DOUBLE", "VARCHAR"), "BLOB"),
    "float_of_bytes": Function("numbers", ("BLOB", "VARCHAR"), "DOUBLE"),
    "normal_cdf": Function("numbers", ("DOUBLE", "DOUBLE", "DOUBLE"), "DOUBLE"),
    "inverse_normal_cdf": Function("numbers", ("DOUBLE", "DOUBLE", "DOUBLE"), "DOUBLE"),
    "java_format": Function("numbers", ("DOUBLE", "VARCHAR"), "VARCHAR"),
    "json_exists": Function("sqljson", ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"), "BOOLEAN", takes_null=True),
    "json_query": Function("sqljson", ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR", takes_null=True),
    "json_value": Function("sqljson", ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR", takes_null=True),
    "json_items": Function("sqljson", ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR[]", takes_null=True),
    "json_number": Function("jsontext", ("VARCHAR", "VARCHAR"), "VARCHAR"),
    "json_compact": Function("jsontext", ("VARCHAR",), "VARCHAR"),
}
"""By the name that follows ``phlo_py_`` in SQL, which is the function's name in its module."""


def needed(sql: str) -> Iterator[str]:
    """Name the functions that a statement calls.

    >>> list(needed("SELECT phlo_py_crc32(x) FROM t"))
    ['crc32']
    """
    for name in dict.fromkeys(found.removeprefix("phlo_py_") for found in _NAME.findall(sql)):
        if name in FUNCTIONS:
            yield name


def register(con: Any, sql: str) -> None:
    """Make the functions that a statement calls known to a DuckDB connection."""
    for name in needed(sql):
        module, arguments, returns, takes_null = FUNCTIONS[name]
        function = getattr(import_module(f"{__name__}.{module}"), name)
        handling = "special" if takes_null else "default"
        with _ONE_AT_A_TIME:
            if not con.execute(_KNOWN, [f"phlo_py_{name}"]).fetchall():
                con.create_function(f"phlo_py_{name}", function, list(arguments), returns, null_handling=handling)
