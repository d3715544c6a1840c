"""The two languages of time patterns, MySQL's and Joda's, in strftime's."""

from __future__ import annotations

import re

# MySQL's specifiers (date_format, date_parse) in strftime's.
MYSQL = {
    "a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%g000", "H": "%H", "h": "%I", "I": "%I", "i": "%M",
    "j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S",
    "T": "%H:%M:%S", "v": "%V", "W": "%A", "x": "%G", "Y": "%Y", "y": "%y", "%": "%%",
}  # fmt: skip
MYSQL_PARSE = {
    **{key: MYSQL[key] for key in "bdHhIiMmpSsTYyr%ajW"},
    "c": "%m",
    "e": "%d",
    "k": "%H",
    "l": "%I",
    "f": "%f",
}
# Joda's letters (format_datetime, parse_datetime) by their count.
JODA = {
    "y": {1: "%Y", 2: "%y", 4: "%Y"}, "Y": {1: "%Y", 2: "%y", 4: "%Y"}, "x": {1: "%G", 4: "%G"},
    "M": {1: "%-m", 2: "%m", 3: "%b", 4: "%B"}, "d": {1: "%-d", 2: "%d"}, "D": {1: "%-j", 3: "%j"},
    "w": {2: "%V"}, "e": {1: "%u"}, "E": {1: "%a", 2: "%a", 3: "%a", 4: "%A"}, "a": {1: "%p"},
    "H": {1: "%-H", 2: "%H"}, "h": {1: "%-I", 2: "%I"}, "m": {1: "%-M", 2: "%M"}, "s": {1: "%-S", 2: "%S"},
    "S": {3: "%g", 6: "%g000"}, "Z": {1: "+0000", 2: "+00:00"}, "z": {1: "UTC", 3: "UTC"},
}  # fmt: skip
JODA_PARSE = {"y": {4: "%Y"}, "M": {1: "%m", 2: "%m", 3: "%b", 4: "%B"}, "d": {1: "%d", 2: "%d"},
               "H": {1: "%H", 2: "%H"}, "h": {1: "%I", 2: "%I"}, "m": {1: "%M", 2: "%M"}, "s": {1: "%S", 2: "%S"},
               "S": {3: "%f"}, "a": {1: "%p"}}  # fmt: skip
CODES = re.compile(r"%-?.")
_JODA_PARTS = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


def mysql_pattern(pattern: str, known: dict[str, str]) -> str | None:
    """Turn a pattern of date_format into strftime's; None where it has a specifier without an equal.

    >>> mysql_pattern("%Y-%m-%d %H:%i", MYSQL)
    '%Y-%m-%d %H:%M'
    """
    out, rest = [], iter(pattern)
    for letter in rest:
        if letter != "%":
            out.append(letter)
            continue
        specifier = next(rest, "")
        if specifier not in known:
            return None
        out.append(known[specifier])
    return "".join(out)


def joda_pattern(pattern: str, known: dict[str, dict[int, str]]) -> str | None:
    """Turn a pattern of format_datetime into strftime's; None where it has letters without an equal.

    >>> joda_pattern("yyyy-MM-dd'T'HH", JODA)
    '%Y-%m-%dT%H'
    """
    out, end = [], 0
    for match in _JODA_PARTS.finditer(pattern):
        if match.start() != end:
            return None
        end = match.end()
        quoted, letter = match[1], match[2]
        if quoted is not None:
            out.append((quoted.replace("''", "'") or "'").replace("%", "%%"))
        elif letter:
            equal = known.get(letter, {}).get(len(match[0]))
            if equal is None:
                return None
            out.append(equal)
        else:
            out.append(match[0].replace("%", "%%"))
    return "".join(out) if end == len(pattern) else None
