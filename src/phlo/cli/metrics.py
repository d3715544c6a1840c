"""``phlo metrics``: what runs amount to, off their journals and the publish log."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from phlo.cli.maintain import size
from phlo.cli.render import ago, current_lake, current_project, dump, plural

if TYPE_CHECKING:
    from phlo.metrics import AssetFigures, Figures
    from phlo.metrics.tables import Size

TOP = 10
PERIOD = click.option("--period", default="24h", show_default=True, metavar="PERIOD", help="Such as 30m, 24h, 7d, 4w.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
NAMES = {"1h": "Last Hour", "24h": "Last 24 Hours", "1d": "Last 24 Hours", "7d": "Last 7 Days", "30d": "Last 30 Days"}


@click.group(invoke_without_command=True)
@PERIOD
@AS_JSON
@click.pass_context
def metrics(ctx: click.Context, period: str, as_json: bool) -> None:
    """Show what runs amount to: success rate, rows, run times; without a command: the summary."""
    if ctx.invoked_subcommand is None:
        _summary(period, as_json)


@metrics.command()
@PERIOD
@AS_JSON
def summary(period: str, as_json: bool) -> None:
    """Sum up all runs of a period."""
    _summary(period, as_json)


@metrics.command()
@click.argument("name", metavar="ASSET")
@click.option("--period", default="7d", show_default=True, metavar="PERIOD", help="Such as 30m, 24h, 7d, 4w.")
@AS_JSON
def asset(name: str, period: str, as_json: bool) -> None:
    """Sum up one table: its runs, rows, checks, freshness and size."""
    from phlo.journal import runs
    from phlo.metrics import of_asset, parse_period
    from phlo.metrics.tables import find_table, size_of

    lake, now = current_lake(), dt.datetime.now(dt.UTC)
    since = now - parse_period(period)
    known, pin = runs(lake.project.state), lake.catalog.pin()
    table = find_table(name, pin, (table for record in known for table in record.tables))
    found = of_asset(table, [record for record in known if record.began >= since])
    newest, files = lake.catalog.newest().get(table), size_of(table, pin)
    published = newest.at if newest else None
    if as_json:
        click.echo(dump({**asdict(found), "published": published, "size": asdict(files)}))
    else:
        _show_asset(found, period, published, files, now)


def short_number(count: int) -> str:
    """Write a large number in a few letters.

    >>> short_number(812), short_number(14_523), short_number(3_200_000)
    ('812', '14.5K', '3.2M')
    """
    for limit, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "K")):
        if count >= limit:
            return f"{count / limit:.1f}{letter}"
    return str(count)


def _summary(period: str, as_json: bool) -> None:
    from phlo.journal import runs
    from phlo.metrics import of_runs, parse_period

    since = dt.datetime.now(dt.UTC) - parse_period(period)
    found = of_runs([record for record in runs(current_project().state, since=since) if record.began >= since])
    if as_json:
        click.echo(dump(asdict(found)))
        return
    click.echo(f"Pipeline Metrics ({NAMES.get(period, f'Last {period}')})\n")
    if not found.runs:
        click.echo("No run has ended in this time; `phlo history` shows what is published.")
        return
    click.echo("\n".join(_lines(found)))
    if found.assets:
        click.echo("\nTop Assets by Volume:")
        shown = [(table.rpartition(".")[2], rows) for table, rows in list(found.assets.items())[:TOP]]
        width = max(len(table) for table, _ in shown)
        for table, rows in shown:
            click.echo(f"  {table.ljust(width)}  {plural(rows, 'row')}")


def _lines(found: Figures) -> list[str]:
    lines = [
        f"Success Rate:  {found.succeeded / found.runs:.1%}  ({found.succeeded}/{plural(found.runs, 'run')})",
        f"Data Processed: {short_number(found.rows)} rows",
        f"Avg Runtime:    {_seconds(found.mean_seconds)} (p95: {_seconds(found.p95_seconds)})",
    ]
    if found.checks:
        lines.append(
            f"Checks Passed:  {found.checks_passed / found.checks:.1%}  ({found.checks_passed}/{found.checks})"
        )
    if found.rejected:
        lines.append(f"Rows Rejected:  {found.rejected:,}")
    return lines


def _show_asset(found: AssetFigures, period: str, published: dt.datetime | None, files: Size, now: dt.datetime) -> None:
    click.echo(f"{found.table} ({NAMES.get(period, f'Last {period}')})\n")
    if found.figures.runs:
        click.echo("\n".join(_lines(found.figures)))
        click.echo(f"Median Runtime: {_seconds(found.figures.p50_seconds)}")
    else:
        click.echo("No run of it has ended in this time.")
    if found.last_began:
        click.echo(f"Last Run:       {found.last_status}, {ago(found.last_began, now)} ({found.last_run})")
    click.echo(f"Last Published: {ago(published, now) if published else 'never'}")
    if files.rows is not None:
        amount = f"{plural(files.rows, 'row')}, {plural(files.files or 0, 'file')}"
        click.echo(f"Table Size:     {amount}, {size(files.bytes or 0)}")
    for message in found.failing:
        click.echo(f"✗ {message.partition(chr(10))[0]}")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}s"
