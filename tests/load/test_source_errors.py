from __future__ import annotations

import json
from typing import Any

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
