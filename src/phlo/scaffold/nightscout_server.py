"""A small Nightscout-compatible server on loopback, after the recorded answers of a real one (15.0.7).

It serves the demo, and tests that want a real HTTP source with a real source's habits: ten entries unless told
otherwise, newest first, text comparison of ``dateString``, mixed entry types, a four-day window, ETags, and failures
on demand. ``python -m phlo.scaffold.nightscout_server --port 0`` runs it alone.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from phlo.scaffold.nightscout_answers import (
    NOT_FOUND,
    TYPES,
    UNAUTHORIZED,
    as_table,
    dump,
    etag_of,
    number,
    status_page,
)
from phlo.scaffold.nightscout_query import Entries, Entry, read_conditions, read_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Failure = Literal["401", "404", "429", "500", "503", "timeout", "half", "malformed", "html"]
"""A status; no answer for a while; half of the body; JSON that breaks off; a web page instead of JSON."""

API = "/api/v1"


class NightscoutServer:
    """Serves entries on 127.0.0.1 from a thread, until it is closed.

    ``secret`` is the site's API_SECRET: clients send its SHA-1 hash as ``api-secret``, or one of ``tokens``. Without
    credentials everybody may read (``public``), as on a default site; wrong ones are refused with 401.

    >>> with NightscoutServer([{"_id": "a", "type": "sgv", "sgv": 100, "date": 1705708800000}]) as server:
    ...     server.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        rows: Iterable[Entry] = (),
        *,
        port: int = 0,
        secret: str | None = None,
        tokens: Iterable[str] = (),
        public: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.entries = Entries(rows)
        self.requests: list[str] = []
        """Paths and queries that were asked for, in order."""
        self.public = public
        self.clock = clock
        self.hang = 30.0
        """Seconds that a "timeout" failure lasts."""
        self._accepted = {*tokens, *([hashlib.sha1(secret.encode()).hexdigest()] if secret else [])}
        self._secret = secret
        self._failures: list[Failure] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _HTTP(("127.0.0.1", port), _Handler)
        self._http.site = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The site's address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        """What goes into NIGHTSCOUT_BASE_URL."""
        return self.url + API

    def replace(self, rows: Iterable[Entry]) -> None:
        """Serve these rows from now on, exactly as given: duplicates of an ``_id`` too."""
        self.entries = Entries(rows)

    def put(self, rows: Iterable[Entry]) -> None:
        """Add rows; one whose ``_id`` is there replaces it: corrections arrive this way."""
        with self._lock:
            self.entries = self.entries.put(rows)

    def upload(self, rows: Iterable[Entry]) -> list[Entry]:
        """Take rows as a POST does and answer what it answers."""
        with self._lock:
            self.entries, answers = self.entries.upload(rows)
        return answers

    def fail_next(self, count: int, how: Failure) -> None:
        """Let the next ``count`` answers fail, after those that already wait to."""
        with self._lock:
            self._failures += [how] * count

    def next_failure(self) -> Failure | None:
        """Take the failure that the answer being made shall be."""
        with self._lock:
            return self._failures.pop(0) if self._failures else None

    def wait_like_a_timeout(self) -> None:
        """Hold an answer back for ``hang`` seconds, or until the server closes."""
        self._closing.wait(self.hang)

    def may(self, given: list[str], *, write: bool) -> bool:
        """Decide on a request by the credentials it came with."""
        if self._secret is None and not self._accepted:
            return True
        if write:
            return hashlib.sha1((self._secret or "").encode()).hexdigest() in given
        return bool(self._accepted & set(given)) if given else self.public

    def close(self) -> None:
        """Stop serving."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _HTTP(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    site: NightscoutServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet
    server: _HTTP

    def do_GET(self) -> None:
        self.site.requests.append(self.path)
        failure = self.site.next_failure()
        if failure in ("timeout", "401", "404", "429", "500", "503"):
            self._fail(failure)
        elif not self.site.may(self._credentials(), write=False):
            self._json(UNAUTHORIZED, 401)
        else:
            self._route(failure)

    def do_POST(self) -> None:
        self.site.requests.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.site.may(self._credentials(), write=True):
            self._json(UNAUTHORIZED, 401)
        elif urlsplit(self.path).path.removesuffix(".json") != f"{API}/entries":
            self._not_found()
        else:
            posted = json.loads(body, parse_float=number)
            self._json(self.site.upload(posted if isinstance(posted, list) else [posted]))

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    @property
    def site(self) -> NightscoutServer:
        return self.server.site

    def _credentials(self) -> list[str]:
        query = parse_qs(urlsplit(self.path).query)
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = [self.headers.get("api-secret", ""), bearer, *query.get("secret", []), *query.get("token", [])]
        return [credential for credential in given if credential]

    def _route(self, failure: Failure | None) -> None:
        path = unquote(urlsplit(self.path).path)
        stem, _, extension = path.partition(".")
        if path == f"{API}/status.json":
            self._json(status_page(self.site.clock()))
        elif path == f"{API}/treatments.json":
            self._json([])
        elif extension in TYPES and (stem == f"{API}/entries" or stem.startswith(f"{API}/entries/")):
            self._entries(stem.removeprefix(f"{API}/entries").strip("/"), extension, failure)
        else:
            self._not_found()

    def _entries(self, spec: str, extension: str, failure: Failure | None) -> None:
        rows = self._find(spec)
        if rows is None:
            self._json({"status": 500, "message": "Mongo Error", "description": f"No such id: '{spec}'"}, 500)
            return
        newest = max((row["date"] for row in rows if isinstance(row.get("date"), (int, float))), default=None)
        modified = None if newest is None else formatdate(newest // 1000, usegmt=True)
        if extension == "" and "json" in self.headers.get("Accept", ""):
            extension = "json"
        body = dump(rows) if extension == "json" else as_table(rows, "," if extension == "csv" else "\t")
        self._answer(200, body, TYPES[extension], modified, failure)

    def _find(self, spec: str) -> list[Entry] | None:
        query = urlsplit(self.path).query
        entries, now = self.site.entries, int(self.site.clock() * 1000)
        if len(spec) == 24 and not set(spec) - set("0123456789abcdef"):
            return [row for row in entries.rows if row.get("_id") == spec][:1] or None
        conditions = read_conditions(query)
        if spec == "current":
            return entries.find({"type": {"$eq": "sgv"}}, 1, now)
        if spec:
            conditions["type"] = {"$eq": spec}
        count = read_count(parse_qs(query).get("count", [None])[0])
        found = entries.find(conditions, count, now)
        # A real site answers from its memory where that holds enough rows; they carry one more field there.
        recent = not set(conditions) - {"type"} and len(found) == count
        return [{**row, "mills": row.get("date")} for row in found] if recent else found

    def _answer(
        self, status: int, body: str, kind: str, modified: str | None = None, failure: Failure | None = None
    ) -> None:
        content = body.encode()
        etag = etag_of(content)
        if status == 200 and failure is None and self._unchanged(etag, modified):
            status, content = 304, b""
        if failure == "malformed":
            content = content[: len(content) * 2 // 3].rstrip(b"]}")
        elif failure == "html":
            content, kind = b"<html><body>Application error</body></html>", "text/html"
        self.send_response(status)
        if modified:
            self.send_header("Last-Modified", modified)
        self.send_header("ETag", etag)
        if status != 304:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if failure == "half":
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    def _unchanged(self, etag: str, modified: str | None) -> bool:
        if "If-None-Match" in self.headers:
            return bool(self.headers["If-None-Match"] == etag)
        since = self.headers.get("If-Modified-Since")
        if since is None or modified is None:
            return False
        return parsedate_to_datetime(since) >= parsedate_to_datetime(modified)

    def _fail(self, how: Failure) -> None:
        if how == "timeout":
            self.site.wait_like_a_timeout()
            self.close_connection = True
        elif how == "404":
            self._not_found()
        else:
            self._json({"status": int(how), "message": self.responses[int(how)][0]}, int(how))

    def _json(self, content: Any, status: int = 200) -> None:
        self._answer(status, dump(content), TYPES["json"])

    def _not_found(self) -> None:
        path = urlsplit(self.path).path
        self._answer(404, NOT_FOUND.format(method=self.command, path=path), "text/html")


def main(arguments: list[str] | None = None) -> None:
    """Serve synthetic data until interrupted, and print the address on the first line."""
    import argparse
    import datetime as dt

    from phlo.scaffold import synthetic_cgm

    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    parser = argparse.ArgumentParser(prog="python -m phlo.scaffold.nightscout_server", description=main.__doc__)
    parser.add_argument("--port", type=int, default=1337, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="how many days to serve (default: %(default)s)")
    parser.add_argument(
        "--until", type=dt.date.fromisoformat, default=yesterday, help="the last day (default: yesterday)"
    )
    parser.add_argument("--revision", type=int, default=1, help="2 serves corrected readings (default: %(default)s)")
    parser.add_argument("--secret", help="API_SECRET that clients then have to know (default: everybody may read)")
    options = parser.parse_args(arguments)
    start = options.until - dt.timedelta(days=options.days - 1)
    rows = synthetic_cgm.entries(start, options.days, revision=options.revision)
    with NightscoutServer(rows, port=options.port, secret=options.secret, public=options.secret is None) as server:
        print(server.base_url, flush=True)  # noqa: T201  whoever started it reads the port here
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
