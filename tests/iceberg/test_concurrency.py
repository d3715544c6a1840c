"""Two processes that publish at once lose no update and show nobody half a publish; on SQLite and on Postgres."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from phlo.protocols import Load, View

if TYPE_CHECKING:
    from pathlib import Path

    from phlo.iceberg.catalog import SqlRefCatalog

ROUNDS = 10

COUNT = """
import json, sys, time
from pathlib import Path
from phlo.errors import PublishConflict
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import Load, View

uri, warehouse, who, rounds = sys.argv[1:]
catalog = SqlRefCatalog(uri, Path(warehouse))
conflicts = published = 0
while published < int(rounds):
    ref = f"{who}-{published}-{conflicts}"
    catalog.create_ref(ref)  # no run's: it holds no lease
    views = catalog.pin(ref).views
    a, b = int(views["gold.a"].sql), int(views["gold.b"].sql)
    assert a == b, "half a publish"
    for name in ("gold.a", "gold.b"):
        catalog.put_view(name, View(str(a + 1)), ref)
    catalog.record_load(ref, Load("raw.g", ref, ref))
    if published + conflicts == 0:
        print("ready", flush=True)
        sys.stdin.readline()  # both have read the same number when the first of them publishes
    time.sleep(0.005)  # and they go on meeting, as a rule
    try:
        catalog.publish(ref)
        published += 1
    except PublishConflict:
        conflicts += 1
        catalog.drop_ref(ref)
print(json.dumps({"conflicts": conflicts}))
"""

APPEND = """
import sys
from pathlib import Path
import pyarrow as pa
from phlo.errors import PublishConflict
from phlo.iceberg.catalog import SqlRefCatalog

uri, warehouse, who, rounds = sys.argv[1:]
catalog = SqlRefCatalog(uri, Path(warehouse))
print("ready", flush=True)
sys.stdin.readline()
done = 0
while done < int(rounds):
    with catalog.lease(["raw.a", "raw.b"], who):
        catalog.create_ref(who)
        for name in ("raw.a", "raw.b"):
            catalog.load(name, who).append(pa.table({"n": [int(who) * 1000 + done]}))
        catalog.publish(who)  # no conflict: the lease was held
        done += 1
"""


def start(code: str, uri: str, warehouse: Path, rounds: int) -> list[subprocess.Popen[str]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, uri, str(warehouse), str(who), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in (1, 2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


@pytest.mark.slow
def test_two_processes_that_count_up_one_number_never_lose_a_count(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path
) -> None:
    catalog.create_ref("zero")
    catalog.put_view("gold.a", View("0"), "zero")
    catalog.put_view("gold.b", View("0"), "zero")
    catalog.publish("zero")
    processes = start(COUNT, catalog_uri, warehouse, ROUNDS)
    seen = [0]
    while any(process.poll() is None for process in processes):
        pin = catalog.pin()
        assert pin.views["gold.a"] == pin.views["gold.b"]
        assert pin.seq == int(pin.views["gold.a"].sql) + 1
        seen.append(pin.seq)
    conflicts = [json.loads(process.communicate()[0])["conflicts"] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert seen == sorted(seen)
    assert catalog.pin().views["gold.a"] == View(str(2 * ROUNDS))
    assert sum(conflicts) > 0, "both began from one number, so one of them was refused"
    log = catalog.publishes()
    assert [publish.seq for publish in log] == list(range(2 * ROUNDS + 1, 0, -1))
    assert all(len(publish.changes) == 2 for publish in log)
    assert sorted(publish.at for publish in log) == [publish.at for publish in reversed(log)]
    assert len({load.load_id for load in catalog.loads()}) == 2 * ROUNDS
    assert catalog.refs() == []


@pytest.mark.slow
def test_two_processes_that_lease_what_they_append_to_never_conflict(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, write: object, rows: object
) -> None:
    assert callable(write)
    assert callable(rows)
    for name in ("raw.a", "raw.b"):
        write(name, [0], "zero")
    catalog.publish("zero")
    processes = start(APPEND, catalog_uri, warehouse, 3)
    assert [process.wait(120) for process in processes] == [0, 0]
    expected = [0, *(who * 1000 + n for who in (1, 2) for n in range(3))]
    assert rows("raw.a") == rows("raw.b") == expected


def test_an_undo_and_a_publish_at_once_leave_one_order(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    import threading

    for n in range(8):
        catalog.create_ref(f"a{n}")
        catalog.put_view("gold.a", View(str(n)), f"a{n}")
        catalog.publish(f"a{n}")
        catalog.create_ref(f"b{n}")
        catalog.put_view("gold.b", View(str(n)), f"b{n}")
        catalog.record_load(f"b{n}", Load("raw.g", f"2024-01-0{n + 1}", str(n)))
        undo = threading.Thread(target=catalog.undo)
        undo.start()
        second.publish(f"b{n}")
        undo.join()
        newest, older = catalog.publishes(2)
        undone, published = (newest, older) if newest.restores is not None else (older, newest)
        assert undone.restores == undone.seq - 2
        counts = published.seq > undone.seq
        assert (str(n) in {load.load_id for load in catalog.loads()}) == counts
        assert (catalog.pin().views.get("gold.b") == View(str(n))) == counts
