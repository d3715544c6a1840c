"""Takes secrets out of texts that people read: what user code and HTTP libraries raise quotes addresses and tokens."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit, urlunsplit

SECRET = r"token|secret|passw|passphrase|pwd|api[_-]?key|auth(?!or(?!i))|credential|signature|\bsig\b|\bkey\b|jwt"
"""What the names of secrets have in them wherever they stand."""
SENT = r"pin|otp|code|access|session"
"""What names of secrets are, or have as a word, in a request: elsewhere they name other things too."""
SECRET_NAME = rf"[\w.\-]*(?:{SECRET})[\w.\-]*"
SECRET_VALUE = re.compile(rf"(?i)({SECRET_NAME}[\"']?\s*[=:]\s*[\"']?)(?:bearer\s+|basic\s+)?[^\s&\"',;)}}]+")
PARAMETER = re.compile(rf"(?i)([?&](?:{SENT})=)[^\s&\"'#]+")
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
    return PARAMETER.sub(r"\1***", SECRET_VALUE.sub(r"\1***", text))


def beginning(text: str, length: int) -> str:
    """Return the first characters of a text in one line, without secrets.

    They are taken out before the cut, as half a secret is not known.

    >>> beginning("https://ann:pw@host/x", 16)
    'https://***@host'
    """
    return redact(printable(text[:LOOKED_AT]))[:length]


def printable(text: str) -> str:
    r"""Return a text in one line, without what a terminal would act on or nobody would see.

    >>> printable("\x1b[2Jno \n  such\u202e day")
    '[2Jno such day'
    """
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def is_secret(name: str) -> bool:
    """Tell whether what a request calls by this name is a secret.

    >>> [is_secret(name) for name in ("client_secret", "X-Functions-Key", "userPin", "design", "keyword")]
    [True, True, True, False, False]
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).replace("_", "-")
    return re.search(rf"(?i){SECRET}|cookie|session|key\b|\b(?:{SENT})\b", words) is not None


def clean_url(url: str) -> str:
    """Give a URL to read: without user info, fragment and the values of secret parameters, and not percent-encoded."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return redact(printable(unquote(redact(urlunsplit(parts._replace(netloc=host, fragment=""))))))


def _secrets_of_environment() -> list[str]:
    named = re.compile(r"(?i)token|secret|passw|api_?key|credential")
    return [value for name, value in os.environ.items() if named.search(name) and len(value) >= MIN_SECRET]
