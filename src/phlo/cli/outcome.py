"""What came of a run, for people: its table of loads, its notes, and what a run that failed has left."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import click

from phlo.cli.render import cell, plural, say, table
from phlo.errors import CommitUnclear, PhloError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phlo.pipeline import Run
    from phlo.transform.results import TransformResult

FAILING_ROWS = 5


def show_run(run: Run, seconds: float) -> None:
    """Print what a run loaded, built, checked and published, and how long that took."""
    loads = _loads_table(run)
    if loads:
        click.echo(loads)
    for note in _notes(run, seconds):
        click.echo(note)


def _loads_table(run: Run) -> str:
    from phlo.load.write import summarize

    rows = [
        (
            total.table,
            total.rows_read,
            total.rows_written,
            total.rows_updated,
            total.rows_unchanged,
            total.rows_rejected,
            total.rows_repeated,
        )
        for total in summarize(run.loads)
    ]
    return table(rows, ["table", "read", "new", "updated", "unchanged", "rejected", "repeated"]) if rows else ""


def _notes(run: Run, seconds: float) -> Sequence[str]:
    from phlo.load.write import remarks

    notes = remarks(run.loads)
    if run.transformed is not None:
        notes += transformed(run.transformed)
    passed = sum(result.passed for result in run.checks)
    if run.checks:
        notes.append(f"{passed} of {plural(len(run.checks), 'check')} passed.")
    if run.published is not None:
        tables = len(run.published.changes)
        what = f"Published {plural(tables, 'table')}" if tables else "Nothing changed: recorded"
        notes.append(f"{what} as publish {run.published.seq}, {seconds:.1f} s.")
    return [*notes, *_where_rejected(run)]


def _where_rejected(run: Run) -> list[str]:
    where = "" if run.published else f" --ref {run.ref}"
    rejected = sorted({load.table for load in run.loads if load.rows_rejected})
    return [f"`phlo rejected show {name}{where}` shows the rejected rows." for name in rejected]


def transformed(result: TransformResult) -> list[str]:
    """Say what dbt built and how its tests ended; those that only warn are named, each with what dbt said of it."""
    warned = [test for test in result.tests if test.status == "warn"]
    models, passed = len(result.models), len(result.tests) - len(warned)
    told = [
        *([f"{plural(models, 'model')} built"] if models else []),
        *([f"{plural(passed, 'test')} passed"] if passed else []),
        *([f"{len(warned)} warned"] if warned else []),
    ]
    return [
        *([f"{', '.join(told)}."] if told else []),
        *(f"warning: test {test.name}: {test.message}" for test in warned),
    ]


def record(run: Run) -> dict[str, Any]:
    """Put a run as --json has it."""
    return {
        "run_id": run.id,
        "publish": run.published.seq if run.published else None,
        "changes": run.published.changes if run.published else [],
        "loads": run.loads,
        "models": run.transformed.models if run.transformed else [],
        "tests": run.transformed.tests if run.transformed else [],
        "checks": run.checks,
        "seconds": round(run.seconds, 3),
    }


@contextmanager
def failure_shown() -> Iterator[None]:
    """Show what a run had loaded, and up to five failing rows of each blocking check, before the error itself."""
    try:
        yield
    except PhloError as error:
        if "run" in error.values and not isinstance(error, CommitUnclear):  # nobody knows whether it is published
            _show_failed(cast("Run", error.values["run"]))
        raise


def _left_behind(run: Run) -> str:
    """Say what a run that failed before its first load has left: a source that is down leaves nothing."""
    with suppress(PhloError):  # the error that ended the run is the one to show
        if not run.lake.catalog.diff(run.ref):
            return f"Nothing was loaded and nothing was published; {run.ref} is as main was when the run began."
    return f"Nothing was published; {run.ref} keeps what the run did."


def _show_failed(run: Run) -> None:
    from phlo.load.write import remarks

    loads = _loads_table(run)
    if loads:
        say("\n".join([f"Loaded on {run.ref}, and not published:", loads, *remarks(run.loads), *_where_rejected(run)]))
    elif run.plan.loads:
        say(_left_behind(run))
    for result in run.checks:
        if result.passed or not result.blocking:
            continue
        say(f"✗ {result.message}")
        if result.rows:
            names = list(result.rows[0])
            say(table([[cell(row[name]) for name in names] for row in result.rows[:FAILING_ROWS]], names))
