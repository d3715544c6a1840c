"""``phlo catalog``: tables and their snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_lake, current_project, dump, plural, say, table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from phlo.inspect import Description
    from phlo.profiles import Lake
    from phlo.protocols import Pin


def state_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which state is looked at, and --json."""
    command = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")(command)
    at = "Look at what was published at that time (ISO 8601; without a zone UTC)."
    command = click.option("--as-of", metavar="TIME", help=at)(command)
    return click.option("--ref", metavar="REF", help="The branch to look at (default: main).")(command)


@click.group()
def catalog() -> None:
    """Look at tables and their snapshots."""


@catalog.command("tables")
@click.option("--schema", metavar="NAME", default="", help="Only the tables of this schema, such as raw or silver.")
@state_options
def list_tables(schema: str, ref: str | None, as_of: str | None, as_json: bool) -> None:
    """List tables and views with their sizes."""
    from phlo.inspect import tables

    lake, pin = state(ref, as_of)
    found = tables(lake.catalog, pin, schema)
    if as_json:
        click.echo(dump(found))
    elif found:
        rows = [
            (
                t.name,
                t.kind,
                _count(t.rows),
                _count(t.files),
                _size(t.bytes) if t.kind == "table" else "",
                _time(t.modified),
            )
            for t in found
        ]
        click.echo(table(rows, ["table", "kind", "rows", "files", "size", "modified (UTC)"], right=(2, 3, 4)))
    else:
        say(f"There are no tables on {pin.ref} yet: `phlo run` loads, checks and publishes.")


@catalog.command()
@click.argument("name", metavar="TABLE")
@state_options
def describe(name: str, ref: str | None, as_of: str | None, as_json: bool) -> None:
    """Show where a table is, how large it is, its partitioning, current snapshot and columns.

    Metadata is the file that other tools open to read the table in this state.
    """
    from phlo.inspect import describe as described

    lake, pin = state(ref, as_of)
    found = described(lake.catalog, pin, name)
    click.echo(dump(found) if as_json else "\n".join(_description(found)))


@catalog.command()
@click.argument("name", metavar="TABLE")
@click.option("--limit", type=click.IntRange(1), help="Show that many of the newest snapshots.")
@state_options
def history(name: str, limit: int | None, ref: str | None, as_of: str | None, as_json: bool) -> None:
    """List a table's snapshots, newest first; `phlo history` lists what was published."""
    from phlo.inspect import history as snapshots

    lake, pin = state(ref, as_of)
    found = snapshots(lake.catalog, pin, name, limit)
    if as_json:
        click.echo(dump(found))
    elif found:
        rows = [(_time(s.at), str(s.id), s.operation, s.added, s.deleted, _known(s.rows), s.files) for s in found]
        click.echo(table(rows, ["time (UTC)", "snapshot", "operation", "added", "deleted", "rows", "files"]))
    else:
        say(f"{name} has no snapshots: it was never written, or is a view.")


@catalog.command()
def relocate() -> None:
    """Mend the tables of a project whose folder moved: Iceberg's paths are absolute."""
    from phlo.profiles import relocate as mend

    count = mend(current_project())
    click.echo(f"Rewrote {plural(count, 'file')}." if count else "The tables are where they were; nothing to mend.")


def state(ref: str | None, as_of: str | None) -> tuple[Lake, Pin]:
    """Resolve what ``state_options`` ask for."""
    if ref and as_of:
        raise click.UsageError("--as-of reads main's history; leave out --ref")
    lake = current_lake()
    return lake, lake.pin(ref, as_of)


def _description(found: Description) -> Iterator[str]:
    yield f"Table: {found.name}"
    yield f"Schema: {found.namespace}"
    if found.kind == "table":
        yield f"Location: {found.location}"
        yield f"Metadata: {found.metadata}"
    yield f"Format: {found.format}"
    if found.kind == "table":
        yield from _statistics(found)
    yield from ["", "Columns:", *(f"  {line}" for line in _aligned([(c.name, c.type) for c in found.columns]))]
    if found.sql:
        yield from ["", "SQL:", *(f"  {line}" for line in found.sql.strip().splitlines())]


def _statistics(found: Description) -> Iterator[str]:
    statistics = [
        ("Total Files:", _count(found.files)),
        ("Total Rows:", _count(found.rows)),
        ("Total Size:", _size(found.bytes)),
        ("Last Modified:", _time(found.modified)),
    ]
    yield from ["", "Statistics:", *(f"  {line}" for line in _aligned(statistics))]
    yield from ["", "Partitioning:", *(f"  - {each}" for each in found.partitioning or ["none"])]
    if found.snapshot:
        snapshot = [
            ("Snapshot ID:", str(found.snapshot.id)),
            ("Timestamp:", _time(found.snapshot.at)),
            ("Operation:", found.snapshot.operation),
        ]
        yield from ["", "Current Snapshot:", *(f"  {line}" for line in _aligned(snapshot))]


def _aligned(pairs: list[tuple[str, str]]) -> list[str]:
    width = max((len(left) for left, _ in pairs), default=0)
    return [f"{left:<{width}}  {right}" for left, right in pairs]


def _known(value: int | None) -> int | str:
    return "" if value is None else value


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _size(size: int | None) -> str:
    """Write bytes the way people read them.

    >>> _size(0), _size(999), _size(12_345_678), _size(3 * 10**12)
    ('0 B', '999 B', '12.3 MB', '3,000.0 GB')
    """
    if size is None:
        return ""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} B"


def _time(value: dt.datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""
