"""``phlo logs``: what runs said, off their journals."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_project, dump, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from phlo.journal import RunRecord
    from phlo.metrics.loglines import LogLine

LIMIT = 100
POLL_SECONDS = 0.5
SLACK = dt.timedelta(minutes=1)
"""By so much a file's time may lie behind this clock."""


@click.command()
@click.option("--asset", metavar="ASSET", default="", help="Only what is about this table.")
@click.option(
    "--level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="Only this level and worse.",
)
@click.option("--since", metavar="PERIOD|TIME", default="", help="Only what is not older: 1h, 7d, or a time.")
@click.option("--run", "run_id", metavar="ID", default="", help="Only this run, whole.")
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="How many lines, the newest.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as a JSON object.")
def logs(asset: str, level: str, since: str, run_id: str, limit: int, follow: bool, as_json: bool) -> None:
    """Show what runs said, the newest last: those of the command line and those of Dagster."""
    state, start = current_project().state, _start(since)

    def lines(written_since: dt.datetime | None) -> list[LogLine]:
        from phlo.metrics.loglines import keep, log_lines

        records = _records(state, run_id, written_since)
        return keep(log_lines(records), table=asset, level=level.upper(), since=start)

    begun = dt.datetime.now(dt.UTC)
    found = lines(start)
    if not found and not follow:
        say("There are no such lines; journals are kept for history_days.")
    for line in found if run_id else found[-limit:]:
        _print(line, as_json)
    if follow:
        _follow(lambda: lines(begun - SLACK), found, as_json)


def _follow(lines: Callable[[], list[LogLine]], found: Sequence[LogLine], as_json: bool) -> None:
    """Print what is new twice a second; Ctrl-C is how it ends."""
    shown = _keys(found)
    try:
        while True:
            time.sleep(POLL_SECONDS)
            fresh = [line for line in lines() if _key(line) not in shown]
            for line in fresh:
                _print(line, as_json)
            shown |= _keys(fresh)
    except KeyboardInterrupt:
        click.get_current_context().exit(130)


def _records(state: Path, run_id: str, start: dt.datetime | None) -> list[RunRecord]:
    from phlo.errors import UnknownRun, nearest
    from phlo.journal import runs

    found = runs(state, since=start)
    if not run_id:
        return found
    wanted = run_id.removeprefix("run-")
    mine = [record for record in runs(state) if record.run_id == wanted]
    if not mine:
        raise UnknownRun(name=run_id, nearest=nearest(wanted, [record.run_id for record in runs(state)]))
    return mine


def _start(since: str) -> dt.datetime | None:
    from phlo.errors import InvalidPeriod
    from phlo.metrics import parse_period
    from phlo.profiles import parse_time

    if not since:
        return None
    try:
        return dt.datetime.now(dt.UTC) - parse_period(since)
    except InvalidPeriod:
        return parse_time(since)


def _print(line: LogLine, as_json: bool) -> None:
    if as_json:
        click.echo(dump(line))
        return
    first, *rest = line.message.splitlines() or [""]
    click.echo(f"{line.at:%Y-%m-%d %H:%M:%S}  {line.level:<7}  {line.run_id}  {first}")
    for more in rest:
        click.echo(f"    {more}")


def _key(line: LogLine) -> tuple[str, str, str]:
    return line.at.isoformat(), line.run_id, line.message


def _keys(lines: Sequence[LogLine]) -> set[tuple[str, str, str]]:
    return {_key(line) for line in lines}
