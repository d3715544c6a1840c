"""What a merge costs: a batch into an Iceberg table by Phlo and by PyIceberg's upsert, and a plain Parquet rewrite.

    python benchmarks/merge.py [--rows 100000 1000000] [--batch 10000] [--only phlo rewrite]

Half of the batch updates stored rows, half is new. Keys are either time-local (they grow with time, the batch is the
newest) or random (the batch is spread over the whole table). Each line is a process of its own, on a table made anew by
another; the clock starts once its libraries are imported and its table is open.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    Work = Callable[[pa.Table], tuple[int, int]]

SUBJECTS = {
    "phlo": "Phlo, months",
    "phlo-one": "Phlo, unpartitioned",
    "upsert": "PyIceberg upsert, unpartitioned",  # its writes need another package to partition by month
    "rewrite": "one Parquet file, by DuckDB",
}
KEYS = ("time-local", "random")
TABLE = "raw.readings"
WRITTEN = (".parquet", ".avro", ".json")
STEP = 300
"""Seconds between readings."""


def main() -> None:
    arguments = _arguments()
    for name, function in (("make", make), ("measure", measure)):
        if child := getattr(arguments, name):
            print(json.dumps(function(**json.loads(child))))
            return
    print(f"A batch of {arguments.batch:,} rows, half of them updates\n")
    head = ("rows", "keys", "", "CPU s", "× Phlo", "wall s", "peak MB", "MB written")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for rows in arguments.rows:
        for keys in KEYS:
            _print_group(rows, keys, arguments.batch, arguments.only)


def make(folder: str, subject: str, rows: int, keys: str, batch: int) -> dict[str, float]:
    """Make a table and the batch for it, in a process of its own, so that its memory is not in the measure."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(_batch(rows, keys, batch), Path(folder, "batch.parquet"))
    if subject == "rewrite":
        with pq.ParquetWriter(Path(folder, "old.parquet"), _schema(), compression="zstd") as writer:
            for part in _parts(0, rows, keys):
                writer.write_table(part)
        return {}
    from phlo.iceberg.merge import append

    catalog = _catalog(folder)
    catalog.create_ref("bench")
    months = "month(partition_date)" if subject == "phlo" else None
    table = catalog.create_table(TABLE, _schema(), "bench", partition_by=months, keys=["_id"])
    parts = (b for part in _parts(0, rows, keys) for b in part.to_batches())
    append(table, pa.RecordBatchReader.from_batches(_schema(), parts))
    return {}


def measure(folder: str, subject: str, batch: int, **_: Any) -> dict[str, float]:
    """Merge the batch into the table; return what that took."""
    import pyarrow.parquet as pq

    work = {"phlo": _phlo, "phlo-one": _phlo, "upsert": _upsert, "rewrite": _rewrite}[subject](folder)
    arrived = pq.read_table(Path(folder, "batch.parquet"))
    before, cpu, wall = _bytes(folder), _cpu(), time.perf_counter()
    updated, inserted = work(arrived)
    took = {"cpu": _cpu() - cpu, "wall": time.perf_counter() - wall}
    assert (updated, inserted) == (batch // 2, batch - batch // 2), (updated, inserted)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    written = sum(size for file, size in _bytes(folder).items() if file not in before)
    return {**took, "peak": peak, "written": written / 1e6}


def _phlo(folder: str) -> Work:
    from phlo.iceberg.merge import Limits, merge

    table = _catalog(folder).load(TABLE, "bench")

    def work(batch: pa.Table) -> tuple[int, int]:
        written = merge(table, batch, ["_id"], limits=Limits(temp=Path(folder, "spill")))
        return written.updated, written.inserted

    return work


def _upsert(folder: str) -> Work:
    table = _catalog(folder).load(TABLE, "bench")

    def work(batch: pa.Table) -> tuple[int, int]:
        result = table.upsert(batch, join_cols=["_id"])
        return result.rows_updated, result.rows_inserted

    return work


def _rewrite(folder: str) -> Work:
    import duckdb

    old, new = Path(folder, "old.parquet"), Path(folder, "new.parquet")

    def work(batch: pa.Table) -> tuple[int, int]:
        with duckdb.connect() as con:
            con.register("batch", batch)
            (updated,) = con.execute(f"SELECT count(*) FROM '{old}' SEMI JOIN batch USING (_id)").fetchall()[0]
            con.execute(
                f"COPY (FROM '{old}' ANTI JOIN batch USING (_id) UNION ALL FROM batch) TO '{new}' (COMPRESSION zstd)"
            )
        return updated, batch.num_rows - updated

    return work


def _catalog(folder: str) -> Any:
    from phlo.iceberg.catalog import SqlRefCatalog

    return SqlRefCatalog(f"sqlite:///{folder}/catalog.db", Path(folder, "warehouse"))


def _schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("_id", pa.string()),
            ("sgv", pa.int64()),
            ("date", pa.int64()),
            ("dateString", pa.string()),
            ("trend", pa.int32()),
            ("direction", pa.string()),
            ("device", pa.string()),
            ("type", pa.string()),
            ("partition_date", pa.date32()),
            ("_phlo_load_id", pa.string()),
            ("_phlo_loaded_at", pa.timestamp("us", "UTC")),
        ]
    )


def _parts(start: int, stop: int, keys: str, load: str = "1") -> Iterable[pa.Table]:
    for low in range(start, stop, 100_000):
        yield _readings(range(low, min(stop, low + 100_000)), keys, load)


def _batch(rows: int, keys: str, size: int) -> pa.Table:
    half = size // 2
    spread = range(0, rows, max(1, rows // half))[:half]
    old = range(rows - half, rows) if keys == "time-local" else spread
    return _readings([*old, *range(rows, rows + size - half)], keys, "2", corrected=half)


def _readings(numbers: Iterable[int], keys: str, load: str, corrected: int = 0) -> pa.Table:
    import hashlib

    import numpy as np
    import pyarrow as pa

    at = np.fromiter(numbers, dtype=np.int64)
    count = len(at)
    seconds = 1_400_000_000 + at * STEP
    when = seconds.astype("datetime64[s]")
    hashes = (hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest() for n in at)
    names = (
        f"{second:08x}{hash_[:16]}" if keys == "time-local" else hash_[:24]
        for second, hash_ in zip(seconds, hashes, strict=True)
    )
    sgv = 60 + (at * 7919) % 200
    sgv[:corrected] += 1
    columns = {
        "_id": pa.array(list(names)),
        "sgv": pa.array(sgv),
        "date": pa.array(seconds * 1000),
        "dateString": pa.array([f"{text}.000Z" for text in np.datetime_as_string(when)]),
        "trend": pa.array((at % 7).astype(np.int32)),
        "direction": pa.array(np.array(["Flat", "FortyFiveUp", "SingleUp", "FortyFiveDown"])[at % 4]),
        "device": pa.array(["share2"] * count),
        "type": pa.array(["sgv"] * count),
        "partition_date": pa.array(when.astype("datetime64[D]")),
        "_phlo_load_id": pa.array([load] * count),
        "_phlo_loaded_at": pa.array([int(load)] * count, pa.timestamp("us", "UTC")),
    }
    return pa.table(columns).cast(_schema())


def _print_group(rows: int, keys: str, batch: int, subjects: list[str]) -> None:
    found: dict[str, dict[str, float]] = {}
    for subject in subjects:
        with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
            child = {"folder": folder, "subject": subject, "rows": rows, "keys": keys, "batch": batch}
            _run("make", child)
            found[subject] = result = _run("measure", child)
        ratio = f"{result['cpu'] / found['phlo']['cpu']:.1f}" if "phlo" in found else ""
        cells = [f"{rows:,}", keys, SUBJECTS[subject], f"{result['cpu']:.2f}", ratio]
        cells += [f"{result['wall']:.2f}", f"{result['peak']:.0f}", f"{result['written']:.1f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def _run(what: str, child: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, f"--{what}", json.dumps(child)], stdout=subprocess.PIPE, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _bytes(folder: str) -> dict[Path, int]:
    return {file: file.stat().st_size for file in Path(folder, ".").rglob("*") if file.suffix in WRITTEN}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--make", help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
