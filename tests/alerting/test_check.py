"""Alerts reach real servers, once; what could not be told is told later; a dead server holds up nothing."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from phlo.alerting import check, check_after_run
from phlo.alerting.conditions import Problem
from phlo.alerting.config import FILE
from phlo.alerting.outbox import Outbox
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Shop


DAY = "2024-01-20"


class Receiver(ThreadingHTTPServer):
    """A web hook that keeps what it is told, and answers as it is set to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.got.append(body)
            self.server.headers.append(dict(self.headers))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


RULES = """
rules:
  - {name: failed, on: run_failed}
  - {name: checks, on: check_failed}
"""


def configure(root: Path, text: str) -> None:
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(text)


def hook(root: Path, receiver: Receiver, rules: str = RULES) -> None:
    more = 'headers: {X-Token: "${HOOK_TOKEN}"}'
    configure(root, f"destinations: [{{name: hook, type: webhook, url: '{receiver.url}', {more}}}]\n{rules}")
    (root / ".env").write_text("HOOK_TOKEN=sesame\n")


def says(_: str) -> None: ...


def test_a_failed_run_is_told_once_and_so_is_its_end(shop: Shop, receiver: Receiver) -> None:
    hook(shop.root, receiver)
    (shop.root / "source" / f"{DAY}.json").write_text("{broken")
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    assert [(each["status"], each["rule"], each["subject"]) for each in receiver.got] == [
        ("firing", "failed", "readings")
    ]
    assert receiver.headers[0]["X-Token"] == "sesame"
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    assert len(receiver.got) == 1
    shop.deliver(DAY, [{"id": 1}])
    assert shop.call("materialize", "readings", "--partition", DAY).code == 0
    assert [each["status"] for each in receiver.got] == ["firing", "resolved"]


def test_a_destination_that_is_down_loses_nothing_and_is_told_later(shop: Shop, receiver: Receiver) -> None:
    hook(shop.root, receiver, "rules: [{name: late, on: freshness, table: raw.readings, older_than_hours: 1}]")
    lake = open_lake(shop.root)
    receiver.status = 503
    done = check(lake, says)
    assert [(each.destination, each.error) for each in done.waiting] == [
        ("hook", "it answered 503 Service Unavailable")
    ]
    assert "hook" in shop.call("alerts", "list").out
    assert "503" in shop.call("alerts", "list").out
    check_after_run(lake, says)  # not yet: it waits a minute first
    assert Outbox(lake.project.state, "shop").waiting()[0].attempts == 1
    receiver.status = 200
    assert check(lake, says).waiting == ()
    assert [each["status"] for each in receiver.got] == ["firing"]


def test_a_server_that_does_not_answer_holds_a_run_up_for_a_moment_only(shop: Shop) -> None:
    with deaf() as port:
        text = f"destinations: [{{name: deaf, type: webhook, url: 'http://127.0.0.1:{port}/'}}]\n"
        configure(shop.root, text + "rules: [{name: late, on: freshness, table: raw.x, older_than_hours: 1}]")
        lake = open_lake(shop.root)
        began = time.monotonic()
        check(lake, says, patience=0.2, again=False)
        check(lake, says, patience=0.2, again=False)
        assert time.monotonic() - began < 30  # it never answers at all
        (waiting,) = Outbox(lake.project.state, "shop").waiting()
        assert waiting.attempts == 1  # the second look did not try again


@contextmanager
def deaf() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_mail_arrives(shop: Shop) -> None:
    with mailbox() as (port, mails):
        mail = f"{{name: mail, type: email, host: 127.0.0.1, port: {port}, from: a@x.org, to: [b@x.org, c@x.org]}}"
        configure(shop.root, f"destinations: [{mail}]\n{RULES}")
        told = shop.call("alerts", "test", "mail")
        assert (told.code, told.out) == (0, "✓ mail: told\n")
    assert (mails[0]["to"], "this is a test" in mails[0]["data"]) == (["b@x.org", "c@x.org"], True)


@contextmanager
def mailbox() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """An SMTP server that keeps what it gets."""
    controllers = pytest.importorskip("aiosmtpd.controller", reason="aiosmtpd is not installed")
    mails: list[dict[str, Any]] = []

    class Keeper:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append({"to": envelope.rcpt_tos, "data": envelope.content.decode()})
            return "250 kept"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = controllers.Controller(Keeper(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, mails
    finally:
        controller.stop()


def test_slack_gets_its_text_and_channel(shop: Shop, receiver: Receiver) -> None:
    slack = "{name: slack, type: slack, webhook: '${PHLO_ALERT_SLACK_WEBHOOK}', channel: '${PHLO_ALERT_SLACK_CHANNEL}'}"
    rule = "rules: [{name: late, on: freshness, table: raw.readings, older_than_hours: 1}]"
    configure(shop.root, f"destinations: [{slack}]\n{rule}")
    missing = shop.call("alerts", "test")
    assert (missing.code, missing.out) == (1, "✗ slack: PHLO_ALERT_SLACK_WEBHOOK is not set\n")
    shop.call("alerts", "check")  # keeps nothing for a destination that nobody has set up
    lines = f"PHLO_ALERT_SLACK_WEBHOOK={receiver.url}\nPHLO_ALERT_SLACK_CHANNEL=#glucose-alerts\n"
    (shop.root / ".env").write_text(lines)
    assert shop.call("alerts", "test").code == 0
    assert receiver.got == [{"text": "🔵 shop: test: this is a test of Phlo's alerts", "channel": "#glucose-alerts"}]


def test_check_says_what_holds_and_ends_with_1(shop: Shop) -> None:
    text = "destinations: [{name: here, type: console}]\n"
    configure(shop.root, text + "rules: [{name: late, on: freshness, table: raw.readings, older_than_hours: 1}]")
    found = shop.call("alerts", "check")
    assert (found.code, found.out) == (1, "✗ late [error]: raw.readings was never published\n")
    assert "🔴 shop: late: raw.readings was never published" in found.err
    shop.deliver(DAY, [{"id": 1}])
    ended = shop.call("materialize", "readings", "--partition", DAY)
    assert "✅ shop: late is over" in ended.err
    assert shop.call("alerts", "check").out == "✓ no rule has anything to say\n"


def test_a_rule_that_can_not_be_evaluated_is_said_and_forgets_nothing(shop: Shop) -> None:
    rule = "rules: [{name: q, on: query, sql: 'select * from raw.readings where n > 1'}]"
    configure(shop.root, f"destinations: [{{name: here, type: console}}]\n{rule}")
    asked = shop.call("alerts", "check")
    assert (asked.code, "q could not be evaluated: There is no table" in asked.err) == (0, True)
    shop.deliver(DAY, [{"id": 1, "n": 2}])
    assert "🔴 shop: q: q: id = 1" in shop.call("materialize", "readings", "--partition", DAY).err
    broken = rule.replace("n > 1", "m > 1")
    configure(shop.root, f"destinations: [{{name: here, type: console}}]\n{broken}")
    assert shop.call("alerts", "check").code == 0
    assert [row["rule"] for row in Outbox(shop.root / ".phlo/state", "shop").firing()] == ["q"]


def test_a_broken_file_of_rules_does_not_fail_a_run(shop: Shop) -> None:
    configure(shop.root, "rules: 1")
    shop.deliver(DAY, [{"id": 1}])
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert done.code == 0
    assert "warning: alerts were not checked: `.phlo/alerting/config.yaml` is wrong: rules: it is no list" in done.err


def test_a_broken_memory_of_alerts_is_named_and_does_not_fail_a_run(shop: Shop) -> None:
    configure(shop.root, f"destinations: [{{name: here, type: console}}]\n{RULES}")
    shop.deliver(DAY, [{"id": 1}])
    assert shop.call("alerts", "list").code == 0
    (shop.root / ".phlo/state/alerts.db").write_text("no database, but long enough to be taken for one" * 9)
    done = shop.call("materialize", "readings", "--partition", DAY)
    assert (done.code, "alerts.db`, which remembers alerts, can not be used" in done.err) == (0, True)
    assert "error[alerts-unavailable]" in shop.call("alerts", "list").err


def test_maintenance_and_an_undo_do_not_make_data_fresh(shop: Shop) -> None:
    lake = open_lake(shop.root)
    for day in (DAY, "2024-01-21"):
        shop.deliver(day, [{"id": day}])
        assert shop.call("materialize", "readings", "--partition", day).code == 0
    first, second = (each.at for each in reversed(lake.catalog.publishes()))
    assert lake.catalog.newest()["raw.readings"].at == second
    with lake.catalog.lease(["raw.readings"], "maintain-1"):
        lake.catalog.create_ref("maintain-1", run_id="maintain-1")
        with lake.catalog.load("raw.readings", "maintain-1").transaction() as change:
            change.set_properties(tidied="yes")
        lake.catalog.publish("maintain-1")
    assert lake.catalog.newest()["raw.readings"].at == second
    lake.catalog.undo(2)
    newest = lake.catalog.newest()["raw.readings"]
    assert (newest.at, [load.partition for load in newest.loads]) == (first, [DAY])
    lake.catalog.undo()  # the undo is undone
    assert lake.catalog.newest()["raw.readings"].at == second


def test_a_journal_that_is_over_is_read_once(shop: Shop, receiver: Receiver) -> None:
    hook(shop.root, receiver)
    lake = open_lake(shop.root)
    (shop.root / "source" / f"{DAY}.json").write_text("{broken")
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    (journal,) = (shop.root / ".phlo/state/runs").glob("*.jsonl")
    content = journal.read_text()
    journal.write_text("")
    assert [each.rule for each in check(lake, says).firing] == ["failed"]
    journal.unlink()
    assert check(lake, says).firing == ()
    journal.write_text(content)
    assert [each.rule for each in check(lake, says).firing] == ["failed"]


def test_two_that_deliver_at_once_tell_a_message_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "shop")
    problem = Problem("late", "raw.g", "error", "late")
    now = dt.datetime.now(dt.UTC)
    for _ in range(2):
        outbox.settle([problem], ["late"], {"late": ["a", "b"]}, now)
    assert len(outbox.waiting()) == 2
    assert (len(outbox.claim("a", 100.0)), len(outbox.claim("a", 100.0, whole=True))) == (1, 0)
    assert len(outbox.claim("a", 161.0)) == 1  # the first died while it told


def test_a_deleted_rule_is_over_without_a_word_and_a_deleted_destination_waits_for_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "shop")
    now = dt.datetime.now(dt.UTC)
    outbox.settle([Problem("late", "raw.g", "error", "late")], ["late"], {"late": ["a"]}, now)
    assert outbox.settle([], [], {}, now) == []
    assert outbox.firing() == []
    outbox.drop(["b"])
    assert outbox.waiting() == []
