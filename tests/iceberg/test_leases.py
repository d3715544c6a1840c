"""Leases let runs wait for each other; a holder that died holds nobody up. On SQLite and on Postgres."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import CatalogUnavailable, InvalidTableName, LeaseLost, TableLeased
from phlo.iceberg import layout, leases, sqlite
from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from phlo.iceberg.catalog import SqlRefCatalog

with SqlRefCatalog(sys.argv[1], Path(sys.argv[2])).lease(["raw.g", "raw.h"], "other"):
    print("held", flush=True)
    time.sleep(60)
"""


def rows(catalog: SqlRefCatalog) -> dict[str, str]:
    with catalog.database.read() as connection:
        row = layout.leases.c
        return {
            found.table_name: found.run_id
            for found in connection.execute(layout.leases.select().order_by(row.table_name))
        }


def update(catalog: SqlRefCatalog, **values: Any) -> None:
    with catalog.database.write() as connection:
        connection.execute(layout.leases.update().values(**values))


@pytest.fixture
def holder(catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path) -> Any:
    """Another process that holds raw.g and raw.h for the run `other`."""
    command = [sys.executable, "-c", HOLD, catalog_uri, str(warehouse)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lease_is_held_for_the_block_and_then_free(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    with catalog.lease(["raw.g", "raw.h", "raw.g"], "1"):
        assert rows(catalog) == {"raw.g": "1", "raw.h": "1"}
        said = rf"`raw.h` is being written by 1 \(host .+, pid {os.getpid()}, since "
        with pytest.raises(TableLeased, match=said) as error, second.lease(["raw.h", "raw.i"], "2", wait=False):
            pytest.fail("it was leased")
        assert "--no-wait" in error.value.next_step
        with second.lease(["raw.i"], "3", wait=False):
            assert set(rows(catalog)) == {"raw.g", "raw.h", "raw.i"}
    assert rows(catalog) == {}
    with second.lease(["raw.g"], "2", wait=False):
        assert rows(catalog) == {"raw.g": "2"}


def test_a_lease_is_free_after_an_error_too(catalog: SqlRefCatalog) -> None:
    with pytest.raises(ZeroDivisionError), catalog.lease(["raw.g"], "1"):
        _ = 1 / 0
    assert rows(catalog) == {}


def test_a_lease_on_nothing_waits_for_nobody(catalog: SqlRefCatalog) -> None:
    with catalog.lease(["raw.g"], "1"), catalog.lease([], "2", wait=False):
        assert catalog.live_runs() == {"1", "2"}
        catalog.create_ref("run-2", run_id="2")
        assert catalog.reap() == []
        assert catalog.publish("run-2").run_id == "2"
    assert rows(catalog) == {}


def test_only_tables_can_be_leased(catalog: SqlRefCatalog) -> None:
    with pytest.raises(InvalidTableName), catalog.lease(["raw.g@x"], "1"):
        pytest.fail("it was leased")


def test_who_waits_holds_nothing_and_says_for_whom_once(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    told, taken, done = list[str](), threading.Event(), threading.Event()

    def wait() -> None:
        with second.lease(["raw.a", "raw.g"], "2", on_wait=told.append):
            taken.set()
            done.wait(10)

    waiter = threading.Thread(target=wait)
    with catalog.lease(["raw.g"], "1"):
        waiter.start()
        assert not taken.wait(3 * leases.POLL_SECONDS)
        assert rows(catalog) == {"raw.g": "1"}
    assert taken.wait(10)
    assert rows(catalog) == {"raw.a": "2", "raw.g": "2"}
    done.set()
    waiter.join()
    (sentence,) = told
    assert re.fullmatch(r"waiting for 1 \(host .+, pid \d+, since .+\), which is writing raw\.g", sentence)


def test_another_process_is_waited_for_while_it_lives_and_not_after(catalog: SqlRefCatalog, holder: Any) -> None:
    update(catalog, heartbeat_at="2001-01-01T00:00:00.000000+00:00")  # stopped, or asleep: but there
    with (
        pytest.raises(TableLeased, match=f"written by other .*pid {holder.pid}"),
        catalog.lease(["raw.g"], "1", wait=False),
    ):
        pytest.fail("it was leased")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    began = time.monotonic()
    with catalog.lease(["raw.g"], "1"):
        assert time.monotonic() - began < 5
        assert rows(catalog) == {"raw.g": "1", "raw.h": "other"}
        assert catalog.live_runs() == {"1"}


def test_a_process_that_died_but_was_not_waited_for_is_dead(catalog: SqlRefCatalog, holder: Any) -> None:
    holder.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while catalog.live_runs() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert catalog.live_runs() == set()  # a zombie until its parent asks for it


def test_a_later_process_of_the_same_number_is_not_the_holder(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    with catalog.lease(["raw.g"], "1"):
        update(catalog, process=f"{leases.process(os.getpid()).split()[0]} a-boot/123")
        with second.lease(["raw.g"], "2", wait=False):
            assert rows(catalog) == {"raw.g": "2"}


@pytest.mark.parametrize("elsewhere", [{"host": "another"}, {"process": "pid:[1] boot/1"}])
def test_a_holder_elsewhere_is_dead_when_its_heart_stopped_for_a_minute(
    catalog: SqlRefCatalog, second: SqlRefCatalog, elsewhere: dict[str, str]
) -> None:
    with catalog.lease(["raw.g"], "1"):
        update(catalog, **elsewhere)
        with pytest.raises(TableLeased), second.lease(["raw.g"], "2", wait=False):
            pytest.fail("it was leased")
        update(catalog, heartbeat_at="2001-01-01T00:00:00.000000+00:00")
        with second.lease(["raw.g"], "2", wait=False):
            assert rows(catalog) == {"raw.g": "2"}


def test_a_heart_beats_while_the_lease_is_held(catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.02)
    with catalog.lease(["raw.g"], "1"):
        update(catalog, heartbeat_at="2001-01-01T00:00:00.000000+00:00")
        deadline, beat = time.monotonic() + 10, "2001"
        while beat.startswith("2001") and time.monotonic() < deadline:
            time.sleep(0.02)
            with catalog.database.read() as connection:
                beat = str(connection.scalar(layout.leases.select().with_only_columns(layout.leases.c.heartbeat_at)))
        assert not beat.startswith("2001")
    assert not [thread for thread in threading.enumerate() if thread.name == "phlo-lease" and thread.is_alive()]


def test_a_heart_goes_on_after_the_catalog_was_away(catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", 0.01)
    answers, twice = list[str](), threading.Event()

    def now(connection: object) -> str:
        answers.append("asked")
        if len(answers) > 2:
            twice.set()
        raise CatalogUnavailable(uri="sqlite://", detail="database is locked")

    with catalog.lease(["raw.g"], "1"):
        monkeypatch.setattr(leases, "now", now)
        assert twice.wait(10)
    assert rows(catalog) == {}


def test_a_run_that_lost_its_lease_notices_at_publish(catalog: SqlRefCatalog, write: Callable[..., None]) -> None:
    with catalog.lease(["raw.g", "raw.h"], "1"):
        catalog.create_ref("run-1", run_id="1")
        write("raw.g", [1], "run-1")
        with catalog.database.write() as connection:
            connection.execute(layout.leases.delete().where(layout.leases.c.table_name == "raw.h"))
        with pytest.raises(LeaseLost, match=r"1 no longer holds the lease on `raw.h`"):
            catalog.publish("run-1")
        assert catalog.publishes() == []
        catalog.create_ref("dev-ann")
        assert catalog.publish("dev-ann").seq == 1  # nobody's business but run 1's
    with catalog.lease(["raw.g", "raw.h"], "1"):
        assert catalog.publish("run-1").seq == 2


def test_many_runs_that_want_the_same_tables_take_turns(
    catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "POLL_SECONDS", 0.01)
    inside, most = list[int](), list[int]()

    def run(n: int) -> None:
        with catalog.lease([f"raw.t{n % 3}", "raw.shared"], str(n)):
            inside.append(n)
            most.append(len(inside))
            time.sleep(0.005)
            inside.remove(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [1] * 6
    assert rows(catalog) == {}


def test_a_lease_that_the_database_did_not_let_go_holds_nobody_up(
    tmp_path: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", warehouse)
    busy = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    with pytest.raises(CatalogUnavailable, match="locked"), catalog.lease(["raw.g"], "one"):
        busy.execute("BEGIN IMMEDIATE")
    busy.execute("ROLLBACK")
    assert rows(catalog) == {"raw.g": "one"}
    with catalog.lease(["raw.g", "raw.h"], "two", wait=False):
        assert rows(catalog) == {"raw.g": "two", "raw.h": "two"}
    assert rows(catalog) == {}
    busy.close()
    catalog.close()


def test_a_wait_ends_when_it_is_told_to(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    asked: list[str] = []

    def stop_at_the_second() -> None:
        asked.append("?")
        if len(asked) == 2:
            raise InterruptedError

    told: list[str] = []
    with catalog.lease(["raw.g"], "one"):
        waiting = second.lease(["raw.g"], "two", on_wait=told.append, while_waiting=stop_at_the_second)
        with pytest.raises(InterruptedError), waiting:
            raise AssertionError
        assert rows(catalog) == {"raw.g": "one"}
    assert (len(asked), len(told)) == (2, 1)
