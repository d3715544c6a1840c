"""What a project of 50 dbt models costs: `phlo run` on a lake, beside dbt-duckdb on one DuckDB file.

Both build the same files, 21 views, 23 tables and 6 incremental models over raw tables of 100,000 rows, with one
thread of dbt's. `phlo run` also branches, checks what changed and publishes; dbt-duckdb writes its file in place.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import REPOSITORY, Table, Took, child, cpu, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS, QUICK_ROWS = 100_000, 1_000
DAYS = 60
SIDES = {"phlo": "`phlo run`", "duckdb": "dbt-duckdb"}

RAW = {
    "customers": "SELECT CAST(i AS INTEGER) AS id, 'c' || CAST(i AS VARCHAR) AS name, "
    "CASE WHEN i % 3 = 0 THEN 'north' WHEN i % 3 = 1 THEN 'south' END AS region FROM range({rows} // 20) AS t(i)",
    "orders": "SELECT CAST(i AS INTEGER) AS id, CAST(i * 7919 % ({rows} // 20) AS INTEGER) AS customer_id, "
    "TIMESTAMP '2024-01-01' + INTERVAL (i * 86400 * {days} // {rows}) SECOND AS ordered_at, "
    "CASE WHEN i % 11 = 0 THEN 'returned' ELSE 'sent' END AS status FROM range({rows}) AS t(i)",
    "items": "SELECT CAST(i AS INTEGER) AS id, CAST(i * 31 % {rows} AS INTEGER) AS order_id, "
    "CAST(i % 97 AS INTEGER) AS product_id, CAST(1 + i % 5 AS INTEGER) AS quantity, "
    "CAST(i % 1000 AS DOUBLE) / 10 AS price FROM range({rows}) AS t(i)",
    "visits": "SELECT CAST(i AS INTEGER) AS id, CAST(i * 104729 % ({rows} // 20) AS INTEGER) AS customer_id, "
    "TIMESTAMP '2024-01-01' + INTERVAL (i * 86400 * {days} // {rows}) SECOND AS seen_at, "
    "'/page/' || CAST(i % 40 AS VARCHAR) AS page FROM range({rows}) AS t(i)",
}


def models() -> dict[str, str]:
    """The 50 models: their files' names and texts, which Trino and DuckDB read alike."""
    found = {f"stg_{raw}": f"select * from {_source(raw)}" for raw in RAW}
    for number in range(17):
        found[f"stg_sent_{number:02}"] = (
            "select id, customer_id, cast(ordered_at as date) as day, ordered_at, "
            "extract(hour from ordered_at) as hour, "
            f"coalesce(status, 'unknown') as status\nfrom {_ref('stg_orders')}\nwhere id % 17 = {number}"
        )
    return {
        **{name: _config("view", sql) for name, sql in found.items()},
        **{f"int_lines_{number}": _config("table", _lines(number)) for number in range(8)},
        **{f"fct_days_{number}": _config("table", _days(number)) for number in range(8)},
        **{f"dim_best_{number}": _config("table", _best(number)) for number in range(7)},
        **{f"inc_visits_{number}": _incremental(number) for number in range(6)},
    }


def tables(quick: bool) -> Iterator[Table]:
    """One table: cold, warm, and twice in one process, of Phlo and of dbt-duckdb where it is installed."""
    rows = QUICK_ROWS if quick else ROWS
    lines = []
    for side in [side for side in SIDES if side == "phlo" or installed("dbt-duckdb")]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            child("dbt", f"make_{side}", folder=name, rows=rows)
            lines += [(SIDES[side], label, *run_alone(side, folder)) for label in ("first", "second", "third")]
            took = child("dbt", "twice", folder=name, side=side)
        lines += [(SIDES[side], f"{label} in one process", *_figures(each)) for label, each in took.items()]
    note = (
        f"{len(models())} models over raw tables of {rows:,} rows. The first run parses the project; the incremental "
        "models have new rows in none. “beside the models”: wall seconds that no model took."
    )
    yield Table("dbt", note, ("run", "", "CPU s", "wall s", "peak MB", "beside the models"), lines)


def run_alone(side: str, folder: Path) -> tuple[object, ...]:
    """Run the project by its command in a process of its own."""
    command = [sys.executable, "-m", "phlo", "run"]
    if side == "duckdb":
        command = [sys.executable, "-m", "dbt.cli.main", "run", *_folders(folder)]
    before = time.perf_counter()
    with Path(folder, "said.txt").open("w+") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, env={**os.environ, **_quiet()})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(Path(said.name).read_text())
    return used.ru_utime + used.ru_stime, time.perf_counter() - before, used.ru_maxrss / 1024, ""


def twice(folder: str, side: str) -> dict[str, Took]:
    """Run the project twice in this process."""
    os.environ.update(_quiet())
    run: Callable[[Path], float] = getattr(importlib.import_module("benchmarks.dbt"), f"run_{side}")
    took = {}
    for label in ("first", "second"):
        used, start = cpu(), time.perf_counter()
        inside = run(Path(folder))
        wall = time.perf_counter() - start
        took[label] = {"cpu": cpu() - used, "wall": wall, "beside": wall - inside}
    return took


def run_phlo(folder: Path) -> float:
    """Run everything as the command does, and return the seconds that the models took."""
    from phlo.declarations import SilentReporter
    from phlo.pipeline import execute
    from phlo.plan import make_plan
    from phlo.profiles import open_lake

    lake = open_lake(folder)
    done = execute(lake, make_plan(lake, ()), SilentReporter())
    assert done.transformed is not None
    return sum(each.seconds for each in done.transformed.models)


def run_duckdb(folder: Path) -> float:
    """Run dbt, and return the seconds that the models took."""
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner().invoke(["--quiet", "run", *_folders(folder)])
    if not outcome.success:
        raise SystemExit("dbt-duckdb failed")
    return sum(each.execution_time for each in outcome.result)


def make_phlo(folder: str, rows: int) -> None:
    """A lake with the raw tables on main, and the project."""
    from phlo.profiles import open_lake

    root = Path(folder)
    (root / "pyproject.toml").write_text('[project]\nname = "bench"\nversion = "0"\n\n[tool.phlo]\n')
    _project(root / "transforms" / "dbt")
    lake = open_lake(root)
    lake.catalog.create_ref("seed")
    for name, found in _raw(rows):
        lake.engine.write(f"raw.{name}", found, "seed", mode="replace")
    lake.catalog.publish("seed")


def make_duckdb(folder: str, rows: int) -> None:
    """A DuckDB file with the raw tables, and the project."""
    import duckdb

    root = Path(folder)
    _project(root / "transforms" / "dbt")
    profile = f"{{type: duckdb, path: '{root}/bench.duckdb', schema: silver, threads: 1}}"
    (root / "transforms/dbt/profiles.yml").write_text(f"bench: {{target: main, outputs: {{main: {profile}}}}}\n")
    with duckdb.connect(f"{root}/bench.duckdb") as con:
        con.execute("CREATE SCHEMA raw")
        for name, sql in RAW.items():
            con.execute(f"CREATE TABLE raw.{name} AS {sql.format(rows=rows, days=DAYS)}")


def _project(folder: Path) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(
        "name: bench\nversion: '1.0'\nprofile: bench\nflags: {send_anonymous_usage_stats: false}\n"
    )
    listed = ", ".join(f"{{name: {name}}}" for name in RAW)
    (folder / "models" / "sources.yml").write_text(f"sources: [{{name: raw, schema: raw, tables: [{listed}]}}]\n")
    for name, sql in models().items():
        (folder / "models" / f"{name}.sql").write_text(sql)


def _raw(rows: int) -> Iterator[tuple[str, Any]]:
    import duckdb

    with duckdb.connect() as con:
        for name, sql in RAW.items():
            yield name, con.sql(sql.format(rows=rows, days=DAYS)).to_arrow_table()


def _lines(number: int) -> str:
    return (
        "select i.id, i.order_id, o.customer_id, c.region, cast(o.ordered_at as date) as day, i.product_id,\n"
        "  i.quantity * i.price as amount,\n"
        f"  row_number() over (partition by o.customer_id order by o.ordered_at, i.id) as nth\n"
        f"from {_ref('stg_items')} i\n"
        f"join {_ref('stg_orders')} o on o.id = i.order_id\n"
        f"left join {_ref('stg_customers')} c on c.id = o.customer_id\n"
        f"where i.product_id % 8 = {number}"
    )


def _days(number: int) -> str:
    return (
        "select l.day, coalesce(l.region, 'nowhere') as region, count(*) as items,\n"
        "  count(distinct l.customer_id) as customers, sum(l.amount) as amount, avg(l.amount) as mean_amount,\n"
        "  max(case when l.nth = 1 then l.amount end) as first_amount\n"
        f"from {_ref(f'int_lines_{number}')} l\n"
        f"join {_ref(f'stg_sent_{number:02}')} s on s.day = l.day and s.hour = 12\n"
        "group by 1, 2\nhaving count(*) > 1"
    )


def _best(number: int) -> str:
    return (
        "with ranked as (\n"
        "  select customer_id, region, sum(amount) as amount, min(day) as since,\n"
        f"    rank() over (partition by region order by sum(amount) desc) as place\n"
        f"  from {_ref(f'int_lines_{number}')}\n"
        "  group by customer_id, region\n)\n"
        f"select r.*, c.name, upper(substr(c.name, 1, 1)) as initial\nfrom ranked r\njoin {_ref('stg_customers')} c "
        "on c.id = r.customer_id\nwhere r.place <= 100"
    )


def _incremental(number: int) -> str:
    return (
        "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}\n"
        f"select id, customer_id, cast(seen_at as date) as day, seen_at, page, length(page) as letters\n"
        f"from {_ref('stg_visits')}\nwhere id % 6 = {number}\n"
        "{% if is_incremental() %} and seen_at >= (select max(seen_at) from {{ this }}){% endif %}\n"
    )


def _config(materialized: str, sql: str) -> str:
    return f"{{{{ config(materialized='{materialized}') }}}}\n{sql}\n"


def _ref(name: str) -> str:
    return f"{{{{ ref('{name}') }}}}"


def _source(name: str) -> str:
    return f"{{{{ source('raw', '{name}') }}}}"


def _folders(folder: Path) -> list[str]:
    return ["--project-dir", f"{folder}/transforms/dbt", "--profiles-dir", f"{folder}/transforms/dbt"]


def _figures(took: Took) -> tuple[float | str, ...]:
    return took["cpu"], took["wall"], "", took["beside"]


def _quiet() -> dict[str, str]:
    return {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
