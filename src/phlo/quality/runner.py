"""Runs declared checks on one pinned state of a ref: qualities in, one ``CheckResult`` for each check out.

The checks of a table that speak SQL become one aggregate query for each scope; violating rows are fetched for the
failed ones alone. A check that can't run is a failed check with that error, and the others still run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.errors import PhloError, UnknownTable, nearest
from phlo.quality.checks import SchemaCheck
from phlo.quality.frames import insist_on_column, schema_columns
from phlo.quality.literals import literal, quote
from phlo.quality.protocol import SHOWN, Measure, Outcome, Scope, SQLCheck
from phlo.quality.results import CheckResult, Job, could_not_run, read_outcome, result_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import pyarrow as pa

    from phlo.declarations import Check, Quality
    from phlo.protocols import Engine, Pin

__all__ = ["CheckResult", "run_checks"]

PARTITION = "partition_date"

Results = dict[int, CheckResult]
"""By the position of the check in the run."""

Ready = tuple[Job, SQLCheck, Measure]


@dataclass(frozen=True)
class Target:
    """Where the checks of one table and scope look."""

    engine: Engine
    pin: Pin
    table: str
    columns: tuple[str, ...]
    scope: Scope

    def query(self, sql: str) -> pa.Table:
        """Run one query on the pinned state."""
        return self.engine.query(sql, self.pin)


def run_checks(
    qualities: Iterable[Quality], engine: Engine, pin: Pin, changed: Mapping[str, AbstractSet[dt.date]]
) -> list[CheckResult]:
    """Run every check on the pinned state and return the results in the order of declaration.

    ``changed`` names the partitions that the run wrote, by table; checks with the scope "changed" (the default in
    ``raw``) look at these alone. A table that is not in it, or has no ``partition_date``, is looked at as a whole.
    """
    pairs = [(quality, check) for quality in qualities for check in quality.checks]
    jobs = [Job(position, quality, check) for position, (quality, check) in enumerate(pairs)]
    results: Results = {}
    for table in dict.fromkeys(job.quality.table for job in jobs):
        group = [job for job in jobs if job.quality.table == table]
        results |= _check_table(group, engine, pin, tuple(sorted(changed.get(table, ()))))
    return [results[job.position] for job in jobs]


def _check_table(jobs: Sequence[Job], engine: Engine, pin: Pin, partitions: tuple[dt.date, ...]) -> Results:
    table = jobs[0].quality.table
    try:
        columns = _columns(table, engine, pin)
    except PhloError as error:
        return {job.position: could_not_run(job, error) for job in jobs}
    name = ".".join(quote(part) for part in table.split("."))
    partitions = partitions if PARTITION in columns else ()
    whole = Target(engine, pin, table, columns, Scope(name))
    part = Target(engine, pin, table, columns, Scope(_limited(name, partitions), partitions))
    limited = [job for job in jobs if partitions and _is_limited(job)]
    rest = [job for job in jobs if not (partitions and _is_limited(job))]
    return _check_target(limited, part) | _check_target(rest, whole)


def _check_target(jobs: Sequence[Job], target: Target) -> Results:
    in_sql = [(job, job.check) for job in jobs if isinstance(job.check, SQLCheck)]
    on_data = [job for job in jobs if not isinstance(job.check, SQLCheck)]
    return _measure_jobs(in_sql, target) | _execute_jobs(on_data, target)


# ── checks in SQL ────────────────────────────────────────────────────────────────────────────────────────


def _measure_jobs(jobs: Sequence[tuple[Job, SQLCheck]], target: Target) -> Results:
    """Say each check in SQL, and measure in one query those that could."""
    failed: Results = {}
    ready: list[Ready] = []
    for job, check in jobs:
        try:
            for column in check.columns:
                insist_on_column(column, target.columns, target.table)
            ready.append((job, check, check.measure(target.scope)))
        except Exception as error:  # noqa: BLE001  a plugin may raise anything; the result carries it
            failed[job.position] = could_not_run(job, error)
    return failed | (_measure(ready, target) if ready else {})


def _measure(ready: Sequence[Ready], target: Target) -> Results:
    """Measure checks in one query; if that fails, each alone, to learn which of them it is."""
    started = time.perf_counter()
    try:
        total, values = _values([measure for _, _, measure in ready], target)
        outcomes = [check.judge(value, total) for (_, check, _), value in zip(ready, values, strict=True)]
    except Exception as error:  # noqa: BLE001  a plugin may raise anything; the result carries it
        if len(ready) == 1:
            job = ready[0][0]
            return {job.position: could_not_run(job, error, time.perf_counter() - started)}
        return {position: result for each in ready for position, result in _measure([each], target).items()}
    seconds = (time.perf_counter() - started) / len(ready)
    found = zip(ready, outcomes, strict=True)
    return {job.position: _measured(job, measure, outcome, target, seconds) for (job, _, measure), outcome in found}


def _values(measures: Sequence[Measure], target: Target) -> tuple[int, list[Any]]:
    selected = ", ".join(f"{measure.value} AS value_{i}" for i, measure in enumerate(measures))
    row = target.query(f"SELECT count(*) AS total, {selected} FROM {target.scope.relation}").to_pylist()[0]
    return int(row["total"]), [row[f"value_{i}"] for i in range(len(measures))]


def _measured(job: Job, measure: Measure, outcome: Outcome, target: Target, seconds: float) -> CheckResult:
    rows: Iterable[Mapping[str, Any]] = ()
    if outcome.violations and measure.rows:
        try:
            rows = target.query(f"SELECT * FROM ({measure.rows}) LIMIT {SHOWN}").to_pylist()
        except PhloError as error:
            return could_not_run(job, error, seconds)
    return result_of(job, outcome, rows, seconds)


# ── checks of data ───────────────────────────────────────────────────────────────────────────────────────


def _execute_jobs(jobs: Sequence[Job], target: Target) -> Results:
    """Hand each check the rows; those that look at all columns share one read."""
    results = {}
    read_all = _once(lambda: target.query(f"SELECT * FROM {target.scope.relation}"))
    for job in jobs:
        started = time.perf_counter()
        try:
            outcome = _execute(job.check, target, read_all)
            result = result_of(job, outcome, outcome.rows, time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001  a plugin may raise anything; the result carries it
            result = could_not_run(job, error, time.perf_counter() - started)
        results[job.position] = result
    return results


def _execute(check: Check, target: Target, read_all: Callable[[], pa.Table]) -> Outcome:
    if not isinstance(check, SchemaCheck):
        return read_outcome(check.execute(read_all().to_pandas()))
    names = schema_columns(check, target.columns, target.table)
    return check.execute(target.query(f"SELECT {', '.join(map(quote, names)) or '1'} FROM {target.scope.relation}"))


def _once(read: Callable[[], pa.Table]) -> Callable[[], pa.Table]:
    kept: list[pa.Table] = []

    def first() -> pa.Table:
        if not kept:
            kept.append(read())
        return kept[0]

    return first


# ── tables, columns, scopes ──────────────────────────────────────────────────────────────────────────────


def _columns(table: str, engine: Engine, pin: Pin) -> tuple[str, ...]:
    known = {*pin.tables, *pin.views}
    if table not in known:
        raise UnknownTable(name=table, ref=pin.ref, nearest=nearest(table, known))
    name = ".".join(quote(part) for part in table.split("."))
    return tuple(engine.query(f"SHOW COLUMNS FROM {name}", pin).column(0).to_pylist())


def _is_limited(job: Job) -> bool:
    if isinstance(job.check, SQLCheck) and job.check.whole_table:
        return False
    scope = job.quality.scope or ("changed" if job.quality.table.startswith("raw.") else "table")
    return scope == "changed"


def _limited(name: str, partitions: Sequence[dt.date]) -> str:
    """Write a subquery of a table's partitions, consecutive days as one range."""
    spans = " OR ".join(
        f"{PARTITION} BETWEEN {literal(first)} AND {literal(last)}" for first, last in _spans(partitions)
    )
    return f"(SELECT * FROM {name} WHERE {spans})" if spans else name


def _spans(days: Sequence[dt.date]) -> list[tuple[dt.date, dt.date]]:
    found: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if found and (day - found[-1][1]).days == 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
