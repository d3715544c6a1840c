"""The DuckDB macros that the rules call, as SQL files by topic."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

TOPICS = ("number", "text", "cast", "time", "array", "json", "aggregate")

_MACRO = re.compile(r"^CREATE OR REPLACE MACRO (\w+)(.*?);$", re.DOTALL | re.MULTILINE)
_PARAMETERS = re.compile(r"(?:^|,)\s*\(((?:[^()]|\([^()]*\))*)\) AS\s")
_TYPE_ARGUMENTS = re.compile(r"\([^()]*\)")


@lru_cache(maxsize=1)
def macro_sql() -> str:
    """Read the statements that make all macros."""
    folder = files(__name__)
    return "\n".join((folder / f"{topic}.sql").read_text(encoding="utf-8") for topic in TOPICS)


@lru_cache(maxsize=1)
def signatures() -> dict[str, dict[int, tuple[str, ...]]]:
    """Map each macro to its parameters' names, by the number of operands that it takes.

    A parameter ``t_x`` takes the operand of ``x`` a second time, for its type alone, and does not count.

    >>> signatures()["trino_divide"]
    {2: ('t_a', 't_b', 'a', 'b')}
    """
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for name, rest in _MACRO.findall(macro_sql()):
        for parameters in _PARAMETERS.findall(rest):
            names = tuple(part.split()[0] for part in _TYPE_ARGUMENTS.sub("", parameters).split(",") if part.strip())
            operands = [name for name in names if not name.startswith("t_")]
            found.setdefault(name, {}).setdefault(len(operands), names)
    return found
