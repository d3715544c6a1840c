"""``phlo query``: read-only SQL in the project's dialect."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_lake, dump, plain, plural, say, table

if TYPE_CHECKING:
    import pyarrow as pa

ON_SCREEN = 1_000


@click.command()
@click.argument("sql")
@click.option("--ref", metavar="REF", help="The branch to read (default: main).")
@click.option("--as-of", metavar="TIME", help="Read what was published at that time (ISO 8601; without a zone UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array of row objects.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header.")
def query(sql: str, ref: str | None, as_of: str | None, as_json: bool, as_csv: bool) -> None:
    """Run one SELECT, SHOW, DESCRIBE or EXPLAIN over one fixed state of all tables."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if ref and as_of:
        raise click.UsageError("--as-of reads main's history; leave out --ref")
    result = current_lake().query(sql, ref=ref, as_of=as_of)
    if as_json:
        click.echo(dump(_rows(result)))
    elif as_csv:
        _write_csv(result)
    else:
        _print(result)


def _rows(result: pa.Table) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = result.to_pylist()
    return rows


def _write_csv(result: pa.Table) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.column_names)
    for row in _rows(result):
        writer.writerow(["" if value is None else _text(value) for value in row.values()])


def _text(value: object) -> str:
    return dump(value) if isinstance(value, (dict, list)) else str(value if isinstance(value, float) else plain(value))


def _print(result: pa.Table) -> None:
    shown = result.slice(0, ON_SCREEN)
    click.echo(table([list(row.values()) for row in _rows(shown)], result.column_names))
    more = f"; the first {ON_SCREEN:,} are shown, --csv and --json print all" if result.num_rows > ON_SCREEN else ""
    say(f"({plural(result.num_rows, 'row')}{more})")
