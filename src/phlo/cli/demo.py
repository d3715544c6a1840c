"""``phlo demo``: the whole way at work on synthetic data, with no account, no server and no network."""

from __future__ import annotations

import datetime as dt
import os
import shlex
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from phlo.cli.render import ConsoleReporter, plural, say, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from phlo.pipeline import Run
    from phlo.profiles import Lake
    from phlo.protocols import Load

DAYS = 30

ENV = """\
# The demo's site: `python -m phlo.scaffold.nightscout_server` serves it. Name your own instead when you are ready,
# best in a project of its own (`phlo init NAME --template glucose`): these readings are nobody's.
NIGHTSCOUT_BASE_URL=http://127.0.0.1:1337/api/v1
"""

OVERVIEW = """
select reading_date, reading_count, avg_glucose_mg_dl, cv_pct, time_below_70_pct, time_in_range_pct,
       time_above_180_pct, gmi_pct
from marts.mrt_glucose_overview order by reading_date
"""
HEADERS = ["day", "readings", "mean mg/dL", "CV %", "<70 %", "70-180 %", ">180 %", "GMI %"]
HOURS = "select hour_of_day, avg_glucose_mg_dl from marts.mrt_glucose_hourly_patterns order by hour_of_day"
REJECTED = """
select "column", reason, count(*) as rows_rejected, min(partition_date) as first_day
from rejected.glucose_entries group by "column", reason order by rows_rejected desc, reason
"""
LOW, HIGH = 70, 180
BOTTOM, STEP = 40, 20  # of the plot, mg/dL


@click.command()
@click.argument("directory", metavar="[DIR]", default="demo", type=click.Path(path_type=Path))
@click.option("--until", metavar="DATE", help="The last of its 30 days, YYYY-MM-DD (default: yesterday, UTC).")
def demo(directory: Path, until: str | None) -> None:
    """See the whole way at work on synthetic data, in a new project in DIR (default: ./demo).

    Makes the glucose project, serves 30 days of synthetic CGM readings from a small Nightscout-compatible server on
    this machine, loads, validates, transforms, checks and publishes them, and shows what came out.
    """
    from phlo.declarations import parse_partition, today

    last = parse_partition(until) if until else today() - dt.timedelta(days=1)
    days = [last - dt.timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    root = _project(directory)
    with _nightscout(days):
        lake = _run(root, days)
    _show(lake)
    _say_what_next(directory, days)


def _project(directory: Path) -> Path:
    from phlo.scaffold.init import init_project

    root = Path(os.path.abspath(directory))  # noqa: PTH100  `.` has no name of its own
    if (root / "workflows" / "ingestion" / "nightscout" / "readings.py").exists():
        say(f"Using the project in {directory}.")
        return root
    files = init_project(root.name, root.parent, "glucose")
    (root / ".env").write_text(ENV)
    say(f"Made the glucose project in {directory}: {plural(len(files), 'file')}.")
    return root


@contextmanager
def _nightscout(days: Sequence[dt.date]) -> Iterator[None]:
    """Serve the days on loopback, and let the project's workflow find them, past any proxy."""
    from phlo.scaffold.nightscout_server import NightscoutServer
    from phlo.scaffold.synthetic_cgm import entries

    rows = entries(days[0], len(days))
    with NightscoutServer(rows) as server:
        readings = sum(row.get("type") == "sgv" for row in rows)
        what = f"{plural(len(rows), 'synthetic entry')}, {readings:,} of them readings of the sensor,"
        say(f"Serving {what} as a Nightscout site at {server.url}.")
        direct = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"]))
        ours = {"NIGHTSCOUT_BASE_URL": server.base_url, "NO_PROXY": direct, "no_proxy": direct}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _run(root: Path, days: Sequence[dt.date]) -> Lake:
    from phlo.backfill import plan_backfill, run_backfill
    from phlo.load.write import summarize
    from phlo.plan import make_plan
    from phlo.profiles import open_lake

    lake = open_lake(root)
    for failure in lake.workflows.causes:
        raise failure
    work = plan_backfill(lake, make_plan(lake, (), days))
    if work.skipped:
        say(f"{plural(len(work.skipped), 'day')} already published.")
    for run in run_backfill(lake, work, ConsoleReporter(), parallel=4):
        for total in summarize(run.loads):
            say(_counted(total))
        say(_published(run))
    return lake


def _published(run: Run) -> str:
    changed = len(run.published.changes) if run.published else 0
    models = len(run.transformed.models) if run.transformed else 0
    after = f"after {plural(models, 'model')} and {plural(len(run.checks), 'check')}, {run.seconds:.1f} s."
    return f"Published {plural(changed, 'table')} in one step {after}" if changed else f"Nothing changed {after}"


def _counted(total: Load) -> str:
    repeated = f", {total.rows_repeated:,} came twice" if total.rows_repeated else ""
    return (
        f"{total.table}: {plural(total.rows_read, 'row')} read, {total.rows_written:,} new, "
        f"{total.rows_updated:,} updated, {total.rows_rejected:,} rejected{repeated}."
    )


def _show(lake: Lake) -> None:
    overview = _rows(lake, OVERVIEW)
    click.echo("\nGlucose by UTC day (marts.mrt_glucose_overview)\n")
    click.echo(table([[_rounded(value) for value in row.values()] for row in overview], HEADERS, right=range(1, 8)))
    click.echo("\nThe mean day, mg/dL by UTC hour (marts.mrt_glucose_hourly_patterns)\n")
    click.echo(plot({row["hour_of_day"]: row["avg_glucose_mg_dl"] for row in _rows(lake, HOURS)}))
    rejected = _rows(lake, REJECTED)
    total = sum(row["rows_rejected"] for row in rejected)
    click.echo(f"\nRejected, and kept with the reason: {plural(total, 'row')} (rejected.glucose_entries)\n")
    click.echo(table([list(row.values()) for row in rejected], ["column", "reason", "rows", "first day"]))


def _say_what_next(directory: Path, days: Sequence[dt.date]) -> None:
    from phlo.scaffold.synthetic_cgm import corrected

    changed = next((day for day in reversed(days) if corrected(day)), days[-1])
    steps = [
        ("Your project: everything in it is yours to change.", _enter(directory)),
        ("What was published when, and what there is now.", ["phlo history", "phlo catalog tables"]),
        ("The rows that validation refused.", ["phlo rejected show glucose_entries"]),
        ("Any SQL, read-only.", ['phlo query "select * from gold.fct_daily_glucose_metrics"']),
        (
            "The site again, with some readings corrected; load such a day again: an hour changes, nothing doubles.",
            [
                f"python -m phlo.scaffold.nightscout_server --until {days[-1]} --revision 2 &",
                f"phlo materialize glucose_entries+ --partition {changed}",
            ],
        ),
        ("And back to before that.", ["phlo undo"]),
    ]
    click.echo("\nTry next:")
    for why, commands in steps:
        click.echo("\n".join([f"\n  # {why}", *(f"  {command}" for command in commands)]))


def _enter(directory: Path) -> list[str]:
    """Go to the project, after a step into Phlo's environment where the shell is not in it."""
    scripts = Path(sys.executable).parent
    found = shutil.which("phlo")
    inside = found is not None and Path(found).parent == scripts
    activate = (
        [] if inside or not (scripts / "activate").exists() else [f"source {shlex.quote(str(scripts / 'activate'))}"]
    )
    return [*activate, f"cd {shlex.quote(str(directory))}"]


def plot(values: Mapping[int, float]) -> str:
    """Draw a day's hours as columns; dotted lines bound the target range.

    >>> print(plot({0: 75.0, 1: 110.0, 2: 191.0}))
     200 │       ▄▄
     180 │┄┄┄┄┄┄┄██┄
     160 │       ██
     140 │       ██
     120 │    ▄▄ ██
     100 │    ██ ██
      80 │┄▆▆┄██┄██┄
      60 │ ██ ██ ██
         └──────────
           0  1  2
    """
    top = -(-int(max(values.values(), default=0)) // STEP) * STEP
    lines = [_line(level, values) for level in range(max(top, HIGH), BOTTOM, -STEP)]
    axis = "     └" + "───" * len(values) + "─"
    return "\n".join([*lines, axis, "      " + "".join(f"{hour:3d}" for hour in values)])


def _line(level: int, values: Mapping[int, float]) -> str:
    empty = "┄" if any(level - STEP < bound <= level for bound in (LOW, HIGH)) else " "
    cells = []
    for value in values.values():
        eighths = round(min(1.0, max(0.0, (value - level + STEP) / STEP)) * 8)
        cells.append(empty + (" ▁▂▃▄▅▆▇█"[eighths] * 2 if eighths else empty * 2))
    return f"{level:4d} │{''.join(cells)}{empty}".rstrip()


def _rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.query(sql).to_pylist()
    return rows


def _rounded(value: object) -> object:
    return f"{value:.1f}" if isinstance(value, float) else value
