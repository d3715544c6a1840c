from __future__ import annotations

import io
import json
import re
import threading
import urllib.error
import urllib.request
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
import requests
from loading import ingestion

from phlo.errors import (
    MalformedResponse,
    SourceFunctionFailed,
    SourceInterrupted,
    SourceUnavailable,
    SourceUnreachable,
    UnknownRef,
)
from phlo.load.source_errors import translate

if TYPE_CHECKING:
    from pathlib import Path


def http_error(status: int, url: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code, response.url, response.reason = status, url, "No"
    return requests.HTTPError(f"{status} for url: {url}", response=response)


def test_no_error_repeats_the_secrets_of_the_address_it_asked(caplog: pytest.LogCaptureFixture) -> None:
    url = "https://ann:pass-word@host/x?token=se-cret"
    connection = requests.ConnectionError(f"HTTPSConnectionPool(host='host'): Max retries exceeded with url: {url}")
    for error in (http_error(401, url), http_error(503, url), connection, RuntimeError(f"could not read {url}")):
        said = translate(error, ingestion(rows=[]), 0)
        text = f"{said} {said.next_step} {said.values}"
        assert "pass-word" not in text
        assert "se-cret" not in text


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error": "`day` is not\n a date"}', """; it says `{"error": "'day' is not a date"}`"""),
        (422, b"<html><style>p {}</style><p>Too  <b>many</b></p></html>", "; it says `Too many`"),
        (404, "é".encode() * 300, f"; it says `{'é' * 200}…`"),
        (400, b"the key 12345678 (Bearer abcdefgh) is wrong, ann", "; it says `the key *** (***) is wrong, ann`"),
        (400, b"", ""),
        (400, b" \n", ""),
    ],
    ids=["json", "markup", "long", "secrets that were sent", "empty", "blank"],
)
def test_what_the_server_said_is_shown_in_one_line_without_secrets(status: int, body: bytes, said: str) -> None:
    error = http_error(status, "https://host/x?api_key=12345678")
    error.response._content = body
    error.response.request = requests.Request("GET", "https://host", {"Authorization": "Bearer abcdefgh"}).prepare()
    assert str(translate(error, ingestion(rows=[]), 0)).endswith(f": https://host/x?api_key=***{said}")


def test_what_the_server_said_moves_no_cursor_and_names_no_window() -> None:
    error = http_error(400, "https://host/x")
    error.response._content, error.response.reason = b"\x1b[2J\x1b]0;x\x07red\r\n\tgreen", "\x1b[1mNo"
    assert str(translate(error, ingestion(rows=[]), 0)).endswith(
        "(400 [1mNo): https://host/x; it says `[2J]0;xred green`"
    )
    assert str(translate(RuntimeError("\x1b[2Jno\x07"), ingestion(rows=[]), 0)).endswith(": RuntimeError: [2Jno")


class Refusal(BaseHTTPRequestHandler):
    """Repeats a login's secret, as some servers do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(400, "No", "client hunter2secret of SK-12345 is not known")

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.mark.parametrize("library", ["requests", "httpx", "urllib"])
def test_a_secret_that_was_posted_is_not_repeated_whatever_posted_it(library: str) -> None:
    headers, form = {"X-Api-Key": "SK-12345"}, {"client_secret": "hunter2secret"}

    def ask(url: str) -> None:
        if library == "urllib":
            urllib.request.urlopen(urllib.request.Request(url, urlencode(form).encode(), headers))
        answer = (httpx if library == "httpx" else requests).post(url, data=form, headers=headers)
        answer.raise_for_status()

    with HTTPServer(("127.0.0.1", 0), Refusal) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        with pytest.raises((requests.HTTPError, httpx.HTTPStatusError, urllib.error.HTTPError)) as refused:
            ask(f"http://127.0.0.1:{server.server_port}/token")
        serving.join()
    said = str(translate(refused.value, ingestion(rows=[]), 0))
    assert "client *** of *** is not known" in said
    assert not {"hunter2secret", "SK-12345"} & set(re.findall(r"[\w-]+", said))


def test_what_was_said_to_urllib_is_shown_and_a_body_that_was_not_read_is_not_asked_for() -> None:
    said = urllib.error.HTTPError("https://host/x", 409, "Conflict", Message(), io.BytesIO(b"locked by ann"))
    assert str(translate(said, ingestion(rows=[]), 0)).endswith(
        "(409 Conflict): https://host/x; it says `locked by ann`"
    )
    request = httpx.Request("GET", "https://host/x")
    unread = httpx.Response(400, request=request, stream=httpx.ByteStream(b"x"))
    error = httpx.HTTPStatusError("no", request=request, response=unread)
    assert str(translate(error, ingestion(rows=[]), 0)).endswith("(400 Bad Request): https://host/x")


def test_a_failure_after_rows_came_is_an_interruption() -> None:
    error = requests.ConnectionError("reset")
    assert isinstance(translate(error, ingestion(rows=[]), 0), SourceUnreachable)
    assert isinstance(translate(error, ingestion(rows=[]), 7), SourceInterrupted)
    assert isinstance(
        translate(requests.exceptions.ChunkedEncodingError("cut"), ingestion(rows=[]), 0), SourceInterrupted
    )
    assert "after 7 rows" in str(translate(error, ingestion(rows=[]), 7))


def test_errors_of_phlo_pass_as_they_are() -> None:
    error = UnknownRef(name="x", nearest=".")
    assert translate(error, ingestion(rows=[]), 0) is error


def test_an_exception_raised_in_place_of_another_is_the_one_that_is_told() -> None:
    def function(partition_date: str) -> Any:
        try:
            json.loads("{")
        except json.JSONDecodeError as error:
            raise ValueError("the export is broken\nsee the manual") from error

    with pytest.raises(ValueError, match="broken") as raised:
        function("2024-01-20")
    said = translate(raised.value, ingestion(function), 0)
    assert isinstance(said, SourceFunctionFailed)
    assert str(said).endswith("ValueError: the export is broken")


def test_an_exception_without_words_is_told_by_its_name() -> None:
    assert str(translate(NotImplementedError(), ingestion(rows=[]), 0)).endswith(": NotImplementedError")


def test_an_error_is_told_where_the_working_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    record = ingestion(rows=[])
    assert str(record.source).startswith(f"{record.source.file}:{record.source.line} (")
    assert f" in {record.source.file}, line " in str(translate(RuntimeError("no"), record, 0))


def test_json_that_does_not_parse_is_quoted_without_secrets() -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads("<a href='?token=abc'>")
    said = translate(raised.value, ingestion(rows=[]), 0)
    assert isinstance(said, MalformedResponse)
    assert "abc" not in str(said)


def test_httpx_is_understood_by_name() -> None:
    request = httpx.Request("GET", "https://host/x?token=abc")
    refused = httpx.HTTPStatusError("no", request=request, response=httpx.Response(503, request=request))
    said = translate(refused, ingestion(rows=[]), 0)
    assert isinstance(said, SourceUnavailable)
    assert str(said) == "The source of `readings` answered 503 Service Unavailable: https://host/x?token=***"
    assert isinstance(
        translate(httpx.ConnectTimeout("slow", request=request), ingestion(rows=[]), 0), SourceUnreachable
    )
    assert isinstance(
        translate(httpx.RemoteProtocolError("cut", request=request), ingestion(rows=[]), 0), SourceInterrupted
    )
