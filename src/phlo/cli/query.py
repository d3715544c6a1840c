"""``phlo query``: read-only SQL in the project's dialect."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

import click

from phlo.cli.render import current_lake, dump, plain, plural, say, table
from phlo.errors import AmbiguousColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        click.echo(dump(_records(result)))
    elif as_csv:
        _write_csv(result)
    else:
        _print(result)


def _records(result: pa.Table) -> list[dict[str, object]]:
    """Rows as JSON objects, whose names can't repeat."""
    names = result.column_names
    for name in names:
        if names.count(name) > 1:
            raise AmbiguousColumn(one=name, other=name)
    return [dict(zip(names, row, strict=True)) for row in _rows(result)]


def _rows(result: pa.Table) -> Iterator[tuple[object, ...]]:
    """Rows by position, for a join may well have two columns of one name."""
    columns = [_values(column) for column in result.columns]
    return zip(*columns, strict=True)


def _values(column: pa.ChunkedArray) -> list[object]:
    import pyarrow as pa

    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return [_interval(*value) if value else None for value in values] if pa.types.is_interval(column.type) else values


def _interval(months: int, days: int, nanoseconds: int) -> str:
    """Write an interval as Trino does.

    >>> _interval(14, 0, 0), _interval(0, 2, 3_600_000_000_000), _interval(0, -1, -500_000_000)
    ('1-2', '2 01:00:00.000', '-1 00:00:00.500')
    """
    if months:
        return f"{'-' if months < 0 else ''}{abs(months) // 12}-{abs(months) % 12}"
    milliseconds = days * 86_400_000 + nanoseconds // 1_000_000
    whole, rest = divmod(abs(milliseconds), 86_400_000)
    hours, minutes, seconds = rest // 3_600_000, rest // 60_000 % 60, rest / 1_000 % 60
    return f"{'-' if milliseconds < 0 else ''}{whole} {hours:02}:{minutes:02}:{seconds:06.3f}"


def _write_csv(result: pa.Table) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.column_names)
    for row in _rows(result):
        writer.writerow(["" if value is None else _text(value) for value in row])


def _text(value: object) -> str:
    as_json = isinstance(value, (bool, dict, list))
    return dump(value) if as_json else str(value if isinstance(value, float) else plain(value))


def _print(result: pa.Table) -> None:
    shown = result.slice(0, ON_SCREEN)
    rows = list(_rows(shown))
    if len(rows) == len(result.columns) == 1 and "\n" in str(rows[0][0]):
        click.echo(rows[0][0])  # a plan, or a view's SQL
        return
    click.echo(table(rows, result.column_names))
    more = f"; the first {ON_SCREEN:,} are shown, --csv and --json print all" if result.num_rows > ON_SCREEN else ""
    say(f"({plural(result.num_rows, 'row')}{more})")
