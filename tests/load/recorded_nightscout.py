"""The recorded answers of a real Nightscout server, served again on loopback."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "nightscout"


@dataclass(frozen=True)
class Answer:
    """What the server sends back; ``cut`` bytes of the body are promised and never sent."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    delay: float = 0.0


@dataclass
class Server:
    """A server on loopback: its address, and the requests it got."""

    url: str
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serve(answer: Callable[[str], Answer]) -> Iterator[Server]:
    """Serve what ``answer`` gives for each path with its query."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.requests.append(unquote(self.path))
            server.headers.append(dict(self.headers))
            given = answer(unquote(self.path))
            stop.wait(given.delay)
            body = given.body if isinstance(given.body, bytes) else json.dumps(given.body).encode()
            self.send_response(given.status)
            for name, value in {"content-type": "application/json; charset=utf-8", **given.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - given.cut])
            if given.cut:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests are about."""

    stop = threading.Event()
    http = Quiet(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        http.shutdown()
        http.server_close()


def recorded(name: str = "recorded_v15.0.7.jsonl.gz") -> list[dict[str, Any]]:
    """Read the recorded request/response pairs, or skip the test where they are not."""
    file = RECORDINGS / name
    if not file.exists():
        pytest.skip(f"the recordings of Nightscout are not at {RECORDINGS}")
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in content.splitlines()]


def replay(entries: list[dict[str, Any]]) -> Callable[[str], Answer]:
    """Answer like the server did: by the recorded request with the same path and parameters, else an empty list."""
    known = {_asked(entry["path"]): entry for entry in entries if entry["method"] == "GET"}

    def answer(path: str) -> Answer:
        entry = known.get(_asked(path))
        if entry is None:
            return Answer([])
        return Answer(entry["resp"], entry["status"])

    return answer


def _asked(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    parts = urlsplit(unquote(path))
    query = parse_qs(parts.query, keep_blank_values=True)
    return parts.path, tuple(sorted((name, values[0]) for name, values in query.items() if name != "count"))
