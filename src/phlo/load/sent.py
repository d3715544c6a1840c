"""The secrets that a request sent: a server may repeat them, and nobody should read them there."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from phlo.redaction import MIN_SECRET, is_secret, printable

if TYPE_CHECKING:
    from collections.abc import Iterator


def secrets_of(request: object, url: str) -> list[str]:
    """The secrets of a request's headers, body and address, in each spelling that an answer may have; longest first.

    Requests of requests, httpx and urllib are read by what they have in common.
    """
    sent = (getattr(request, name, None) or {} for name in ("headers", "unredirected_hdrs"))
    headers = [each for some in sent for each in some.items()]
    address = urlsplit(url)
    given = [
        *(each for name, value in headers if is_secret(name) for each in _of_header(_text(value))),
        *_of_form(address.query),
        *_of_body(_text(_body(request))),
        *_of_login(unquote(address.username or ""), unquote(address.password or "")),
    ]
    spelled = {each for value in given if len(value) >= MIN_SECRET for each in _spellings(value)}
    return sorted(spelled, key=len, reverse=True)


def _body(request: Any) -> object:
    """What was sent: by requests, by httpx where it was no stream, by urllib."""
    found = (getattr(request, name, None) for name in ("body", "_content", "data"))
    return next((each for each in found if isinstance(each, (str, bytes))), "")


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _of_header(value: str) -> Iterator[str]:
    """`Bearer x` is a secret whole and without its first word, `Basic x` has a login, cookies have names and values."""
    yield value
    words = re.split(r"[\s;,]+", value)
    named = len(words) > 1 and words[0].isalpha()
    for word in words[named:]:
        yield word
        yield word.partition("=")[2].strip('"')
    if named and words[0].lower() == "basic":
        yield from _of_login(*_decoded(words[1]).split(":", 1))


def _decoded(login: str) -> str:
    try:
        return b64decode(login).decode("utf-8", "replace")
    except ValueError:
        return ""


def _of_login(user: str, password: str = "") -> Iterator[str]:
    """The password; where it is none or too short to be one, the user is the key."""
    yield password if len(password) >= MIN_SECRET else user


def _of_form(form: str) -> Iterator[str]:
    """The values of a form; in an address, a plus sign is a space to some and a plus sign to others."""
    pairs = [*parse_qsl(form), *parse_qsl(form.replace("+", "%2B"))]
    return (value for name, value in pairs if is_secret(name))


def _of_body(body: str) -> Iterator[str]:
    """The values of a form, or of JSON however deep."""
    try:
        yield from _of_json(json.loads(body), secret=False)
    except (ValueError, RecursionError):
        yield from _of_form(body)


def _of_json(value: object, *, secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _of_json(each, secret=secret or is_secret(name))
    elif isinstance(value, list):
        for each in value:
            yield from _of_json(each, secret=secret)
    elif secret:
        yield str(value)


def _spellings(value: str) -> set[str]:
    """A value as it is read in one line, in an address and in JSON, with slashes escaped there or not."""
    plain = printable(value)
    escaped = (json.dumps(plain, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return {plain, quote(plain), quote(plain, safe=""), quote_plus(plain)}.union(
        *({each, each.replace("/", r"\/")} for each in escaped)
    )
