"""How long a publish of ten tables takes, beside ten PyIceberg commits (which a reader sees one by one).

The catalog is SQLite in a temporary folder, or where ``BENCH_CATALOG`` says.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from benchmarks.measure import Table, ratio
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyiceberg.table import Table as IcebergTable

TABLES, ROUNDS = 10, 20
SCHEMA = pa.schema([("n", pa.int64())])


def tables(quick: bool) -> Iterator[Table]:
    """One table of milliseconds."""
    rounds = 2 if quick else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = os.environ.get("BENCH_CATALOG", f"sqlite:///{folder}/catalog.db")
        plain = plain_commits(folder, rounds)
        commits, publishes = ref_commits(SqlRefCatalog(uri, folder / "warehouse"), rounds)
    found = {
        f"{TABLES} commits with PyIceberg's SqlCatalog": plain,
        f"{TABLES} commits on a ref": commits,
        f"publish of the {TABLES} tables": publishes,
    }
    usual = statistics.median(plain)
    lines = [
        (label, round(statistics.median(times), 1), round(max(times), 1), ratio(statistics.median(times), usual))
        for label, times in found.items()
    ]
    yield Table(f"Publish {TABLES} tables", "Wall time.", ("", "median ms", "worst ms", "× PyIceberg"), lines)


def plain_commits(folder: Path, rounds: int) -> list[float]:
    """Ten tables of a plain catalog, committed to one after another."""
    catalog = SqlCatalog("plain", uri=f"sqlite:///{folder}/plain.db", warehouse=str(folder / "plain"))
    catalog.create_namespace("raw")
    for n in range(TABLES):
        catalog.create_table(f"raw.t{n}", SCHEMA)
    times = []
    for round_ in range(rounds):
        tables = [catalog.load_table(f"raw.t{n}") for n in range(TABLES)]
        times.append(timed(lambda tables=tables, round_=round_: commit(tables, round_)))
    return times


def ref_commits(catalog: SqlRefCatalog, rounds: int) -> tuple[list[float], list[float]]:
    """The same on a ref, then its publish, with a load each in the ledger."""
    catalog.create_ref("first")
    for n in range(TABLES):
        catalog.create_table(f"raw.t{n}", SCHEMA, "first")
    catalog.publish("first")
    commits, publishes = [], []
    for round_ in range(rounds):
        ref = f"run-{round_}"
        catalog.create_ref(ref)
        tables = [catalog.load(f"raw.t{n}", ref) for n in range(TABLES)]
        commits.append(timed(lambda tables=tables, round_=round_: commit(tables, round_)))
        for n in range(TABLES):
            catalog.record_load(ref, Load(f"raw.t{n}", "2024-01-20", f"{ref}-{n}"))
        publishes.append(timed(lambda ref=ref: catalog.publish(ref)))
    return commits, publishes


def commit(tables: list[IcebergTable], n: int) -> None:
    for table in tables:
        with table.transaction() as change:
            change.set_properties({"round": str(n)})


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
