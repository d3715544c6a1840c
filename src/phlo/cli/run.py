"""``phlo materialize``, ``run`` and ``backfill``: three ways to say what ``pipeline.execute`` runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from phlo.cli.behind import changed_by, tell_behind
from phlo.cli.outcome import failure_shown, record, show_run
from phlo.cli.render import ConsoleReporter, current_lake, dump, elapsed, plural, say, table, until_the_end
from phlo.declarations import parse_partition, today
from phlo.orchestration.recording import recorded

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from phlo.backfill import Backfill
    from phlo.plan import Plan
    from phlo.profiles import Lake

NO_WORKFLOWS = "There is nothing to run yet; `phlo create-workflow` adds a workflow."
NO_WORKFLOW_IMPORTS = "There is nothing to run: mend the files that do not import."


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every run takes."""
    options = (
        click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing."),
        click.option("--no-wait", is_flag=True, help="Fail at once when another run writes the same tables."),
        click.option(
            "--parallel", type=click.IntRange(1, 64), default=1, show_default=True, help="Extracting threads."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    )
    for option in reversed(options):
        command = option(command)
    return command


REFRESH = click.option(
    "--full-refresh", is_flag=True, help="Make incremental models from all rows, not from what is new to them."
)


@click.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@click.option("--partition", metavar="DATE", help="The UTC day, YYYY-MM-DD (default: today).")
@REFRESH
@run_options
def materialize(assets: tuple[str, ...], partition: str | None, **options: Any) -> None:
    """Load and transform assets on a branch, check them, and publish them in one step.

    An asset is a table: glucose_entries, silver.fct_glucose_readings. +ASSET adds what it is made from, ASSET+ what
    is made from it. Without an asset: everything.
    """
    _run(assets, partition, **options)


@click.command()
@click.option("--partition", metavar="DATE", help="The UTC day, YYYY-MM-DD (default: today).")
@click.option(
    "-s", "--select", multiple=True, metavar="SELECTOR", help="Only what dbt's selector means, such as tag:x+."
)
@click.option("--exclude", multiple=True, metavar="SELECTOR", help="Not what dbt's selector means.")
@REFRESH
@run_options
def run(partition: str | None, select: tuple[str, ...], exclude: tuple[str, ...], **options: Any) -> None:
    """Materialize everything: every ingestion, model and check.

    With dbt's selectors: the models they mean, and the ingestions of the sources among them (+fct_readings).
    """
    _run((), partition, select, exclude, **options)


@click.command()
@click.argument("assets", nargs=-1, required=True, metavar="ASSET...")
@click.option(
    "--start-date", metavar="DATE", help="First UTC day, YYYY-MM-DD (default: partition_start, else start_date)."
)
@click.option("--end-date", metavar="DATE", help="Last UTC day, included (default: today).")
@click.option("--force", is_flag=True, help="Load the days again that are already published.")
@click.option("--chunk", type=click.IntRange(1), metavar="DAYS", help="Days that are published together (default: 31).")
@run_options
def backfill(
    assets: tuple[str, ...], start_date: str | None, end_date: str | None, force: bool, chunk: int | None,
    dry_run: bool, no_wait: bool, parallel: int, as_json: bool,
) -> None:  # fmt: skip
    """Load a range of days, chunk by chunk; models that are asked for (ASSET+) run once, at the end.

    What main already has is skipped, each table's days by themselves, but never today: run it again after a failure
    or to fill gaps, and it goes on where it stopped. A day that had no rows is there too: --force asks for it again.
    """
    from phlo.backfill import plan_backfill, run_backfill
    from phlo.plan import make_plan

    for day in filter(None, (start_date, end_date)):
        parse_partition(day)  # a typing error is said before the project is read
    lake = current_lake(writing=not dry_run)
    recording = until_the_end(recorded(lake.project, say, off=dry_run))
    failed = _show_import_failures(lake)
    plan = make_plan(lake, assets)
    whole = replace(plan, partitions=_range(lake, plan, start_date, end_date))
    work = plan_backfill(lake, whole, force=force, chunk=chunk)
    _say_what_is_there(work)
    if dry_run:
        _show_plans(work.chunks, as_json)
        return
    if not work.chunks:
        click.echo(dump([]) if as_json else "Nothing to do: main has every one of these days.")
        _end(lake, "", {each.table for each in plan.ingestions}, failed, quiet=as_json)
    _warn_of_the_future(work.days)
    say(f"⚡ Backfilling {' '.join(assets)}: {plural(len(work.days), 'day')}...")
    recording.begin(lake)
    done = []
    with _alerts_checked(lake), failure_shown():
        for each in run_backfill(lake, work, ConsoleReporter(), wait=not no_wait, parallel=parallel):
            done.append(each)
            if not as_json:
                show_run(each, each.seconds if len(work.chunks) > 1 else elapsed())
    if as_json:
        click.echo(dump([record(each) for each in done]))
    elif len(done) > 1:
        click.echo(f"{len(done)} publishes, {elapsed():.1f} s in all.")
    _end(lake, f"backfilled {' '.join(assets)}", changed_by(*(e.published for e in done)), failed, quiet=as_json)


def _say_what_is_there(work: Backfill) -> None:
    if work.skipped:
        say(f"Skipping {plural(len(work.skipped), 'day')} already published (--force loads them again).")
    if work.gaps:
        say(f"Filling gaps: {plural(work.gaps, 'load')} of other days {'is' if work.gaps == 1 else 'are'} published.")


def _run(
    assets: tuple[str, ...],
    partition: str | None,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    *,
    full_refresh: bool,
    dry_run: bool,
    no_wait: bool,
    parallel: int,
    as_json: bool,
) -> None:
    from phlo.pipeline import execute
    from phlo.plan import make_plan, select_plan

    days = [parse_partition(partition)] if partition else []
    lake = current_lake(writing=not dry_run)
    recording = until_the_end(recorded(lake.project, say, off=dry_run))
    failed = _show_import_failures(lake)
    plan = select_plan(lake, select, exclude, days) if select or exclude else make_plan(lake, assets, days)
    plan = replace(plan, full_refresh=full_refresh)
    name = " ".join(assets or select) or lake.project.name
    if not plan.loads and not plan.models:
        say(NO_WORKFLOW_IMPORTS if failed else NO_WORKFLOWS)
        click.get_current_context().exit(1 if failed else 0)
    if dry_run:
        _show_plans([plan], as_json)
        return
    if any(ingestion.partitioned for ingestion in plan.ingestions):
        _warn_of_the_future(plan.partitions)
    say(f"⚡ Materializing {name}...")
    recording.begin(lake)
    with _alerts_checked(lake), failure_shown():
        done = execute(lake, plan, ConsoleReporter(), wait=not no_wait, parallel=parallel)
    if as_json:
        click.echo(dump(record(done)))
    else:
        show_run(done, elapsed())
    _end(lake, f"materialized {name}", changed_by(done.published), failed, quiet=as_json)


def _end(lake: Lake, done: str, changed: set[str], failed: bool, *, quiet: bool) -> None:
    """Say what is behind now, and that it is done; a broken workflow file makes it half a success: exit code 1."""
    if not quiet:
        tell_behind(lake, changed)
    if failed and done:
        say(f"Successfully {done}, but without the assets of the files that do not import.")
    elif done and not quiet:
        click.echo(f"✅ Successfully {done}")
    click.get_current_context().exit(1 if failed else 0)


def _range(lake: Lake, plan: Plan, start: str | None, end: str | None) -> tuple[dt.date, ...]:
    from phlo.plan import days_between, first_day

    begin = first_day(lake, plan)
    if not start and begin is None:
        raise click.UsageError(
            "Neither the asset (partition_start) nor [tool.phlo] (start_date) says when it begins; give --start-date"
        )
    return days_between(start or str(begin), end or str(today()))


def _warn_of_the_future(days: Sequence[dt.date]) -> None:
    """Say which days have not begun yet: a source has no rows of them, or wrong ones."""
    ahead = [day for day in days if day > today()]
    if ahead:
        say(f"warning: {_span(ahead)} {'is' if len(ahead) == 1 else 'are'} in the future: today is {today()} (UTC)")


def _show_import_failures(lake: Lake) -> bool:
    """Say which workflow files are broken; the others still run, but the command fails in the end."""
    from phlo.quality.gate import insist_on_checks

    failures = lake.workflows.failures
    for failure in lake.workflows.causes:
        say(f"error[{failure.code}]: {failure}\nhint: {failure.next_step}")
    insist_on_checks(lake.project.root, failures)
    return bool(failures)


def _show_plans(plans: Sequence[Plan], as_json: bool) -> None:
    steps = [step for plan in plans for step in _steps(plan)]
    if as_json:
        click.echo(dump(steps))
        return
    click.echo(table([list(step.values()) for step in steps], ["step", "table", "how"]))
    once = "all of it would be published in one step" if len(plans) == 1 else f"in {len(plans)} publishes"
    say(f"Nothing was run; {once}.")


def _steps(plan: Plan) -> Iterator[dict[str, str]]:
    for ingestion in plan.ingestions:
        days = [day for each, day in plan.loads if each is ingestion and day is not None]
        if days or not ingestion.partitioned:
            how = f"{ingestion.merge_strategy}, {_span(days) if days else 'as a whole'}"
            yield {"step": "load", "table": ingestion.table, "how": how}
    yield from ({"step": "transform", "table": m.table, "how": m.materialization} for m in plan.models)
    for quality in plan.qualities:
        yield {"step": "check", "table": quality.table, "how": "blocking" if quality.blocking else "warning"}


def _span(days: Sequence[dt.date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}, {plural(len(days), 'day')}"


@contextmanager
def _alerts_checked(lake: Lake) -> Iterator[None]:
    """Look at the rules of alerts when a run has ended, unless it was stopped by hand."""
    from phlo.alerting import check_after_run

    try:
        yield
    except Exception:
        check_after_run(lake, say)
        raise
    check_after_run(lake, say)
