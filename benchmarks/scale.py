"""What a commit, a publish and a query cost after many snapshots of one table, and beside many tables."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Clock, Table, child, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAPSHOTS, TABLES = (1, 10, 100, 1_000), (1, 100, 1_000)
BASE = 1
"""Which of the marks the others are compared with: the first commits have next to no file to look into."""
AROUND = 5
"""Commits on either side of a mark that are averaged."""


def tables(quick: bool) -> Iterator[Table]:
    """One table for snapshots, one for tables."""
    marks = (2, 6) if quick else SNAPSHOTS
    with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
        found = child("scale", "snapshots", folder=folder, marks=marks)
    base = marks[BASE]
    first = found[str(base)]
    lines = [
        (mark, took["merge"], ratio(took["merge"], first["merge"]), took["query"], took["metadata"] / 1000)
        for mark in marks
        for took in [found[str(mark)]]
    ]
    head = ("snapshots", "merge, CPU ms", f"× {base}", "query, CPU ms", "metadata file, kB")
    yield Table("One table of many snapshots", "A merge of 288 rows of the next day; a count of all.", head, lines)
    counts = (1, 5) if quick else TABLES
    lines = []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
            took = child("scale", "beside", folder=folder, count=count)
        lines.append((count, *(took[name] for name in STEPS)))
    head = ("tables", *(f"{name}, CPU ms" for name in STEPS))
    yield Table("One run beside many tables", "The run writes one of them.", head, lines)


STEPS = ("open a ref", "merge", "publish", "query", "plan of a backfill")


def snapshots(folder: str, marks: list[int]) -> dict[int, Any]:
    """Merge day after day on one ref; return what a merge took around each mark."""
    from benchmarks.peers import lake
    from phlo.iceberg.merge import merge

    catalog = lake(folder)
    catalog.create_ref("bench")
    table = catalog.create_table("raw.r", _day(0).schema, "bench", partition_by="month(partition_date)", keys=["_id"])
    took: dict[int, list[float]] = {mark: [] for mark in marks}
    found: dict[int, Any] = {}
    for number in range(1, max(marks) + AROUND + 1):
        rows = _day(number)
        with Clock() as clock:
            merge(table, rows, ["_id"])
        for mark in marks:
            if abs(mark - number) <= AROUND and number > 1:
                took[mark].append(clock.took["cpu"] * 1000)
            if mark == number:
                size = Path(table.metadata_location).stat().st_size
                found[mark] = {"metadata": size, "query": _query(catalog, "raw.r", "bench")}
    return {mark: found[mark] | {"merge": sum(took[mark]) / len(took[mark])} for mark in marks}


def beside(folder: str, count: int) -> dict[str, float]:
    """Run what a run does, in a catalog of so many tables; the second time is measured."""
    from benchmarks.peers import lake
    from phlo.iceberg.merge import merge
    from phlo.protocols import Load

    catalog = lake(folder)
    catalog.create_ref("first")
    for number in range(count):
        catalog.create_table(f"raw.t{number}", _day(0).schema, "first", keys=["_id"])
    catalog.publish("first")
    took: dict[str, float] = {}

    def timed(name: str, work: Any) -> None:
        with Clock() as clock:
            work()
        took[name] = clock.took["cpu"] * 1000

    for number in range(2):
        ref = f"run-{number}"
        timed("open a ref", lambda ref=ref: catalog.create_ref(ref))
        table = catalog.load("raw.t0", ref)
        timed("merge", lambda table=table, number=number: merge(table, _day(number), ["_id"]))
        catalog.record_load(ref, Load("raw.t0", "2024-01-01", ref))
        timed("publish", lambda ref=ref: catalog.publish(ref))
        took["query"] = _query(catalog, "raw.t0", "main")
        timed("plan of a backfill", catalog.loads)
    return took


def _query(catalog: Any, table: str, ref: str) -> float:
    from phlo.config import Settings
    from phlo.engine.duckdb import DuckDBEngine

    engine = DuckDBEngine(catalog, Settings(), Path("unused"))
    for _ in range(2):
        with Clock() as clock:
            engine.query(f"SELECT count(*), avg(sgv) FROM {table}", catalog.pin(ref))
    return clock.took["cpu"] * 1000


def _day(number: int) -> Any:
    import duckdb

    sql = f"""
        SELECT printf('%06d-%03d', {number}, n) AS _id, 60 + n % 200 AS sgv,
            DATE '2015-01-01' + {number} AS partition_date
        FROM range(288) t(n)
    """
    with duckdb.connect() as con:
        return con.sql(sql).to_arrow_table()
