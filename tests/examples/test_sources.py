"""The examples of sources, each against a server, a database or files as a user would have them."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.iceberg.conftest import postgres_server, postgres_uri  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Shop

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "sources"
DAY = "2024-01-20"
TOKEN = "a-token-of-the-shop"


@pytest.fixture
def sources(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The example as a project of its own."""
    shutil.rmtree(shop.root / "workflows")
    shutil.copytree(EXAMPLES, shop.root, dirs_exist_ok=True)
    for name in ("SHOP_API_URL", "SHOP_API_TOKEN", "SHOP_DATABASE_URL", "METERS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    return shop


# ── REST ─────────────────────────────────────────────────────────────────────────────────────────────────


class Api(BaseHTTPRequestHandler):
    """Orders in pages of two, for who has the token; every second answer is that it is busy."""

    asked: list[str]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "no"})
        if len(self.asked) % 2 == 0:
            return self.answer(503, {"error": "busy"})
        page = int(query.get("page", "1"))
        host = self.headers["Host"]
        following = f"http://{host}/orders?day={query['day']}&page={page + 1}" if page < 3 else None
        return self.answer(200, {"orders": [order(query["day"], 2 * page + n) for n in (0, 1)], "next": following})

    def answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def order(day: str, number: int) -> dict[str, Any]:
    lines = [{"item": "tea", "pieces": number}]
    return {"id": number, "customer": "ann", "placed_at": f"{day}T08:00:00Z", "amount": 2.5 * number, "lines": lines}


@contextmanager
def api() -> Iterator[tuple[str, list[str]]]:
    handler = type("Handler", (Api,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
    finally:
        server.shutdown()
        server.server_close()


def test_orders_come_page_by_page_with_a_token_though_the_server_is_busy(
    sources: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api() as (url, asked):
        monkeypatch.setenv("SHOP_API_URL", url)
        monkeypatch.setenv("SHOP_API_TOKEN", TOKEN)
        done = sources.call("materialize", "orders", "--partition", DAY)
        assert done.code == 0, done.err
    assert len(asked) == 5
    rows = sources.read("SELECT id, amount, lines FROM raw.orders ORDER BY id")
    assert [row["id"] for row in rows] == [2, 3, 4, 5, 6, 7]
    assert json.loads(rows[0]["lines"]) == [{"item": "tea", "pieces": 2}]


def test_a_wrong_token_is_told_without_showing_it(sources: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with api() as (url, _):
        monkeypatch.setenv("SHOP_API_URL", url)
        monkeypatch.setenv("SHOP_API_TOKEN", "an-old-token")
        done = sources.call("materialize", "orders", "--partition", DAY)
    assert (done.code, "error[source-auth-failed]" in done.err) == (1, True)
    assert "an-old-token" not in done.err


# ── a database ───────────────────────────────────────────────────────────────────────────────────────────


def test_customers_come_from_a_database_by_day_and_as_a_whole(
    sources: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, updated_at TIMESTAMP, credit REAL)"
        )
        rows = [(1, "Ann", f"{DAY} 00:00:00.000000", 5.5), (2, "Bé", f"{DAY} 23:59:59.000000", None)]
        other = (3, "Cy", "2024-01-21 00:00:00.000000", -1.0)
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", [*rows, other])
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{tmp_path}/shop.db")
    done = sources.call("materialize", "customers", "all_customers", "--partition", DAY)
    assert done.code == 0, done.err
    found = sources.read("SELECT id, name, credit FROM raw.customers ORDER BY id")
    assert found == [{"id": 1, "name": "Ann", "credit": 5.5}, {"id": 2, "name": "Bé", "credit": None}]
    assert [row["id"] for row in sources.read("SELECT id FROM raw.all_customers ORDER BY id")] == [1, 2]
    (rejected,) = sources.call("rejected", "show", "all_customers", "--json").records
    assert rejected["reason"] == "`credit` = `-1.0` is not at least 0"
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("DELETE FROM customers WHERE id = 1")
    assert sources.call("materialize", "all_customers").code == 0
    assert [row["id"] for row in sources.read("SELECT id FROM raw.all_customers")] == [2]


@pytest.mark.slow
def test_customers_come_from_a_real_postgres_with_its_own_types(
    sources: Shop,
    postgres_uri: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psycopg

    with psycopg.connect(postgres_uri.replace("+psycopg", "")) as database:
        database.execute(
            "CREATE TABLE customers (id bigint PRIMARY KEY, name text, updated_at timestamptz, credit numeric(10, 2))"
        )
        rows = [(1, "Ann", f"{DAY} 00:00:00+00", "5.50"), (2, "Bé", f"{DAY} 23:59:59+00", None)]
        others = [(3, "Cy", "2024-01-21 00:00:00+00", "-1"), (4, None, f"{DAY} 01:00:00+02", "0")]
        for row in [*rows, *others]:
            database.execute("INSERT INTO customers VALUES (%s, %s, %s, %s)", row)
    monkeypatch.setenv("SHOP_DATABASE_URL", postgres_uri)
    monkeypatch.setenv("PGTZ", "UTC")  # the example asks for days without a zone
    done = sources.call("materialize", "customers", "all_customers", "--partition", DAY)
    assert done.code == 0, done.err
    found = sources.read("SELECT id, name, credit FROM raw.customers ORDER BY id")
    assert found == [{"id": 1, "name": "Ann", "credit": 5.5}, {"id": 2, "name": "Bé", "credit": None}]
    assert {row["id"] for row in sources.read("SELECT id FROM raw.all_customers")} >= {1, 2}
    reasons = [row["reason"] for row in sources.call("rejected", "show", "all_customers", "--json").records]
    assert sorted(reasons) == ["`credit` = `-1.0` is not at least 0", "`name` is null"]
    monkeypatch.setenv(
        "SHOP_DATABASE_URL", postgres_uri.replace("phlo@", "phlo:a-secret@").replace("phlo-pg", "phlo-no")
    )
    gone = sources.call("materialize", "customers", "--partition", DAY)
    assert gone.code == 1
    assert "a-secret" not in gone.err + gone.out


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────

READINGS = [
    {"meter": "007", "at": f"{DAY}T00:00:00Z", "value": 1.5},
    {"meter": "007", "at": f"{DAY}T01:00:00Z", "value": 2.0},
    {"meter": "é", "at": f"{DAY}T00:00:00Z", "value": -3.25},
]


def write_files(folder: Path) -> None:
    folder.mkdir()
    for number, rows in enumerate((READINGS[:1], READINGS[1:])):
        with (folder / f"{DAY}-{number}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["meter", "at", "value"])
            writer.writeheader()
            writer.writerows(rows)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{DAY}-{number}.jsonl").write_text(text)
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{DAY}-{number}.parquet")
    (folder / "2024-01-21-0.csv").write_text("meter,at,value\n9,2024-01-21T00:00:00Z,9\n")


def test_readings_come_from_all_files_of_a_day_whatever_their_kind(
    sources: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "exports")
    monkeypatch.setenv("METERS_URL", f"file://{tmp_path}/exports")
    names = ["readings_csv", "readings_jsonl", "readings_parquet"]
    done = sources.call("materialize", *names, "--partition", DAY)
    assert done.code == 0, done.err
    wanted = sorted((row["meter"], row["value"]) for row in READINGS)
    for name in names:
        rows = sources.read(f"SELECT meter, value FROM raw.{name}")
        assert sorted((row["meter"], row["value"]) for row in rows) == wanted
    empty = sources.call("materialize", "readings_csv", "--partition", "2024-01-22")
    assert (empty.code, "had no rows for 2024-01-22" in empty.out) == (0, True), empty.err
