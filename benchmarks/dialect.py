"""What it costs to turn a model's Trino SQL into DuckDB's, beside sqlglot's plain reading of the same text.

The models are those that `phlo init` writes and TPC-H's queries.
"""

from __future__ import annotations

import re
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlglot

from benchmarks.measure import Table, ratio
from phlo.engine.dialect import to_duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
ROUNDS = 20


def models() -> list[str]:
    """SQL of models and queries, without dbt's own words."""
    tpch = (ROOT / "tests/engine/tpch/queries.sql").read_text().split(";;")
    found = [path.read_text() for path in sorted((ROOT / "src/phlo/scaffold/templates/glucose").rglob("dbt/**/*.sql"))]
    plain = [_without_dbt(sql) for sql in found]
    return [sql for sql in [*plain, *tpch] if sql.strip()]


def tables(quick: bool) -> Iterator[Table]:
    """One table of milliseconds for each statement."""
    rounds = 1 if quick else ROUNDS
    statements = models()
    read = _median(statements, rounds, lambda sql: sqlglot.parse_one(sql, dialect="trino"))
    translated = _median(statements, rounds, lambda sql: to_duckdb.__wrapped__(sql))
    cached = _median(statements, rounds, to_duckdb)
    took = {"sqlglot's plain parse": read, "to_duckdb": translated, "to_duckdb, the same text again": cached}
    rows = [(name, mean, worst, ratio(mean, read[0])) for name, (mean, worst) in took.items()]
    note = f"CPU ms of each of {len(statements)} statements: models that `phlo init` writes, and TPC-H's."
    yield Table("Trino's SQL as DuckDB's", note, ("", "mean ms", "largest ms", "× plain parse"), rows)


def _median(statements: list[str], rounds: int, work: Callable[[str], object]) -> tuple[float, float]:
    """The mean and the largest over statements of each one's median CPU milliseconds."""
    each = []
    for sql in statements:
        work(sql)
        times = []
        for _ in range(rounds):
            start = time.process_time()
            work(sql)
            times.append((time.process_time() - start) * 1000)
        each.append(statistics.median(times))
    return statistics.mean(each), max(each)


def _without_dbt(sql: str) -> str:
    sql = re.sub(r"\{\{\s*(?:ref|source)\(([^)]*)\)\s*\}\}", "raw.t", sql)
    return re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", sql, flags=re.DOTALL)
