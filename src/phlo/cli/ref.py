"""``phlo ref``, ``history`` and ``undo``: branches of the catalog and the publish log."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from phlo.cli.render import confirm, current_lake, dump, plural, say, table
from phlo.errors import UnknownPublish
from phlo.protocols import MAIN, MAINTENANCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phlo.protocols import Catalog, Change, Load, Publish


SHOWN = 3
"""Names of changed tables that a line of the log shows; --json has them all."""

WIDE = 100
"""Characters of a reason that a line shows."""


@click.group()
def ref() -> None:
    """List, compare, publish and drop refs; a run's ref is run-<id>."""


@ref.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def list_refs(as_json: bool) -> None:
    """List the refs other than main; failed ones say why."""
    refs = current_lake().catalog.refs()
    if as_json:
        click.echo(dump(refs))
    elif refs:
        rows = [(r.name, r.state, f"{r.created_at:%Y-%m-%d %H:%M:%S}", r.selection, _short(r.reason)) for r in refs]
        click.echo(table(rows, ["ref", "state", "created (UTC)", "selection", "why"]))
    else:
        say("There are no refs besides main: every run was published.")


@ref.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def diff(name: str, as_json: bool) -> None:
    """Show what a ref changed since it branched off main."""
    _insist_on_branch(name)
    catalog = current_lake().catalog
    changes = catalog.diff(name)
    if as_json:
        click.echo(dump([_record(catalog, change) for change in changes]))
    else:
        _show(catalog, changes)


@ref.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Publish although not all its checks passed; the log records it.")
@click.option("--dry-run", is_flag=True, help="Show what would be published, and publish nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def publish(name: str, force: bool, dry_run: bool, yes: bool) -> None:
    """Move main to a ref in one step."""
    _insist_on_branch(name)
    catalog = current_lake().catalog
    found = catalog.ref(name)
    if found.state != "open":
        click.echo(f"The run failed: {found.reason}")
    _show(catalog, catalog.diff(name))
    if dry_run:
        return
    if not yes:
        confirm(f"Publish {name} to main?")
    done = catalog.publish(name, force=force)
    click.echo(f"Published {plural(len(done.changes), 'table')} as publish {done.seq}.")


@ref.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what would be dropped, and drop nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(name: str, dry_run: bool, yes: bool) -> None:
    """Forget a ref and what it changed."""
    _insist_on_branch(name)
    catalog = current_lake().catalog
    _show(catalog, catalog.diff(name))
    if dry_run:
        return
    if not yes:
        confirm(f"Drop {name}?")
    catalog.drop_ref(name)
    click.echo(f"Dropped {name}.")


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many publishes.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def history(limit: int, as_json: bool) -> None:
    """Show the publish log, newest first: what changed on main, when, and by which run."""
    log = current_lake().catalog.publishes(limit)
    if as_json:
        click.echo(dump(log))
        return
    if not log:
        say("Nothing has been published yet; `phlo run` publishes everything.")
        return
    rows = [
        (p.seq, f"{p.at:%Y-%m-%d %H:%M:%S}", p.run_id, _what(p.restores, p.forced), _names(p.changes), _rows(p.loads))
        for p in log
    ]
    click.echo(table(rows, ["publish", "at (UTC)", "run", "how", "changed", "rows loaded"]))


@click.command()
@click.argument("seq", type=click.IntRange(1), required=False)
@click.option("--dry-run", is_flag=True, help="Show what would move back, and move nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def undo(seq: int | None, dry_run: bool, yes: bool) -> None:
    """Move main back to the state before publish SEQ (default: the newest), as one new publish.

    Nothing is deleted: an undo is a publish too, and can be undone.
    """
    catalog = current_lake().catalog
    log = catalog.publishes()
    if not log:
        say("Nothing has been published yet, so there is nothing to undo.")
        return
    # An undo that names no publish means the newest that changed rows: maintenance did not, nor a run without news.
    own = [each for each in log if each.changes and not each.run_id.startswith(MAINTENANCE)] or log
    target = seq or own[0].seq
    if target > log[0].seq:
        raise UnknownPublish(seq=target, newest=log[0].seq)
    gone = [each for each in log if each.seq >= target]
    if not any(each.changes or each.loads or each.restores is not None for each in gone):
        say(f"No table has changed since before publish {target}, so there is nothing to undo.")
        return
    click.echo("This undoes:")
    click.echo(table([(p.seq, f"{p.at:%Y-%m-%d %H:%M:%S}", p.run_id or _what(p.restores, p.forced), _names(p.changes))
                      for p in gone], ["publish", "at (UTC)", "run", "changed"]))  # fmt: skip
    if dry_run:
        say("Nothing was moved.")
        return
    if not yes:
        confirm(f"Move main back to before publish {target}?")
    done = catalog.undo(target)
    click.echo(_undone(done, target))


def _insist_on_branch(name: str) -> None:
    if name == MAIN:
        raise click.UsageError("main is what refs branch off; `phlo ref list` names the refs")


def _show(catalog: Catalog, changes: Iterable[Change]) -> None:
    from phlo.inspect import rows_of

    rows = [(change.name, change.kind, _kind(change), *rows_of(catalog, change)) for change in changes]
    if rows:
        click.echo(table(rows, ["name", "kind", "change", "rows before", "rows after"], right=(3, 4)))
    else:
        click.echo("It changed nothing.")


def _record(catalog: Catalog, change: Change) -> dict[str, Any]:
    from phlo.inspect import rows_of

    before, after = rows_of(catalog, change)
    return {**asdict(change), "rows_before": before, "rows_after": after}


def _kind(change: Change) -> str:
    if change.before is None:
        return "new"
    return "dropped" if change.after is None else "changed"


def _what(restores: int | None, forced: bool) -> str:
    if restores is not None:
        return f"undo to {restores}"
    return "publish --force" if forced else "publish"


def _undone(done: Publish, target: int) -> str:
    if done.changes:
        moved = f"Moved {plural(len(done.changes), 'table')} back as publish {done.seq}."
        return f"{moved} `phlo undo {done.seq}` takes that back."
    return f"No table had to move: what counts as loaded is as it was before publish {target}, as publish {done.seq}."


def _names(changes: Iterable[Change]) -> str:
    names = [change.name for change in changes]
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= WIDE else f"{line[:WIDE]}…"


def _rows(loads: Iterable[Load]) -> int:
    return sum(load.rows_written + load.rows_updated for load in loads)
