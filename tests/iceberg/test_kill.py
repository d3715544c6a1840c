"""SIGKILL at any moment: main is whole, and what the log says is what main has; on SQLite and on Postgres."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from phlo.protocols import View

if TYPE_CHECKING:
    from pathlib import Path

    from phlo.iceberg.catalog import SqlRefCatalog


# Imports once, says how long a publish takes, then forks a child for each line it reads and kills it after as many
# seconds as the line says.
NURSERY = """
import os, signal, sys, time
from pathlib import Path
from phlo.iceberg import handles
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import Load, View

catalog = SqlRefCatalog(sys.argv[1], Path(sys.argv[2]))

def round(ref, ready):
    with catalog.lease(["raw.g"], ref):
        catalog.create_ref(ref, run_id=ref)
        count = int(catalog.pin(ref).views["gold.a"].sql) + 1
        for name in "abc":
            catalog.put_view(f"gold.{name}", View(str(count)), ref)
        catalog.record_load(ref, Load("raw.g", ref, ref))
        ready()
        began = time.monotonic()
        catalog.publish(ref)
        return time.monotonic() - began

def live(number):
    for n in range(10_000):
        round(f"run-{number}-{n}", lambda: os.write(ready, b"."))

took = [round(f"warm-{n}", lambda: None) for n in range(3)]
print(min(took), flush=True)

for number, line in enumerate(sys.stdin):
    begun, ready = os.pipe()
    child = os.fork()
    if not child:
        live(number)
    os.read(begun, 1)
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(begun); os.close(ready)
    print("killed", flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_moment_leaves_main_whole(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, kills: int
) -> None:
    names = [f"gold.{letter}" for letter in "abc"]
    catalog.create_ref("zero")
    for name in names:
        catalog.put_view(name, View("0"), "zero")
    catalog.publish("zero")
    chance = random.Random(3)
    command = [sys.executable, "-c", NURSERY, catalog_uri, str(warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        publish = float(nursery.stdout.readline())
        for _ in range(kills):
            nursery.stdin.write(f"{chance.uniform(0, 3 * publish)}\n")
            nursery.stdin.flush()
            assert nursery.stdout.readline() == "killed\n"
            check_whole(catalog, names)
        nursery.stdin.close()
    assert nursery.returncode == 0
    seq = catalog.pin().seq
    assert seq is not None
    assert seq > kills / 4, "it was always killed before it published, so this proved little"
    tidy_up(catalog)


def check_whole(catalog: SqlRefCatalog, names: list[str]) -> None:
    """Every publish counts each view up by one and adds one load: any part of one without the rest shows."""
    pin = catalog.pin()
    assert pin.seq is not None
    assert pin.views == {name: View(str(pin.seq - 1)) for name in names}
    assert len(catalog.loads()) == pin.seq - 1
    log: list[Any] = catalog.publishes(3)
    assert all(len(publish.changes) == len(names) for publish in log)
    assert {publish.ref for publish in log}.isdisjoint(ref.name for ref in catalog.refs())


def tidy_up(catalog: SqlRefCatalog) -> None:
    """What the dead left is found and can be dropped, and their leases hold nobody up."""
    left = {ref.name for ref in catalog.refs()}
    assert {ref.name for ref in catalog.reap()} == left
    assert {ref.name for ref in catalog.prune(keep=0, days=7)} == left
    with catalog.lease(["raw.g"], "next", wait=False):
        assert catalog.live_runs() == {"next"}
