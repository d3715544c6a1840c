"""What a merge costs: a batch into a table, by Phlo and by others; half of the batch updates stored rows, half is new.

Each line is a process of its own on a table made anew; the clock starts once its libraries are imported and its table
is open. "Cold" is its first merge, "warm" the second, of the next batch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Clock, Table, child, installed, ratio
from benchmarks.readings import KEYS, deliver

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = [
    (100_000, 10_000),
    (100_000, 100_000),
    (1_000_000, 10_000),
    (1_000_000, 100_000),
    (5_000_000, 10_000),
    (5_000_000, 100_000),
]
QUICK = [(2_000, 200)]
HEAD = ("table", "cold CPU s", "× Phlo", "warm CPU s", "× Phlo", "wall s", "peak MB", "MB written", "of the table")


def tables(quick: bool) -> Iterator[Table]:
    """A table for each size and kind of keys."""
    from benchmarks import peers

    for rows, batch in QUICK if quick else CASES:
        for keys in KEYS:
            with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
                deliver(folder, rows, keys, batch)
                source = Path(folder, "source.parquet").stat().st_size / 1e6
                found = {peer: took for peer in peers.PEERS if (took := _peer(folder, peer, batch)) is not None}
            first = found["phlo-months"]
            lines = [
                (
                    peers.PEERS[peer].label,
                    took["cpu"],
                    ratio(took["cpu"], first["cpu"]),
                    took["warm"],
                    ratio(took["warm"], first["warm"]),
                    took["wall"],
                    round(took["peak"]),
                    took["written"],
                    f"{took['written'] / source:.1f}",
                )
                for peer, took in found.items()
            ]
            note = f"Half of the batch updates, half is new; as one Parquet file the table has {source:.1f} MB."
            yield Table(f"Merge {batch:,} rows into {rows:,}, {keys} keys", note, HEAD, lines)


def _peer(folder: str, peer: str, batch: int) -> dict[str, float] | None:
    from benchmarks import peers

    if peer.startswith("delta") and not installed("deltalake"):
        return None
    python = {"python": peers.ducklake_python()} if peer == "ducklake" else {}
    if peer == "ducklake" and not python["python"]:
        return None
    with tempfile.TemporaryDirectory(prefix="phlo-bench-") as own:
        for file in Path(folder).glob("*.parquet"):
            Path(own, file.name).symlink_to(file)
        child("merge", "make", folder=own, peer=peer, **python)
        took: dict[str, float] = child("merge", "measure", folder=own, peer=peer, batch=batch, **python)
        return took


def make(folder: str, peer: str) -> None:
    """Make a peer's table, in a process of its own, so that its memory is not in the measure."""
    from benchmarks import peers

    peers.PEERS[peer].make(folder)


def measure(folder: str, peer: str, batch: int) -> dict[str, Any]:
    """Merge two batches; return what the first took, and the CPU seconds of the second."""
    import pyarrow.parquet as pq

    from benchmarks import peers

    work = peers.PEERS[peer].merge(folder)
    first, second = (pq.read_table(Path(folder, f"batch-{number}.parquet")) for number in range(2))
    with Clock(Path(folder)) as cold:
        counts = work(first)
    assert counts == (batch // 2, batch - batch // 2), counts
    with Clock() as warm:
        counts = work(second)
    assert counts == (batch // 2, batch - batch // 2), counts
    return cold.took | {"warm": warm.took["cpu"]}
