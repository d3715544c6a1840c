"""``phlo rejected``: the rows that validation refused, and how they get in after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from phlo.cli.behind import changed_by, tell_behind
from phlo.cli.catalog import state, state_options
from phlo.cli.render import ConsoleReporter, current_lake, dump, plural, say, table, until_the_end

if TYPE_CHECKING:
    from phlo.inspect import RejectedRow, RejectedTable

WIDE = 100
"""Characters of a rejected row that a terminal shows; --json has it whole."""


@click.group()
def rejected() -> None:
    """Look at the rows that validation refused, and replay them."""


@rejected.command("list")
@state_options
def list_rejected(ref: str | None, as_of: str | None, as_json: bool) -> None:
    """Count the rejected rows of each table, by what is wrong with them."""
    from phlo.inspect import rejected_summary

    lake, pin = state(ref, as_of)
    found = rejected_summary(lake.engine, pin)
    if as_json:
        click.echo(dump(found))
    elif found:
        rows = [(each.table, each.rows, _days(each), _columns(each), each.example) for each in found]
        click.echo(table(rows, ["table", "rows", "days", "columns", "for example"]))
    else:
        say(f"There are no rejected rows on {pin.ref}.")


@rejected.command("show")
@click.argument("name", metavar="TABLE")
@click.option("--partition", metavar="DATE", help="Only the rows of this UTC day (YYYY-MM-DD).")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show that many rows.")
@state_options
def show_rejected(
    name: str, partition: str | None, limit: int, ref: str | None, as_of: str | None, as_json: bool
) -> None:
    """Show a table's rejected rows and the reasons, newest partitions first."""
    from phlo.declarations import parse_partition
    from phlo.inspect import rejected_rows

    day = parse_partition(partition) if partition else None
    lake, pin = state(ref, as_of)
    found = rejected_rows(lake.engine, pin, name, limit=limit + 1, partition=day)
    if as_json:
        click.echo(dump(found[:limit]))
    elif found:
        _print_rejected(found[:limit], more=len(found) > limit)
    else:
        say(f"{name} has no rejected rows{f' on {day}' if day else ''}.")


@rejected.command()
@click.argument("name", metavar="TABLE")
@click.option("--partition", metavar="DATE", help="Only the rows of this UTC day (YYYY-MM-DD).")
@click.option("--no-wait", is_flag=True, help="Fail at once when another run writes the same tables.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(name: str, partition: str | None, no_wait: bool, as_json: bool) -> None:
    """Judge a table's rejected rows again, by the schema as it is now, and publish those that pass.

    They go through a branch and the table's checks, like every run. What does not pass stays where it is.
    """
    from phlo.declarations import parse_partition
    from phlo.load.replay import told
    from phlo.orchestration.recording import recorded
    from phlo.replay import replay_rejected

    day = parse_partition(partition) if partition else None
    lake = current_lake()
    recording = until_the_end(recorded(lake.project, say))
    recording.begin(lake)
    done = replay_rejected(lake, name, ConsoleReporter(), partition=day, wait=not no_wait)
    for each in done.replayed:
        if as_json:
            click.echo(dump(each))
        elif not each.rows:
            say(f"{each.table} has no rejected rows{f' on {day}' if day else ''}.")
        else:
            click.echo("\n".join(told(each)))
    published = done.run.published
    if published and published.changes and not as_json:
        click.echo(f"Published {plural(len(published.changes), 'table')} as publish {published.seq}.")
        tell_behind(lake, changed_by(published))


def _print_rejected(rows: list[RejectedRow], *, more: bool) -> None:
    shown = [(each.partition or "", each.reason, _short(dump(_bad_first(each)))) for each in rows]
    click.echo(table(shown, ["partition", "reason", "row"]))
    note = "; there are more: --limit shows them, --json shows rows whole" if more else ""
    say(f"({plural(len(rows), 'row')}{note})")


def _bad_first(found: RejectedRow) -> dict[str, Any]:
    """The row with the fields that are wrong in front: a long row is cut."""
    bad = {name: found.row[name] for name in found.column.split(", ") if name in found.row}
    return bad | found.row


def _short(text: str) -> str:
    return text if len(text) <= WIDE else f"{text[: WIDE - 1]}…"


def _days(found: RejectedTable) -> str:
    if found.first is None:
        return ""
    return str(found.first) if found.first == found.last else f"{found.first} to {found.last}"


def _columns(found: RejectedTable) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in found.columns)
