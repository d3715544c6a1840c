"""What an append costs: a batch of new rows onto a table, by Phlo and by others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Clock, Table, child, installed, ratio
from benchmarks.readings import deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = ("phlo-months", "phlo", "upsert", "delta", "ducklake", "parquet")


def tables(quick: bool) -> Iterator[Table]:
    """One table: a batch onto a table."""
    from benchmarks import peers

    rows, batch = (2_000, 200) if quick else (1_000_000, 100_000)
    there = {"delta": bool(installed("deltalake")), "ducklake": bool(peers.ducklake_python())}
    found: dict[str, dict[str, float]] = {}
    for peer in PEERS:
        if there.get(peer, True):
            python = {"python": peers.ducklake_python()} if peer == "ducklake" else {}
            with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
                deliver(folder, rows, "time-local", batch)
                child("merge", "make", folder=folder, peer=peer, **python)
                found[peer] = child("append", "measure", folder=folder, peer=peer, batch=batch, **python)
    lines = [
        (
            peers.PEERS[peer].label,
            took["cpu"],
            ratio(took["cpu"], found["phlo-months"]["cpu"]),
            took["wall"],
            round(took["peak"]),
            took["written"],
        )
        for peer, took in found.items()
    ]
    yield Table(
        f"Append {batch:,} rows to {rows:,}",
        "Without looking for known keys.",
        ("table", "CPU s", "× Phlo", "wall s", "peak MB", "MB written"),
        lines,
    )


def measure(folder: str, peer: str, batch: int) -> dict[str, Any]:
    """Append a batch."""
    import pyarrow.parquet as pq

    from benchmarks import peers

    work = peers.PEERS[peer].append(folder)
    rows = pq.read_table(Path(folder, "batch-0.parquet"))
    with Clock(Path(folder)) as clock:
        counts = work(rows)
    assert counts == (0, batch), counts
    return clock.took
