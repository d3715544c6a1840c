"""What a request sent in secret is known in each place and spelling."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import requests

from phlo.load.sent import secrets_of

URL = "https://host/x"


def sent(url: str = URL, **given: Any) -> list[str]:
    request = requests.Request("POST", url, **given).prepare()
    return secrets_of(request, str(request.url))


@pytest.mark.parametrize(
    "given",
    [
        {"data": {"client_secret": "hunter2x", "grant_type": "client_credentials"}},
        {"json": {"user": "someone", "login": [{"password": "hunter2x"}]}},
        {"json": {"credentials": {"deep": ["hunter2x"]}}},
        {"auth": ("someone", "hunter2x")},
        {"auth": ("hunter2x", "")},
        {"headers": {"Authorization": "Bearer hunter2x"}},
        {"headers": {"Authorization": 'Digest id="5", response="hunter2x"'}},
        {"headers": {"Cookie": "a=b; session=hunter2x; c=d"}},
        {"headers": {"X-Api-Key": b"hunter2x"}},
        {"url": "https://host/x?pin=hunter2x"},
        {"url": "https://host/x?userPin=hunter2x"},
        {"url": "https://someone:hunter2x@host/x"},
        {"url": "https://hunter2x@host/x"},
    ],
)
def test_a_secret_is_found_wherever_it_was_sent(given: dict[str, Any]) -> None:
    found = sent(**given)
    assert "hunter2x" in found
    assert not {"someone", "Bearer", "Digest", "client_credentials"} & set(found)
    assert found == sorted(found, key=len, reverse=True)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "https://host/x?design=longvalue&keyword=longvalue"},
        {"data": {"design": "longvalue"}},
        {"json": ["longvalue", {"n": 12345678}]},
        {"json": {"password": None, "pin": 1234}},
        {"data": b"\xff\x00 no form"},
        {"data": iter([b"client_secret=hunter2x"])},
    ],
)
def test_what_is_no_secret_or_can_not_be_read_is_none(given: dict[str, Any]) -> None:
    assert sent(**given) == []


def test_a_login_that_can_not_be_decoded_is_a_secret_as_it_is() -> None:
    assert "no-login*" in sent(headers={"Authorization": "Basic no-login*"})


def test_a_secret_is_known_as_addresses_and_json_spell_it() -> None:
    secret = 'ab/cd+é="x'
    for found in (sent(data={"token": secret}), sent(f"{URL}?token={requests.utils.quote(secret, safe='/+')}")):
        shown = {secret, requests.utils.quote(secret, safe=""), json.dumps(secret)[1:-1], r"ab\/cd+é=\"x"}
        assert shown <= set(found)
    assert "ann bell" in sent(data={"passphrase": "ann \x1b\n bell"})


def test_the_body_of_httpx_is_read_and_that_of_a_stream_is_not_asked_for() -> None:
    assert secrets_of(httpx.Request("POST", URL, json={"pin": 123456}), URL) == ["123456"]
    assert secrets_of(httpx.Request("POST", URL, content=iter([b"pin=123456"])), URL) == []
