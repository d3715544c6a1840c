"""The demo's Nightscout server answers as a real one did."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from phlo.scaffold.nightscout_server import Failure, NightscoutServer

SHARED = Path(__file__).parents[3] / "shared" / "data"
RECORDED = SHARED / "nightscout"
SECRET = "phlo-test-secret-123"  # the recorded server's
TOKEN = "phlo-6a78da1513496e44"
NOW = 1795317901.337  # when the recording was made
DAY = 1705708800000  # 2024-01-20T00:00:00Z

needs_recordings = pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not beside this repository")

NOT_SERVED = {
    7: "a condition on dates given as text matches nearly everything: not relied upon",
    16: "count=abc is not relied upon",
    34: "slices are not served",
    35: "counts are not served",
    36: "echo is not served",
    37: "times are not served",
    62: "deleting is not served",
    63: "follows the deletion",
    **dict.fromkeys((64, 65, 68), "authorization is configured, not served"),
    69: "JSON web tokens are not served",
    **dict.fromkeys(range(70, 77), "API v3 is not served"),
}
"""Recorded requests of API corners that no workflow uses, with why."""


def get(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, Any, bytes]:
    """Ask, and return status, headers and body whatever the status."""
    request = urllib.request.Request(url.replace(" ", "%20"), body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def reading(second: int, sgv: object = 100, **more: object) -> dict[str, object]:
    """An entry that many seconds into 2024-01-20."""
    text = f"2024-01-20T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
    return {"_id": f"{second:024x}", "type": "sgv", "sgv": sgv, "date": DAY + second * 1000, "dateString": text, **more}


def ask(server: NightscoutServer, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(get(server.base_url + path)[2])
    return rows


# ── after the recordings ─────────────────────────────────────────────────────────────────────────────────


def recorded(name: str) -> list[dict[str, Any]]:
    data = (RECORDED / name).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(data) if name.endswith("gz") else data).splitlines()]


def real_readings(device: str) -> list[dict[str, Any]]:
    """The readings that the recorded server held, with its order of fields, and its ids where known."""
    answers = [exchange["resp"] for exchange in recorded("recorded_v15.0.7.jsonl.gz") if exchange["n"] < 40]
    ids = {row["sysTime"]: row["_id"] for rows in answers if isinstance(rows, list) for row in rows if "sysTime" in row}
    data = gzip.decompress((SHARED / "cgm" / "dev_azt1d_s07_s15.jsonl.gz").read_bytes())
    rows = [row for line in data.splitlines() if (row := json.loads(line))["device"] == device]
    ordered = [{"_id": row["_id"], "sysTime": row["sysTime"], **row} for row in rows]
    return [{**row, "_id": ids.get(row["sysTime"], row["_id"])} for row in ordered]


def replay(server: NightscoutServer, exchange: dict[str, Any]) -> tuple[int, Any, bytes]:
    body = exchange["body"]
    sent = None if body is None else json.dumps(body).encode()
    if exchange["method"] == "POST" and sent is None:
        sent = b""
    return get(server.url + exchange["path"], exchange["headers"], sent)


def without_ids(content: Any) -> Any:
    """Ids that a server makes up for posted rows are its own."""
    if not isinstance(content, list):
        return content
    return [{key: value for key, value in row.items() if key != "_id"} for row in content]


@needs_recordings
def test_every_recorded_answer_is_given_again() -> None:
    differing, same_bytes = {}, 0
    with NightscoutServer(secret=SECRET, tokens=[TOKEN], clock=lambda: NOW) as server:
        server.put(real_readings("AZT1D-S15"))
        for exchange in recorded("recorded_v15.0.7.jsonl.gz"):
            if exchange["n"] in NOT_SERVED or exchange["path"].startswith("/api/v1/status"):
                continue
            status, headers, body = replay(server, exchange)
            kind = exchange["resp_headers"].get("content-type", "")
            answer = json.loads(body) if "json" in kind else body.decode()
            wanted = exchange["resp"]
            made_up = 42 <= exchange["n"] <= 63  # rows that this conversation posted
            same = without_ids(answer) == without_ids(wanted) if made_up else answer == wanted
            header_names = ("last-modified", "content-type", "content-length", *(() if made_up else ("etag",)))
            if exchange["n"] == 32:  # its ETag is of a page that says "Not modified", which is not sent
                header_names = ("last-modified",)
            got = {name: headers[name] for name in header_names if name in exchange["resp_headers"]}
            expected = {name: exchange["resp_headers"][name] for name in got}
            same_bytes += "etag" in got
            if status != exchange["status"] or not same or got != expected:
                differing[exchange["n"]] = (exchange["name"], status, got, expected, answer, wanted)
    assert differing == {}
    assert same_bytes > 30  # an ETag is a hash of the body


@needs_recordings
def test_recent_data_is_answered_as_recorded() -> None:
    exchanges = recorded("recorded_recent_data.jsonl.gz")
    with NightscoutServer(clock=lambda: 1795318077.0) as server:
        posted = exchanges[0]["resp"]
        server.put({"_id": row["_id"], "sysTime": row["sysTime"], **row} for row in posted)
        for exchange in exchanges[1:]:
            status, _, body = replay(server, exchange)
            assert status == exchange["status"], exchange["path"]
            assert (json.loads(body) if body else "") == exchange["resp"], exchange["path"]


@needs_recordings
def test_a_site_that_is_not_public_refuses_as_recorded() -> None:
    with NightscoutServer(secret=SECRET, public=False, clock=lambda: NOW) as server:
        server.put(real_readings("AZT1D-S15"))
        for exchange in recorded("recorded_auth_denied.jsonl"):
            status, _, body = replay(server, exchange)
            assert status == exchange["status"], exchange["name"]
            if status == 401:
                assert json.loads(body) == exchange["resp"]


@needs_recordings
def test_status_has_the_recorded_shape() -> None:
    wanted = recorded("recorded_v15.0.7.jsonl.gz")[0]["resp"]
    with NightscoutServer(clock=lambda: NOW) as server:
        status = json.loads(get(server.base_url + "/status.json")[2])
    assert {key: wanted[key] for key in status if key != "settings"} == {
        key: value for key, value in status.items() if key != "settings"
    }
    assert status["settings"]["units"] == wanted["settings"]["units"]


# ── without them ─────────────────────────────────────────────────────────────────────────────────────────


def test_ten_entries_come_newest_first_unless_a_count_is_given() -> None:
    with NightscoutServer([reading(second) for second in range(0, 6000, 300)]) as server:
        day = "?find[dateString][$gte]=2024-01-20&find[dateString][$lt]=2024-01-21"
        rows = ask(server, f"/entries.json{day}")
        assert [row["date"] for row in rows] == [DAY + second * 1000 for second in range(5700, 2700, -300)]
        assert len(ask(server, f"/entries.json{day}&count=1000")) == 20


def test_without_a_condition_on_the_time_only_four_days_are_searched() -> None:
    later = DAY / 1000 + 4 * 24 * 3600
    with NightscoutServer([reading(0), reading(300)], clock=lambda: later + 100) as server:
        assert [row["date"] for row in ask(server, "/entries.json")] == [DAY + 300_000]
        assert len(ask(server, "/entries.json?find[date][$gte]=0")) == 2


def test_date_strings_are_compared_as_text() -> None:
    with NightscoutServer([reading(6 * 3600)]) as server:
        assert ask(server, "/entries.json?find[dateString][$gte]=2024-01-20T06:00:00.000Z&find[dateString][$lt]=2025")
        # A space sorts before `T`, so this range ends before the day's first entry.
        assert not ask(server, "/entries.json?find[dateString][$gte]=2024-01-20&find[dateString][$lt]=2024-01-20 23:59")


def test_a_number_sent_as_text_is_not_found_by_a_number() -> None:
    with NightscoutServer([reading(0, "5"), reading(300, 250)]) as server:
        assert [row["sgv"] for row in ask(server, "/entries.json?find[sgv][$gte]=1&find[date][$gt]=0")] == [250]


def test_rows_without_the_field_are_not_found_by_it() -> None:
    silent = {"_id": "b" * 24, "type": "sgv", "sgv": 90, "date": DAY}
    with NightscoutServer([silent, reading(300)]) as server:
        assert len(ask(server, "/entries.json?find[dateString][$gte]=2024-01-20&find[dateString][$lt]=2025")) == 1
        assert len(ask(server, f"/entries.json?find[date][$gte]={DAY}")) == 2


def test_types_can_be_asked_for_by_path_or_condition() -> None:
    test = {"_id": "c" * 24, "type": "mbg", "mbg": 105, "date": DAY + 60_000, "dateString": "2024-01-20T00:01:00.000Z"}
    with NightscoutServer([reading(0), test]) as server:
        since = "find[date][$gte]=0"
        assert [row["type"] for row in ask(server, f"/entries.json?{since}")] == ["mbg", "sgv"]
        assert [row["type"] for row in ask(server, f"/entries/sgv.json?{since}")] == ["sgv"]
        assert [row["type"] for row in ask(server, f"/entries.json?{since}&find[type]=mbg")] == ["mbg"]


def test_an_unknown_id_is_a_server_error_as_in_nightscout() -> None:
    with NightscoutServer([reading(0)]) as server:
        assert ask(server, f"/entries/{0:024x}.json") == [reading(0)]
        status, _, body = get(f"{server.base_url}/entries/{'a' * 24}.json")
        assert (status, json.loads(body)["message"]) == (500, "Mongo Error")


def test_an_etag_spares_the_body_until_the_data_changes() -> None:
    with NightscoutServer([reading(0)]) as server:
        url = f"{server.base_url}/entries.json?find[date][$gte]=0"
        etag = get(url)[1]["ETag"]
        assert get(url, {"If-None-Match": etag})[::2] == (304, b"")
        server.put([reading(0, 101)])
        assert get(url, {"If-None-Match": etag})[0] == 200


def test_a_correction_replaces_the_row_with_its_id() -> None:
    with NightscoutServer([reading(0, 100), reading(300, 110)]) as server:
        server.put([reading(0, 95)])
        assert [row["sgv"] for row in ask(server, "/entries.json?find[date][$gte]=0")] == [110, 95]


def test_duplicates_are_served_as_given_the_later_one_last() -> None:
    with NightscoutServer([reading(300, 1), reading(0, 2), reading(300, 3)]) as server:
        assert [row["sgv"] for row in ask(server, "/entries.json?find[date][$gte]=0")] == [1, 3, 2]
        server.put([reading(600, 4)])
        assert [row["sgv"] for row in ask(server, "/entries.json?find[date][$gte]=0")] == [4, 3, 2]
        server.replace([reading(0, 5)])
        assert [row["sgv"] for row in ask(server, "/entries.json?find[date][$gte]=0")] == [5]


def test_a_posted_correction_keeps_the_first_id() -> None:
    posted = {"type": "sgv", "sgv": 111, "date": DAY, "dateString": "2024-01-19T17:00:00.000-07:00"}
    headers = {"api-secret": hashlib.sha1(b"secret").hexdigest(), "Content-Type": "application/json"}
    with NightscoutServer(secret="secret") as server:
        get(f"{server.base_url}/entries.json", headers, json.dumps(posted).encode())
        first = ask(server, "/entries.json?find[date][$gte]=0")
        get(f"{server.base_url}/entries.json", headers, json.dumps([{**posted, "sgv": 99}]).encode())
        second = ask(server, "/entries.json?find[date][$gte]=0")
    assert (first[0]["dateString"], first[0]["utcOffset"]) == ("2024-01-20T00:00:00.000Z", -420)
    assert second == [{**first[0], "sgv": 99}]


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ({}, 401),
        ({"api-secret": hashlib.sha1(b"right").hexdigest()}, 200),
        ({"api-secret": "reader-0123456789abcdef"}, 200),
        ({"api-secret": "right"}, 401),
        ({"api-secret": hashlib.sha1(b"wrong").hexdigest()}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
    ],
)
def test_a_private_site_wants_the_hash_of_its_secret_or_a_token(credential: dict[str, str], status: int) -> None:
    with NightscoutServer([reading(0)], secret="right", tokens=["reader-0123456789abcdef"], public=False) as server:
        assert get(f"{server.base_url}/entries.json", credential)[0] == status


def test_a_reader_may_not_post() -> None:
    with NightscoutServer(secret="right", tokens=["reader-1"]) as server:
        assert get(f"{server.base_url}/entries.json?token=reader-1", None, b"[]")[0] == 401


@pytest.mark.parametrize("how", ["401", "404", "429", "500", "503"])
def test_so_many_answers_fail_as_asked_for_and_the_next_one_works(how: Failure) -> None:
    with NightscoutServer([reading(0)]) as server:
        url = f"{server.base_url}/entries.json?find[date][$gte]=0"
        server.fail_next(2, how)
        assert [get(url)[0] for _ in range(3)] == [int(how), int(how), 200]


def test_failures_can_break_the_body() -> None:
    with NightscoutServer([reading(0)]) as server:
        url = f"{server.base_url}/entries.json?find[date][$gte]=0"
        server.fail_next(1, "malformed")
        server.fail_next(1, "html")
        server.fail_next(1, "half")
        with pytest.raises(json.JSONDecodeError):
            json.loads(get(url)[2])
        assert get(url)[2].startswith(b"<html>")
        with pytest.raises(http.client.IncompleteRead):
            get(url)
        assert json.loads(get(url)[2]) == [reading(0)]


def test_a_timeout_keeps_the_client_waiting_and_closing_does_not_wait_for_it() -> None:
    with NightscoutServer([reading(0)]) as server:
        server.fail_next(1, "timeout")
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{server.base_url}/entries.json", timeout=0.2)
        begin = time.monotonic()
    assert time.monotonic() - begin < 2


def test_the_server_remembers_what_it_was_asked() -> None:
    with NightscoutServer() as server:
        ask(server, "/entries.json?count=3")
        assert server.requests == ["/api/v1/entries.json?count=3"]


def test_many_clients_at_once_get_whole_answers() -> None:
    with NightscoutServer([reading(second) for second in range(0, 86400, 300)]) as server:
        path = "/entries.json?find[dateString][$gte]=2024-01-20&find[dateString][$lt]=2024-01-21&count=1000"
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: len(ask(server, path)), range(40)))
    assert answers == [288] * 40


def test_it_listens_on_loopback_only() -> None:
    with NightscoutServer() as server:
        assert server._http.server_address[0] == "127.0.0.1"


def test_it_runs_alone_and_prints_its_address() -> None:
    command = [
        sys.executable,
        "-m",
        "phlo.scaffold.nightscout_server",
        "--port",
        "0",
        "--days",
        "2",
        "--until",
        "2024-01-21",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        rows = json.loads(get(f"{base_url}/entries.json?find[dateString][$gte]=2024-01-20&count=1000")[2])
        process.terminate()
    assert {row["dateString"][:10] for row in rows} == {"2024-01-20", "2024-01-21"}
