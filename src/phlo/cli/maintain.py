"""``phlo maintain``: free what nothing needs any more, and write small files together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from phlo.cli.render import confirm, current_lake, dump, plural, say, table

if TYPE_CHECKING:
    from phlo.iceberg.maintenance import Maintenance
    from phlo.profiles import Lake

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def maintain(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop old failed refs, write small files together, and delete what nothing reaches.

    Main, every ref, and main as of any time within history_days read the same before and after. Safe while runs go on:
    what they write is left for the next time.
    """
    from phlo.upkeep import keep_up, plan_upkeep

    lake = current_lake()
    planned = plan_upkeep(lake)
    if dry_run or not (yes or as_json):
        _show(planned, lake, as_json)
    if dry_run:
        return
    if not (yes or as_json):
        confirm("Do this?")
    done, records = keep_up(lake)
    if as_json:
        click.echo(dump(done))
        return
    for name in done.left:
        say(f"{name} is left for the next time: a run writes it")
    click.echo(
        f"Dropped {plural(len(done.refs), 'ref')}, tidied {plural(len(done.tables), 'table')}, deleted "
        f"{plural(done.files, 'file')} ({size(done.bytes)}) and {plural(records, 'old record')} of runs."
    )


def size(count: int) -> str:
    """Write a number of bytes.

    >>> size(512), size(12_900_000)
    ('512 bytes', '12.3 MiB')
    """
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} bytes" if unit == 0 else f"{amount:.1f} {UNITS[unit]}"


def _show(planned: Maintenance, lake: Lake, as_json: bool) -> None:
    if as_json:
        click.echo(dump(planned))
        return
    days = lake.project.settings.history_days
    click.echo(f"Failed refs to drop: {', '.join(planned.refs) or 'none'}")
    begins = f"begins with publish {planned.kept_from}" if planned.kept_from else "is kept whole"
    click.echo(f"The past of main {begins} (history_days = {days})")
    rows = [(each.table, each.small_files, each.snapshots) for each in planned.tables]
    if rows:
        click.echo(f"\n{table(rows, ['table', 'files to write together', 'snapshots to expire'])}\n")
    else:
        click.echo("Tables to tidy: none")
    click.echo(f"Files that nothing reaches: {planned.files:,} ({size(planned.bytes)})")
