"""What people read holds no secrets."""

from __future__ import annotations

import pytest

from phlo.redaction import beginning, clean_url, is_secret, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://ann:pw@host/x", "https://***@host/x"),
        ("https://host/x?token=abc&count=10", "https://host/x?token=***&count=10"),
        ("https://host/x?count=1&api_key=abc", "https://host/x?count=1&api_key=***"),
        ("https://host/x?secret=abc#frag", "https://host/x?secret=***"),
        ("/x?access_token=abc (Caused by y)", "/x?access_token=*** (Caused by y)"),
        ("/x?X-Amz-Signature=abc&a=1", "/x?X-Amz-Signature=***&a=1"),
        ("/x?sig=abc", "/x?sig=***"),
        (f"Authorization: Bearer {JWT}", "Authorization: ***"),
        (f"got Bearer {JWT}", "got Bearer ***"),
        ("{'password': 'abc', 'n': 1}", "{'password': '***', 'n': 1}"),
        ('{"api-secret": "abc"}', '{"api-secret": "***"}'),
        ("/x?pin=abc&access=def&country_code=DE", "/x?pin=***&access=***&country_code=DE"),
        ("passphrase: abc, author: ann, author_id=5", "passphrase: ***, author: ann, author_id=5"),
        ("code=404, session=5, a pin: 6", "code=404, session=5, a pin: 6"),
        ("find[dateString][$gte]=2024-01-20", "find[dateString][$gte]=2024-01-20"),
        ("the token is missing", "the token is missing"),
        ("keyboard=de&monkey=1", "keyboard=de&monkey=1"),
    ],
)
def test_secrets_are_taken_out_of_texts(text: str, clean: str) -> None:
    assert redact(text).partition("#")[0] == clean


def test_values_of_secret_variables_are_taken_out_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCOUT_API_SECRET", "hunter2-and-more")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    assert redact("GET /hunter2-and-more/abc") == "GET /***/abc"


def test_a_url_is_shown_without_what_is_secret_in_it() -> None:
    url = "https://ann:p%40w@host:8443/a/b?count=10&token=abc%26def&find%5Bx%5D%5B%24gte%5D=1#part"
    assert clean_url(url) == "https://host:8443/a/b?count=10&token=***&find[x][$gte]=1"


def test_a_url_and_the_beginning_of_a_text_hold_nothing_that_a_terminal_acts_on() -> None:
    assert clean_url("https://host/a%1b[2J%0d%0ab") == "https://host/a[2J b"
    assert beginning("\x1b]0;x\x07red \u202e\r\n\t green \x9b2J é", 18) == "]0;xred green 2J é"
    assert beginning("pass\x00word=abcdef", 40) == "password=***"


@pytest.mark.parametrize(
    "name", ["X-Api-Key", "accessToken", "otp", "session_id", "userPin", "Cookie", "sig", "subkey"]
)
def test_names_of_secrets_in_requests_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["design", "keyword", "author", "shipping", "accessible", "decode", "Accept", "monkeys"]
)
def test_names_that_only_hold_the_letters_of_a_secrets_are_none(name: str) -> None:
    assert not is_secret(name)


def test_a_secret_that_a_url_has_percent_encoded_is_taken_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCTION_TOKEN", "Zm9vYmFy+/a==")
    assert clean_url("https://host/run?code=Zm9vYmFy%2B%2Fa%3D%3D") == "https://host/run?code=***"
