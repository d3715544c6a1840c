"""How Nightscout writes its answers: bodies, tags and pages, as recorded from a real server (15.0.7)."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phlo.scaffold.nightscout_query import Entry

UNAUTHORIZED = {"status": 401, "message": "Unauthorized", "description": "Invalid/Missing"}
TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "": "text/plain",
}
NOT_FOUND = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
    "<body>\n<pre>Cannot {method} {path}</pre>\n</body>\n</html>\n"
)


def dump(content: Any) -> str:
    """Write JSON as JavaScript does.

    >>> dump([{"sgv": 100, "device": "Freestyle Libré"}])
    '[{"sgv":100,"device":"Freestyle Libré"}]'
    """
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def number(text: str) -> int | float:
    """Read a number as JavaScript does, which knows one kind: 139776.0 comes back as 139776.

    >>> number("139776.0"), number("2.5")
    (139776, 2.5)
    """
    value = float(text)
    return int(value) if value.is_integer() else value


def as_table(rows: list[Entry], separator: str) -> str:
    """Write entries as the site's CSV and TSV, which have no header."""
    columns = ("dateString", "date", "sgv", "direction", "device")
    return "\r\n".join(separator.join(dump(row.get(column)) for column in columns) for row in rows)


def etag_of(content: bytes) -> str:
    """Tag a body as Express does: its length and its hash.

    >>> etag_of(b"[]")
    'W/"2-l9Fw4VUO7kr8CvBlt4zaMCqXZ0w"'
    """
    digest = b64encode(hashlib.sha1(content).digest()).decode()[:27]
    return f'W/"{len(content):x}-{digest}"'


def status_page(now: float) -> dict[str, Any]:
    """Make what ``status.json`` says, as far as clients look at it."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    return {
        "status": "ok",
        "name": "nightscout",
        "version": "15.0.7",
        "serverTime": stamp,
        "serverTimeEpoch": int(now * 1000),
        "apiEnabled": True,
        "settings": {"units": "mg/dl", "customTitle": "Nightscout", "authDefaultRoles": "readable"},
        "runtimeState": "loaded",
    }
