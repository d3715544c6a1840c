"""Which names tables and refs may have."""

from __future__ import annotations

import re

from phlo.errors import InvalidRefName, InvalidTableName
from phlo.protocols import MAIN

PART = re.compile(r"[A-Za-z0-9_]{1,255}")
REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,254}")


def split(name: str) -> tuple[str, str]:
    """Take ``namespace.name`` apart; raise ``InvalidTableName`` for anything else.

    Trino reads ``@`` and ``#`` in a name as a branch, and file systems and URIs dislike much else.

    >>> split("raw.glucose_entries")
    ('raw', 'glucose_entries')
    """
    parts = name.split(".")
    if len(parts) != 2:
        raise InvalidTableName(name=name, detail="it has to be `namespace.name`")
    for part in parts:
        if not PART.fullmatch(part):
            raise InvalidTableName(name=name, detail=f"`{part}` holds more than letters, digits and underscores")
    return parts[0], parts[1]


def check_ref_name(name: str) -> None:
    """Raise ``InvalidRefName`` for a name that a new ref can not have."""
    if name == MAIN:
        raise InvalidRefName(name=name, detail="it is the one that always is")
    if not REF.fullmatch(name):
        raise InvalidRefName(name=name, detail="use letters, digits, `_`, `-` and `.`, not `.` or `-` first")
