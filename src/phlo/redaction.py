"""Takes secrets out of texts that people read: what user code and HTTP libraries raise quotes addresses and tokens."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit, urlunsplit

SECRET_NAME = (
    r"[\w.\-]*(?:token|secret|passw|pwd|api[_-]?key|apikey|auth|credential|signature|\bsig\b|\bkey\b|jwt)[\w.\-]*"
)
SECRET_VALUE = re.compile(rf"(?i)({SECRET_NAME}[\"']?\s*[=:]\s*[\"']?)(?:bearer\s+|basic\s+)?[^\s&\"',;)}}]+")
USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]*://)[^/\s@]+@")
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/\-]{8,}=*")
LOOKED_AT = 4_000
"""Characters of a long text that are looked through before its beginning is shown."""

MIN_SECRET = 6
"""Shorter values of secret variables are left alone: they occur by chance."""


def redact(text: str) -> str:
    """Take secrets out of a text: user info and secret parameters of URLs, bearer tokens, secrets of the environment.

    >>> redact("GET https://ann:pw@host/x?token=abc123&count=10")
    'GET https://***@host/x?token=***&count=10'
    """
    for value in _secrets_of_environment():
        text = text.replace(value, "***")
    text = BEARER.sub(r"\1 ***", USERINFO.sub(r"\1***@", text))
    return SECRET_VALUE.sub(r"\1***", text)


def beginning(text: str, length: int) -> str:
    """Return the first characters of a text without secrets: taken out before the cut, as half a secret is not known.

    >>> beginning("https://ann:pw@host/x", 16)
    'https://***@host'
    """
    return redact(text[:LOOKED_AT])[:length]


def clean_url(url: str) -> str:
    """Give a URL to read: without user info, fragment and the values of secret parameters, and not percent-encoded."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return redact(unquote(redact(urlunsplit(parts._replace(netloc=host, fragment="")))))


def _secrets_of_environment() -> list[str]:
    named = re.compile(r"(?i)token|secret|passw|api_?key|credential")
    return [value for name, value in os.environ.items() if named.search(name) and len(value) >= MIN_SECRET]
