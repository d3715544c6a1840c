"""Turns what user code and HTTP libraries raise into ``SourceError``s, with nothing secret in them."""

from __future__ import annotations

import os
import re
import traceback
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request

from phlo.declarations import from_here
from phlo.errors import (
    MalformedResponse,
    PhloError,
    SourceAuthFailed,
    SourceFunctionFailed,
    SourceInterrupted,
    SourceNotFound,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
    SourceUnreachable,
)
from phlo.load.sent import secrets_of
from phlo.redaction import LOOKED_AT, beginning, clean_url, printable, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.declarations import Ingestion


def translate(error: BaseException, ingestion: Ingestion, rows: int) -> PhloError:
    """Say what went wrong with a source after it delivered ``rows`` rows.

    What dlt wraps counts as it was; an exception that the user's code raised in the place of another is the user's.
    """
    core = next((each for each in _chain(error) if "dlt" not in _packages(each)), error)
    if isinstance(core, PhloError):
        return core
    found = _http(core, ingestion) or _connection(core, ingestion, rows) or _malformed(core, ingestion)
    return found or _function_failed(core, ingestion)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, outermost first."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _packages(error: BaseException) -> set[str]:
    return {kind.__module__.split(".")[0] for kind in type(error).__mro__}


def _kinds(error: BaseException) -> set[str]:
    """The names of an error's classes: requests, httpx and urllib are known by name, so that none is imported."""
    return {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}


def _http(error: BaseException, ingestion: Ingestion) -> PhloError | None:
    if not _kinds(error) & {"requests.HTTPError", "httpx.HTTPStatusError", "urllib.HTTPError"}:
        return None
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "code", None)
    if not isinstance(status, int):
        return None
    known = {401: SourceAuthFailed, 403: SourceAuthFailed, 404: SourceNotFound, 429: SourceRateLimited}
    kind = known.get(status) or (SourceUnavailable if status >= 500 else SourceRefused)
    reason = (
        getattr(response, "reason", None) or getattr(response, "reason_phrase", None) or getattr(error, "reason", "")
    )
    url = str(getattr(response, "url", None) or getattr(error, "url", None) or "")
    return kind(
        asset=ingestion.table_name,
        function=ingestion.source,
        status=status,
        reason=printable(str(reason)),
        url=clean_url(url),
        said=_said(error, url),
    )


SHOWN = 200
"""Characters of what a server said that an error shows."""


def _said(error: BaseException, url: str) -> str:
    """What the server said, as the end of a sentence: in one line, without markup and the secrets that it was sent."""
    response: Any = getattr(error, "response", error)
    text = printable(_beginning_of_body(response).decode("utf-8", "replace"))
    for secret in secrets_of(_request(error), url):
        text = text.replace(secret, "***")
    if text.startswith("<"):
        text = re.sub(r"(?i)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    start = beginning(text.replace("`", "'"), SHOWN + 1)
    return f"; it says `{start[:SHOWN]}{'…' if len(start) > SHOWN else ''}`" if start else ""


def _request(error: BaseException) -> object:
    """What was asked: responses know it, and of urllib's errors the frames that they came through."""
    frames = (frame.f_locals.get("req") for frame, _ in traceback.walk_tb(error.__traceback__))
    given = getattr(getattr(error, "response", None), "request", None)
    return given or next((each for each in frames if isinstance(each, Request)), None)


def _beginning_of_body(response: Any) -> bytes:
    """What was read of a body already, else its first bytes: a hook, such as dlt's, raises before requests reads it."""
    content = getattr(response, "_content", None)  # of requests and httpx
    if isinstance(content, bytes):
        return content[:LOOKED_AT]
    with suppress(OSError, ValueError, HTTPException):  # what requests raises is an OSError
        if isinstance(response, HTTPError):
            return response.read(LOOKED_AT)
        if content is False and response.raw is not None:
            return bytes(next(response.iter_content(LOOKED_AT), b""))
    return b""


CUT_SHORT = {
    "requests.ChunkedEncodingError",
    "urllib3.ProtocolError",
    "urllib3.IncompleteRead",
    "http.IncompleteRead",
    "httpx.RemoteProtocolError",
    "httpx.ReadError",
}
NO_CONNECTION = {
    "requests.ConnectionError",
    "requests.Timeout",
    "httpx.TransportError",
    "urllib.URLError",
    "urllib3.HTTPError",
    "builtins.ConnectionError",
    "builtins.TimeoutError",
    "socket.gaierror",
}


def _connection(error: BaseException, ingestion: Ingestion, rows: int) -> PhloError | None:
    kinds = _kinds(error)
    cut_short = bool(kinds & CUT_SHORT)
    if not cut_short and not kinds & NO_CONNECTION:
        return None
    kind = SourceInterrupted if cut_short or rows else SourceUnreachable
    return kind(asset=ingestion.table_name, rows=rows, detail=_why(error))


def _why(error: BaseException) -> str:
    """Say why there was no connection, from the innermost cause and the address that was asked."""
    causes = list(_chain(error))
    request = getattr(error, "request", None)
    url = str(getattr(request, "url", "") or "")
    timeout = any("Timeout" in type(each).__name__ for each in causes)
    inner = next((each for each in reversed(causes) if isinstance(each, OSError) and each.strerror), causes[-1])
    text = "no answer in time" if timeout else getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
    return redact(printable(f"{text} ({clean_url(url)})" if url else str(text)))


ANSWERS = {("requests", "Response"), ("httpx", "Response"), ("dlt", "Response")}


def _malformed(error: BaseException, ingestion: Ingestion) -> PhloError | None:
    kinds = _kinds(error)
    if not kinds & {"json.JSONDecodeError", "requests.JSONDecodeError", "simplejson.JSONDecodeError"}:
        return None
    document = str(getattr(error, "doc", "")).strip()
    start = beginning(document, 80)
    broken_off = getattr(error, "pos", 0) >= len(document) or "Unterminated" in str(error)
    detail = "it is empty" if not start else "it breaks off" if broken_off else f"it begins with `{start}…`"
    asked = _asked(error)
    return MalformedResponse(asset=ingestion.table_name, detail=f"{detail} ({asked})" if asked else detail)


def _asked(error: BaseException) -> str:
    """The address of the answer that was being read: the error does not know it, the response that raised it does."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        answer = frame.f_locals.get("self")
        if answer is not None and (type(answer).__module__.split(".")[0], type(answer).__name__) in ANSWERS:
            return clean_url(str(answer.url))
    return ""


def _function_failed(error: BaseException, ingestion: Ingestion) -> PhloError:
    """Name the line of the user's own code: the innermost one in the function's file, else beside it."""
    file = Path(ingestion.source.file)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == file]
    near = own or [frame for frame in frames if Path(frame.filename).is_relative_to(file.parent)]
    named, line = (near[-1].filename, near[-1].lineno) if near else (str(file), ingestion.source.line)
    said = next((line for line in str(error).splitlines() if line.strip()), "")
    detail = redact(f"{type(error).__name__}: {printable(said)}" if said else type(error).__name__)
    if isinstance(error, KeyError) and frames and frames[-1].filename in ("<frozen os>", os.__file__):
        detail = f"the environment has no `{error.args[0]}`; set it there, or in the project's .env"
    return SourceFunctionFailed(asset=ingestion.table_name, file=from_here(named), line=line, detail=detail)
