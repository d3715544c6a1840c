"""Clocks that jump: nothing is lost or doubled, the log keeps its order, and Iceberg's readers find times in order."""

from __future__ import annotations

import datetime as dt
import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from phlo.iceberg import files
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.maintenance import Keep, maintain
from phlo.iceberg.merge import merge
from phlo.iceberg.tables import evolve
from phlo.protocols import Load

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("key", pa.int64()), ("value", pa.int64())])
WIDER = SCHEMA.append(pa.field("note", pa.string()))
HOURS = (0, -24, 72, -48, 1)


class Clock:
    """A clock that its owner sets, by hours from now."""

    hours = 0

    def time(self) -> float:
        return time.time() + self.hours * 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all that stamps tables, publishes and leases."""
    clock = Clock()

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(clock.time(), tz)

    for module in ("database", "maintenance", "metadata"):
        monkeypatch.setattr(f"phlo.iceberg.{module}.datetime", Shifted)
    monkeypatch.setattr("pyiceberg.table.snapshots.time", SimpleNamespace(time=clock.time))
    return clock


def read(table: Table) -> dict[int, int]:
    found = table.scan(selected_fields=("key", "value")).to_arrow().to_pylist()
    assert len({row["key"] for row in found}) == len(found)
    return {row["key"]: row["value"] for row in found}


def in_order(times: list[int]) -> bool:
    return times == sorted(times)


def test_runs_under_a_clock_that_jumps_lose_and_double_nothing(tmp_path: Path, clock: Clock) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    states: dict[int, dict[int, int]] = {0: {}}
    for number, hours in enumerate(HOURS):
        clock.hours = hours
        run = f"run-{number}"
        with catalog.lease(["raw.t"], run):
            catalog.create_ref(run, run_id=run)
            table = catalog.load("raw.t", run) if number else catalog.create_table("raw.t", SCHEMA, run, keys=["key"])
            if number == 3:
                evolve(table, WIDER)
            batch = {number: number, 0: number}
            rows = pa.table({"key": list(batch), "value": list(batch.values())}, schema=SCHEMA)
            for _ in range(2):
                merge(table, rows, ["key"])
            catalog.record_load(run, Load("raw.t", f"2024-01-0{number + 1}", run))
            seq = catalog.publish(run).seq
        states[seq] = states[seq - 1] | batch
    for hours in (-24, 100):
        clock.hours = hours
        _check(catalog, states)
        maintain(catalog, Keep(grace=dt.timedelta(0)))
    _check(catalog, states)
    assert len(catalog.loads()) == len(HOURS)


def _check(catalog: SqlRefCatalog, states: dict[int, dict[int, int]]) -> None:
    assert read(catalog.load("raw.t")) == states[max(states)]
    publishes = sorted(catalog.publishes(), key=lambda publish: publish.seq)
    assert [publish.at for publish in publishes] == sorted(publish.at for publish in publishes)
    for publish in publishes:
        pin = catalog.pin(as_of=publish.at)
        assert pin.seq == max(other.seq for other in publishes if other.at == publish.at)
        if publish.seq in states:
            assert read(catalog.open_pinned("raw.t", catalog.pin(seq=publish.seq))) == states[publish.seq]
    metadata = catalog.load("raw.t").metadata
    assert in_order([snapshot.timestamp_ms for snapshot in metadata.snapshots])
    assert in_order([entry.timestamp_ms for entry in metadata.snapshot_log])
    assert in_order([*(entry.timestamp_ms for entry in metadata.metadata_log), metadata.last_updated_ms])
    assert metadata.last_updated_ms >= metadata.snapshots[-1].timestamp_ms


def test_files_are_synced_when_the_clock_has_stepped_back_since_the_run_began(tmp_path: Path) -> None:
    pointer = tmp_path / "metadata" / "1.metadata.json"
    pointer.parent.mkdir()
    pointer.write_text("x")
    began = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    assert files.make_durable({"raw.t": str(pointer)}, began) == 1
    os.utime(pointer, (0, 0))
    assert files.make_durable({"raw.t": str(pointer)}, began - dt.timedelta(days=2)) == 0
