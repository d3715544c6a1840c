"""Java's regular expressions as RE2's, or a word on what RE2 has not."""

from __future__ import annotations

import re

_UNKNOWN_ESCAPES = frozenset("123456789GKRXZckhHNux")
_GROUP = re.compile(r"\(\?(?:(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<colon>[:)])|<(?P<name>[A-Za-z]\w*)>)")
_REFERENCE = re.compile(r"\\(.)|\$(?:(\d)|\{(\w+)\})", re.DOTALL)


def re2_pattern(pattern: str) -> str | None:
    r"""Turn a Java pattern into an RE2 pattern that matches the same; None where RE2 has no equal.

    ``$`` also matches before a last line break in Java; look-around, back references, possessive quantifiers and
    intersections of character classes are missing in RE2.

    >>> re2_pattern("^a(?<b>\\d+)$")
    '^a(?P<b>\\d+)(?:\\n?\\z)'
    >>> re2_pattern("(?=a)") is None
    True
    """
    out: list[str] = []
    i = 0
    while i < len(pattern):
        piece, i = _piece(pattern, i)
        if piece is None:
            return None
        out.append(piece)
    joined = "".join(out)
    return None if re.search(r"(?<!\\)[*+?}]\+", joined) else joined


def _piece(pattern: str, i: int) -> tuple[str | None, int]:
    letter = pattern[i]
    if letter == "\\":
        return _escape(pattern, i)
    if letter == "[":
        return _class(pattern, i)
    if letter == "$":
        return "(?:\\n?\\z)", i + 1
    if pattern.startswith("(?", i):
        return _group(pattern, i)
    return letter, i + 1


def _escape(pattern: str, i: int) -> tuple[str | None, int]:
    letter = pattern[i + 1 : i + 2]
    if not letter or letter in _UNKNOWN_ESCAPES:
        return None, i
    if letter in "pP":
        match = re.compile(
            r"\\[pP](\{(L[lmotu]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|IsLatin|IsGreek)\}|[LNPSZ])"
        ).match(pattern, i)
        return (match[0].replace("{Is", "{"), match.end()) if match else (None, i)
    if letter == "s":
        return r"[\s\x0b]", i + 2
    if letter == "S":
        return r"[^\s\x0b]", i + 2
    return pattern[i : i + 2], i + 2


def _class(pattern: str, i: int) -> tuple[str | None, int]:
    end = i + 1
    end += pattern.startswith("^", end)
    end += pattern.startswith("]", end)
    while end < len(pattern) and pattern[end] != "]":
        if pattern[end] == "[" or pattern.startswith("&&", end):
            return None, i
        end += 2 if pattern[end] == "\\" else 1
    inside = pattern[i : end + 1]
    if end >= len(pattern) or re.search(r"\\[SDWpPhHvVRuxck0-9]", inside):
        return None, i
    return inside.replace(r"\s", r"\s\x0b"), end + 1


def _group(pattern: str, i: int) -> tuple[str | None, int]:
    match = _GROUP.match(pattern, i)
    if not match:
        return None, i
    return (f"(?P<{match['name']}>" if match["name"] else match[0]), match.end()


def re2_replacement(replacement: str) -> str | None:
    r"""Turn a Java replacement into RE2's; None where it names a group.

    >>> re2_replacement("[$1] \\$")
    '[\\1] $'
    """
    out, end = [], 0
    for match in _REFERENCE.finditer(replacement):
        out.append(replacement[end : match.start()].replace("\\", r"\\"))
        end = match.end()
        if match[3]:
            return None
        out.append(f"\\{match[2]}" if match[2] else match[1].replace("\\", r"\\"))
    tail = replacement[end:]
    return None if "$" in tail else "".join(out) + tail.replace("\\", r"\\")


def groups(pattern: str) -> tuple[int, bool]:
    """Count the groups of a pattern, and say whether each takes part in every match.

    >>> groups("(a)(b)"), groups("(a)|(b)"), groups("(a)?b")
    ((2, True), (2, False), (1, False))
    """
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]", "x", pattern, flags=re.DOTALL)
    count = len(re.findall(r"\((?!\?)|\(\?P?<[A-Za-z]", plain))
    optional = "|" in plain or re.search(r"\)(?:[?*]|\{0?,)|\)\{0", plain) is not None
    return count, not optional
