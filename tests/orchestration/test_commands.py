"""What a user of the UI sees of the command line's runs, by real commands and each server that may show them."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from dagster import AssetKey, DagsterEventType, EventRecordsFilter
from floor import DAY, floor_of, rows, write_checks, write_waiting
from server_process import PATIENCE, Served, dagsters_own, served

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.conftest import Shop

    Serve = Callable[[Shop], AbstractContextManager[Served]]

TERMINATE = "mutation Stop($run: String!) { terminateRun(runId: $run) { __typename } }"

pytestmark = pytest.mark.slow


def isolated(shop: Shop) -> AbstractContextManager[Served]:
    return served(shop, "--isolated")


def elsewhere(shop: Shop) -> AbstractContextManager[Served]:
    return dagsters_own(shop, shop.root.parent / "home of dagster")


@pytest.mark.parametrize("serve", [served, isolated, elsewhere])
def test_a_command_is_in_the_ui_while_it_goes_and_its_partition_counts_when_it_is_published(
    shop: Shop, serve: Serve
) -> None:
    write_waiting(shop.root)
    shop.deliver(DAY, rows(3))
    shop.run("materialize", "readings", "--partition", DAY)  # before there is a server
    with serve(shop) as server:
        first = the_new_run(server, set())
        assert server.ended(first) == "SUCCESS"
        assert server.partitions("readings") == {DAY}
        with waiting(shop) as command:
            going = the_new_run(server, {first})
            server.wait(lambda: server.status(going) == "STARTED")
            assert any("Started by `cli`" in message for message in server.log(going))
            assert server.partitions("waiting") == set()
            (shop.root / "source" / "go").touch()
            assert command.wait(PATIENCE) == 0
        assert server.ended(going) == "SUCCESS"
        assert server.partitions("waiting") == {DAY}
        again = server.reexecute(first)
        assert server.ended(again) == "SUCCESS"
        server.process.send_signal(signal.SIGINT)
        server.process.communicate(timeout=PATIENCE)
    if serve is not elsewhere:  # which Dagster ends by itself, a little later
        with pytest.raises(ProcessLookupError):
            os.killpg(server.process.pid, 0)
    published = [load["table"] for entry in shop.call("history", "--json").records for load in entry["loads"]]
    assert sorted(published) == ["raw.readings", "raw.readings", "raw.waiting"]


def test_commands_that_do_not_succeed_are_in_the_ui_as_what_they_are(shop: Shop) -> None:
    write_waiting(shop.root)
    write_checks(shop.root)
    shop.deliver(DAY, [{"id": 7, "value": None}])
    with served(shop) as server:
        shop.run("materialize", "readings", "--partition", DAY, code=1)
        failed = the_new_run(server, set())
        assert server.ended(failed) == "FAILURE"
        (ref,) = (each["name"] for each in shop.call("ref", "list", "--json").records if each["state"] == "failed")
        assert any(f"kept on {ref}" in message for message in server.log(failed))

        with waiting(shop) as command:
            killed = the_new_run(server, {failed})
            os.killpg(command.pid, signal.SIGKILL)
        assert server.ended(killed) == "FAILURE"
        assert any("Its process ended before the run did" in message for message in server.log(killed))

        with waiting(shop) as command:
            stopped = the_new_run(server, {failed, killed})
            server.ask(TERMINATE, run=stopped)
            assert command.wait(PATIENCE) == 143
        assert server.ended(stopped) == "CANCELED"

        assert server.partitions("readings") == server.partitions("waiting") == set()
        shop.deliver(DAY, rows(2))
        assert server.ended(server.reexecute(failed)) == "SUCCESS"
        assert server.partitions("readings") == {DAY}


def test_a_backfill_in_chunks_shows_a_year_of_partitions_once_however_often_the_server_starts(shop: Shop) -> None:
    shop.call("backfill", "events", "--start-date", "2023-01-01", "--end-date", "2024-01-01")
    seen = []
    for _ in range(2):
        with served(shop) as server:
            server.wait(lambda: len(server.partitions("events")) == 366)
            assert [run["status"] for run in server.runs()] == ["SUCCESS"] * 12
            seen.append({run["runId"]: server.log(run["runId"]) for run in server.runs()})
    assert seen[0] == seen[1]
    with floor_of(shop) as floor:
        kind = DagsterEventType.ASSET_MATERIALIZATION
        found = floor.instance.get_event_records(EventRecordsFilter(kind, AssetKey("events")))
    assert len(found) == 366


@contextmanager
def waiting(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """A command whose source keeps it waiting."""
    for file in ("began", "go"):
        (shop.root / "source" / file).unlink(missing_ok=True)
    command = shop.start("materialize", "waiting", "--partition", DAY)
    try:
        Served(command, 0, "").wait((shop.root / "source" / "began").exists)
        yield command
    finally:
        command.kill()
        command.communicate()


def the_new_run(server: Served, seen: set[str]) -> str:
    """Wait until one more run is in the list."""
    server.wait(lambda: len(server.runs()) == len(seen) + 1)
    (new,) = {run["runId"] for run in server.runs()} - seen
    return str(new)
