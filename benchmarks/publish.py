"""How long a publish of ten tables takes, beside ten PyIceberg commits (which a reader sees one by one).

python benchmarks/publish.py [CATALOG-URI]    (default: SQLite in a temporary folder)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

TABLES, ROUNDS, LIMIT_MS = 10, 20, 50.0
SCHEMA = pa.schema([("n", pa.int64())])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/catalog.db"
        plain = plain_commits(folder)
        commits, publishes = ref_commits(SqlRefCatalog(uri, folder / "warehouse"))
    rows = {
        f"{TABLES} commits with PyIceberg's SqlCatalog": plain,
        f"{TABLES} commits on a ref": commits,
        f"publish of the {TABLES} tables": publishes,
    }
    print(f"{'':44}{'median ms':>12}{'worst ms':>12}{'of PyIceberg':>14}")
    for label, times in rows.items():
        ratio = statistics.median(times) / statistics.median(plain)
        print(f"{label:44}{statistics.median(times):12.1f}{max(times):12.1f}{ratio:14.2f}")
    verdict = "within" if statistics.median(publishes) <= LIMIT_MS else "over"
    print(f"publish: {verdict} its limit of {LIMIT_MS:.0f} ms")


def plain_commits(folder: Path) -> list[float]:
    """Ten tables of a plain catalog, committed to one after another."""
    catalog = SqlCatalog("plain", uri=f"sqlite:///{folder}/plain.db", warehouse=str(folder / "plain"))
    catalog.create_namespace("raw")
    for n in range(TABLES):
        catalog.create_table(f"raw.t{n}", SCHEMA)
    times = []
    for round_ in range(ROUNDS):
        tables = [catalog.load_table(f"raw.t{n}") for n in range(TABLES)]
        times.append(timed(lambda tables=tables, round_=round_: commit(tables, round_)))
    return times


def ref_commits(catalog: SqlRefCatalog) -> tuple[list[float], list[float]]:
    """The same on a ref, then its publish, with a load each in the ledger."""
    catalog.create_ref("first")
    for n in range(TABLES):
        catalog.create_table(f"raw.t{n}", SCHEMA, "first")
    catalog.publish("first")
    commits, publishes = [], []
    for round_ in range(ROUNDS):
        ref = f"run-{round_}"
        catalog.create_ref(ref)
        tables = [catalog.load(f"raw.t{n}", ref) for n in range(TABLES)]
        commits.append(timed(lambda tables=tables, round_=round_: commit(tables, round_)))
        for n in range(TABLES):
            catalog.record_load(ref, Load(f"raw.t{n}", "2024-01-20", f"{ref}-{n}"))
        publishes.append(timed(lambda ref=ref: catalog.publish(ref)))
    return commits, publishes


def commit(tables: list[Table], n: int) -> None:
    for table in tables:
        with table.transaction() as change:
            change.set_properties({"round": str(n)})


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
