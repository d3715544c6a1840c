"""What queries cost over Phlo's tables, beside DuckDB over the same rows in plain Parquet.

The warm figures are the median of repeated queries in one process, with everything that a query does: pinning a state,
planning files, checking the statement, names of its own. Phlo keeps one DuckDB open for all; plain DuckDB is measured
both ways, opened for each query and kept open, and over one file as over the very files that a table by month has.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Clock, Table, child, ratio
from benchmarks.readings import TABLE, deliver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUERIES = {
    "mean and SD of all rows": "SELECT count(*), avg(sgv), stddev(sgv) FROM {table}",
    "daily mean, SD, time in range": "SELECT partition_date, avg(sgv), stddev(sgv), count_if(sgv BETWEEN 70 AND 180) "
    "FROM {table} GROUP BY partition_date",
    "one row by its key": "SELECT * FROM {table} WHERE _id = '{key}'",
    "one day": "SELECT * FROM {table} WHERE partition_date = DATE '2015-03-01'",
}
SUBJECTS = {
    "parquet": "one Parquet file, a DuckDB for each query",
    "parquet-open": "one Parquet file, one DuckDB for all",
    "phlo": "Phlo, unpartitioned",
    "phlo-months-open": "the files of Phlo's months as plain Parquet, one DuckDB for all",
    "phlo-months": "Phlo, months",
}
REPEAT = 9


def tables(quick: bool) -> Iterator[Table]:
    """A table for each size."""
    for rows in (2_000,) if quick else (1_000_000, 5_000_000):
        found: dict[str, dict[str, Any]] = {}
        for subject in SUBJECTS:
            with tempfile.TemporaryDirectory(prefix="phlo-bench-") as folder:
                deliver(folder, rows, "time-local", 100)
                child("merge", "make", folder=folder, peer=subject.removesuffix("-open"))
                found[subject] = child("queries", "measure", folder=folder, subject=subject)
        lines = []
        for query in QUERIES:
            plain = found["parquet"][query]
            for subject, label in SUBJECTS.items():
                took = found[subject][query]
                cold, warm = took["cold"] * 1000, took["warm"] * 1000
                lines.append((query, label, cold, warm, ratio(took["warm"], plain["warm"]), took["rows"]))
        head = ("query", "", "first CPU ms", "then CPU ms", "× Parquet", "rows")
        yield Table(f"Queries over {rows:,} rows", "CPU milliseconds of one query.", head, lines)


def measure(folder: str, subject: str) -> dict[str, Any]:
    """Run each query, first and again."""
    import duckdb

    key = duckdb.sql(f"SELECT _id FROM '{folder}/source.parquet' LIMIT 1 OFFSET 777").fetchall()[0][0]
    runs = {"parquet": _plain, "parquet-open": _plain_open, "phlo-months-open": _plain_months}
    run = runs.get(subject, _phlo)(folder)
    found = {}
    for name, query in QUERIES.items():
        times = []
        for _ in range(REPEAT):
            with Clock() as clock:
                rows = run(query.replace("{key}", key))
            times.append(clock.took["cpu"])
        found[name] = {"cold": times[0], "warm": statistics.median(times[1:]), "rows": rows}
    return found


def _plain(folder: str) -> Callable[[str], int]:
    import duckdb

    def run(query: str) -> int:
        with duckdb.connect() as con:
            return con.sql(query.replace("{table}", f"'{folder}/0.parquet'")).to_arrow_table().num_rows

    return run


def _plain_open(folder: str) -> Callable[[str], int]:
    return _kept_open(f"'{folder}/0.parquet'")


def _plain_months(folder: str) -> Callable[[str], int]:
    from benchmarks.peers import lake

    files = [task.file.file_path for task in lake(folder).load(TABLE, "bench").scan().plan_files()]
    return _kept_open(f"read_parquet({files})")


def _kept_open(table: str) -> Callable[[str], int]:
    import duckdb

    con = duckdb.connect()
    return lambda query: con.sql(query.replace("{table}", table)).to_arrow_table().num_rows


def _phlo(folder: str) -> Callable[[str], int]:
    from benchmarks.peers import lake
    from phlo.config import Settings
    from phlo.engine.duckdb import DuckDBEngine

    catalog = lake(folder)
    engine = DuckDBEngine(catalog, Settings(), Path(folder, "temp"))
    return lambda query: engine.query(query.replace("{table}", TABLE), catalog.pin("bench")).num_rows
