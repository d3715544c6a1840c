"""``phlo status``: every table on one screen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from phlo.cli.render import ago, current_lake, dump, plural, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phlo.profiles import Lake
    from phlo.protocols import Ref
    from phlo.transform.behind import Since

LOOK_BACK = dt.timedelta(days=30)


@dataclass(frozen=True)
class Asset:
    """One table or view as it stands."""

    name: str
    kind: str
    rows: int | None
    last_run: str
    last_status: str
    last_began: dt.datetime | None
    published: dt.datetime | None
    checks: int
    failing: tuple[str, ...]
    behind: tuple[Since, ...] = ()
    """What a model does not have yet: tables that it is made from, each with the publish that changed it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def status(as_json: bool) -> None:
    """Show every table: its last run, when it was published, its checks; and the refs that are open or failed."""
    lake, now = current_lake(), dt.datetime.now(dt.UTC)
    (assets, tests), refs = read_status(lake, now), lake.catalog.refs()
    if as_json:
        click.echo(dump({"assets": assets, "failing_tests": tests, "refs": refs}))
    elif assets or refs:
        _show(lake, assets, tests, refs, now)
    if not as_json and not refs and not any(each.last_began or each.published for each in assets):
        click.echo("Nothing has run yet; `phlo run` loads, checks and publishes.")


def read_status(lake: Lake, now: dt.datetime) -> tuple[list[Asset], list[str]]:
    """Read every table of main, every one that a run wrote, and every one declared, off catalog, journals and files.

    The second of the pair is what dbt's tests say that failed the last time: they name no table.
    """
    from phlo.inspect.declared import declared_tables
    from phlo.journal import runs
    from phlo.metrics import newest_checks
    from phlo.metrics.tables import size_of
    from phlo.transform.behind import models_behind
    from phlo.transform.models import last_read

    pin = lake.catalog.pin()
    published = {name: newest.at for name, newest in lake.catalog.newest().items()}
    records = runs(lake.project.state, since=now - LOOK_BACK)
    newest = {name: record for record in sorted(records, key=lambda each: each.until) for name in record.tables}
    behind = models_behind(lake)
    read = last_read(lake.project)  # a look at dbt's files as they are now would cost seconds
    models, tests = read or ([], [])
    checks = newest_checks(records, None if read is None else {test.name for test in tests})
    declared = declared_tables(lake.project) | {model.table for model in models}
    found = []
    for name in sorted({*pin.tables, *pin.views, *newest, *declared}):
        if not name.startswith("rejected."):
            record, said = newest.get(name), checks.get(name, {})
            found.append(
                Asset(
                    name=name,
                    kind="view" if name in pin.views else "table",
                    rows=size_of(name, pin).rows,
                    last_run=record.run_id if record else "",
                    last_status=record.status if record else "",
                    last_began=record.began if record else None,
                    published=published.get(name),
                    checks=len(said),
                    failing=tuple(filter(None, said.values())),
                    behind=behind.get(name, ()) if name in pin.tables else (),
                )
            )
    return found, list(filter(None, checks.get("", {}).values()))


def _show(lake: Lake, assets: Sequence[Asset], tests: Sequence[str], refs: Sequence[Ref], now: dt.datetime) -> None:
    from phlo.transform.behind import catch_up

    rows = [
        (a.name, f"{a.last_status}, {ago(a.last_began, now)}" if a.last_began else "-",
         ago(a.published, now) if a.published else "never",
         "-" if a.rows is None else f"{a.rows:,}",
         f"{a.checks - len(a.failing)} of {a.checks} passed" if a.checks else "-",
         ", ".join(map(str, a.behind)))
        for a in assets
    ]  # fmt: skip
    late = [a.name for a in assets if a.behind]
    headers = ["table", "last run", "published", "rows", "checks", "behind"]
    shown = len(headers) if late else -1
    click.echo(table([row[:shown] for row in rows], headers[:shown], right=[3]))
    if late:
        click.echo(f"`{catch_up(lake, late)}` makes again what is behind, and loads nothing.")
    for message in [*(message for a in assets for message in a.failing), *tests]:
        click.echo(f"✗ {message}")
    if refs:
        click.echo(f"\n{plural(len(refs), 'ref')} besides main:")
        for ref in refs:
            reason = ref.reason.partition("\n")[0]
            click.echo(f"  {ref.name}: {ref.state}, {ago(ref.created_at, now)}{f': {reason}' if reason else ''}")
