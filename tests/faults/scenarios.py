"""The commands whose every step is swept: a small project, what there is before each command, and what comes next."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Act = tuple[str, ...] | Callable[[Path], None]

FILES = {
    "pyproject.toml": '[project]\nname = "shop"\n[tool.phlo]\nrecord_commands = false\n',
    "workflows/ingestion/shop.py": """
import json
from pathlib import Path

import pandera.pandas as pa
import phlo
from pandera.typing import Series
from phlo.quality import NullCheck, RangeCheck

SOURCE = Path(__file__).resolve().parents[2] / "source"


class Readings(pa.DataFrameModel):
    id: Series[str]
    version: Series[int] = pa.Field(ge=0, nullable=True)
    day: Series[int]


@phlo.ingestion(unique_key="id", validation_schema=Readings)
def readings(partition_date: str):
    file = SOURCE / f"{partition_date}.json"
    return json.loads(file.read_text()) if file.exists() else []


@phlo.ingestion()
def events(partition_date: str):
    return [{"day": partition_date, "n": n} for n in range(10)]


@phlo.quality(table="raw.readings", checks=[RangeCheck(column="version", max_value=90)])
def versions_are_small(): ...
""",
}
MODELS = {
    "transforms/dbt/dbt_project.yml": 'name: shop\nversion: "1.0"\nconfig-version: 2\nprofile: shop\n'
    "model-paths: [models]\nflags: {send_anonymous_usage_stats: false}\n",
    "transforms/dbt/profiles.yml": "shop:\n  target: main\n"
    "  outputs:\n    main: {type: phlo, schema: silver, threads: 1}\n",
    "transforms/dbt/models/sources.yml": "sources:\n  - name: raw\n    tables: [{name: readings}, {name: events}]\n",
    "transforms/dbt/models/silver/per_day.sql": "{{ config(materialized='incremental', unique_key='day') }}\n"
    "select day, count(*) as n, sum(version) as versions from {{ source('raw', 'readings') }} group by day\n",
    "transforms/dbt/models/silver/event_days.sql": "{{ config(materialized='view') }}\n"
    "select day, count(*) as n from {{ source('raw', 'events') }} group by day\n",
    "transforms/dbt/models/gold/totals.sql": "{{ config(materialized='table') }}\n"
    "select sum(n) as readings, sum(versions) as versions from {{ ref('per_day') }}\n",
}


def deliver(day: int, version: int, extra: Any = None) -> Callable[[Path], None]:
    """What the source says of a day: each version corrects every third row, brings one more, and one that is wrong."""
    rows: list[dict[str, Any]] = [
        {"id": f"{day}-{n}", "version": version if n % 3 == 0 else 0, "day": day} for n in range(20)
    ]
    rows += [{"id": f"{day}-new-{each}", "version": each, "day": day} for each in range(version)]
    rows.append({"id": f"{day}-wrong", "version": "many", "day": day})
    if extra is not None:
        rows.append({"id": f"{day}-extra", "version": extra, "day": day})

    def act(root: Path) -> None:
        (root / "source" / f"{date(day)}.json").write_text(json.dumps(rows))

    return act


def date(day: int) -> str:
    """The name of a day."""
    return f"2024-01-{day:02}"


def load(*days: int) -> list[Act]:
    """Load days, each in a run of its own."""
    return [("materialize", "readings", "events", "--partition", date(day)) for day in days]


def age(root: Path, days: int = 2) -> None:
    """Let days pass: everything in the project was written so much earlier."""
    seconds = days * 86400
    state = root / ".phlo" / "state"
    if (state / "catalog.db").exists():
        with closing(sqlite3.connect(state / "catalog.db", timeout=0, isolation_level=None)) as database:
            for table, column in (("phlo_publishes", "at_utc"), ("phlo_refs", "created_at"), ("phlo_leases", "since")):
                shifted = f"strftime('%Y-%m-%dT%H:%M:%f', {column}, '-{seconds} seconds') || '000+00:00'"
                database.execute(f"UPDATE {table} SET {column} = {shifted}")
    then = time.time() - seconds
    for path in state.rglob("*"):
        os.utime(path, (then, then))


def take_less(root: Path) -> None:
    """Let the schema take what it refused."""
    file = root / "workflows/ingestion/shop.py"
    file.write_text(file.read_text().replace("ge=0", "ge=-5"))


@dataclass(frozen=True)
class Scenario:
    """A command, what there is before it, and what a user does next when it died."""

    command: tuple[str, ...]
    """``{ref}`` is the newest ref's name."""
    before: tuple[Act, ...] = ()
    once: tuple[str, ...] = ()
    """What is run again when main has it already; empty: the command itself, which changes nothing then."""
    settings: tuple[tuple[str, str], ...] = ()
    """Of the environment, for the command alone."""
    names_the_dead: bool = True
    """Whether it is a run, which status names when it died."""
    models: bool = False
    """Whether the project has models, so that dbt is loaded."""

    def begin(self, root: Path) -> None:
        """Write the project."""
        for name, text in {**FILES, **(MODELS if self.models else {})}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "source").mkdir()
        for day in range(1, 8):
            deliver(day, 0)(root)


OLD = (("PHLO_HISTORY_DAYS", "0"), ("PHLO_KEEP_FAILED", "0"))
DAY = ("--partition", date(1))
SCENARIOS = {
    "first-load": Scenario(("materialize", "readings", "events", *DAY)),
    "merge": Scenario(("materialize", "readings", "events", *DAY), (*load(1, 2), deliver(1, 1))),
    "run": Scenario(("run", *DAY), (("run", *DAY), deliver(1, 1)), models=True),
    "backfill": Scenario(
        ("backfill", "readings", "events", "--start-date", date(1), "--end-date", date(5), "--chunk", "2",
         "--parallel", "2"),
        (*load(1),),
    ),
    "maintain": Scenario(
        ("maintain", "--yes"),
        (*load(1, 2, 3, 4, 5), deliver(1, 1), deliver(6, 0, extra=91), *load(1, 6), age),
        settings=OLD, names_the_dead=False,
    ),
    "publish": Scenario(
        ("ref", "publish", "{ref}", "--force", "--yes"), (*load(1), deliver(1, 1, extra=91), *load(1)),
        once=("history",), names_the_dead=False,
    ),
    "replay": Scenario(
        ("rejected", "replay", "readings"),
        (deliver(1, 1, extra=-1), *load(1), deliver(2, 0, extra=-1), *load(2), take_less),
    ),
    "undo": Scenario(("undo", "--yes"), (*load(1), deliver(1, 1), *load(1)), once=("history",), names_the_dead=False),
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A command, and what happens while it goes on."""

    first: Scenario
    second: tuple[str, ...] = ()
    """Another command; none: only the change happens."""
    settings: tuple[tuple[str, str], ...] = ()
    """Of the environment, for the second alone."""
    change: Callable[[Path], None] | None = None
    """What happens before the second begins."""


def time_passes(root: Path) -> None:
    """Age what there is, unless somebody writes it at this moment."""
    with suppress(sqlite3.OperationalError):
        age(root)


def files_look_old(root: Path) -> None:
    """Let files carry the time of a clock that had stepped back while they were written, and is right again."""
    then = time.time() - 2 * 86400
    for path in (root / ".phlo" / "state" / "warehouse").rglob("*"):
        os.utime(path, (then, then))


CLOCK = "JUMPING_CLOCK"
"""The variable of the environment that names the file in which ``clock.c``, loaded before all else, finds its jump."""


def set_clock(seconds: int) -> None:
    """Set the clock of all the processes of a sweep to so much from now."""
    if CLOCK in os.environ:
        with Path(os.environ[CLOCK]).open("r+b") as file:  # never empty, it is mapped
            file.write(struct.pack("q", seconds))


def jump(days: int) -> Callable[[Path], None]:
    """Let the clock jump."""

    def act(_: Path) -> None:
        before = time.time()
        set_clock(days * 86400)
        assert abs(time.time() - before - days * 86400) < 60, "clock.c is not loaded"

    return act


LOAD = ("materialize", "readings", "events", "--partition", date(3))
MAINTAIN = ("maintain", "--yes")
PAIRS = {
    "load-and-load": Pair(SCENARIOS["merge"], LOAD),
    "run-and-load": Pair(SCENARIOS["run"], LOAD),
    "backfill-and-load": Pair(SCENARIOS["backfill"], LOAD),
    "load-and-maintain": Pair(SCENARIOS["merge"], MAINTAIN, OLD, time_passes),
    "load-and-maintain-back": Pair(SCENARIOS["merge"], MAINTAIN, OLD, files_look_old),
    "run-and-maintain": Pair(SCENARIOS["run"], MAINTAIN, OLD, time_passes),
    "maintain-and-load": Pair(SCENARIOS["maintain"], LOAD),
    "replay-and-load": Pair(SCENARIOS["replay"], LOAD),
    **{
        f"{name}-{way}": Pair(SCENARIOS[scenario], change=jump(days))
        for name, scenario in (("load", "merge"), ("run", "run"), ("backfill", "backfill"), ("maintain", "maintain"))
        for way, days in (("later", 2), ("earlier", -2))
    },
    "load-later-and-maintain": Pair(SCENARIOS["merge"], MAINTAIN, OLD, jump(2)),
    "load-earlier-and-maintain": Pair(SCENARIOS["merge"], MAINTAIN, OLD, jump(-2)),
}
