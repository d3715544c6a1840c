"""What a run will do: names and days in, a ``Plan`` of ingestions, models and checks out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phlo.declarations import RAW, parse_partition, today
from phlo.errors import InvalidRange, UnknownAsset, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phlo.declarations import Ingestion, Quality
    from phlo.profiles import Lake
    from phlo.transform.models import Model


@dataclass(frozen=True)
class Plan:
    """The ingestions, days, models and checks of one run."""

    selection: str
    partitions: tuple[dt.date, ...]
    ingestions: tuple[Ingestion, ...] = ()
    models: tuple[Model, ...] = ()
    qualities: tuple[Quality, ...] = ()
    done: frozenset[tuple[str, dt.date]] = frozenset()
    """Tables and days that need no load: a backfill fills gaps."""
    full_refresh: bool = False
    """Whether incremental models are made from all rows, not from what is new to them."""

    @property
    def writes(self) -> tuple[str, ...]:
        """Every table that the run may write, and so leases."""
        raw = [name for ingestion in self.ingestions for name in (ingestion.table, ingestion.rejected_table)]
        return (*raw, *(model.table for model in self.models))

    @property
    def loads(self) -> tuple[tuple[Ingestion, dt.date | None], ...]:
        """Each ingestion with each of its partitions, in ascending order; None for a table without partitions."""
        return tuple(
            (ingestion, day)
            for ingestion in self.ingestions
            for day in (self.partitions if ingestion.partitioned else (None,))
            if day is None or (ingestion.table, day) not in self.done
        )

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The days that something is loaded of."""
        return tuple(sorted({day for _, day in self.loads if day is not None}))


@dataclass(frozen=True)
class Selector:
    """One name on the command line, with dbt's plus signs."""

    name: str
    parents: bool
    children: bool

    @classmethod
    def read(cls, text: str) -> Selector:
        """Read ``+name``, ``name+`` or ``+name+``.

        >>> Selector.read("+fct_glucose_readings")
        Selector(name='fct_glucose_readings', parents=True, children=False)
        """
        return cls(text.strip("+"), text.startswith("+"), text.endswith("+"))


def make_plan(lake: Lake, names: Sequence[str], partitions: Sequence[dt.date] = ()) -> Plan:
    """Plan a run of these assets (all, without a name) over these days (today, without a day).

    dbt's graph is read only when a name is not an ingestion or asks for its neighbours: it costs seconds.
    """
    days = tuple(sorted(set(partitions))) or (today(),)
    ingestions = lake.workflows.ingestions
    selectors = [Selector.read(name) for name in names]
    plain = {selector.name.removeprefix(f"{RAW}.") for selector in selectors}
    if names and plain <= ingestions.keys() and not any(s.parents or s.children for s in selectors):
        chosen, models = {f"{RAW}.{name}" for name in plain}, []
    else:
        models = _models(lake)
        chosen = _select(selectors, models, ingestions) if names else {*_raw(ingestions), *(m.table for m in models)}
    return Plan(
        selection=" ".join(names) or "everything",
        partitions=days,
        ingestions=tuple(ingestion for ingestion in ingestions.values() if ingestion.table in chosen),
        models=tuple(model for model in models if model.table in chosen),
        qualities=tuple(q for q in lake.workflows.qualities if not names or q.table in chosen),
    )


def select_plan(
    lake: Lake, select: Sequence[str], exclude: Sequence[str] = (), partitions: Sequence[dt.date] = ()
) -> Plan:
    """Plan a run of what dbt's selectors mean: models, and the ingestions of the sources among them.

    Raises ``NothingSelected``, and ``DbtStopped`` for a selector that dbt does not know.
    """
    from phlo.transform.select import selected_tables

    chosen = selected_tables(lake.project, select, exclude, lake.workflows.ingestions)
    told = [f"--select {' '.join(select)}"] if select else []
    return Plan(
        selection=" ".join(told + ([f"--exclude {' '.join(exclude)}"] if exclude else [])),
        partitions=tuple(sorted(set(partitions))) or (today(),),
        ingestions=tuple(each for each in lake.workflows.ingestions.values() if each.table in chosen),
        models=tuple(model for model in _models(lake) if model.table in chosen),
        qualities=tuple(quality for quality in lake.workflows.qualities if quality.table in chosen),
    )


def days_between(start: str, end: str) -> tuple[dt.date, ...]:
    """List the UTC days from start to end, both included; raise ``InvalidRange`` when the end comes first."""
    first, last = parse_partition(start), parse_partition(end)
    if last < first:
        raise InvalidRange(start=first, end=last)
    return tuple(first + dt.timedelta(days=i) for i in range((last - first).days + 1))


def first_day(lake: Lake, plan: Plan) -> dt.date | None:
    """Find the day on which the plan's ingestions begin: the earliest ``partition_start``, else ``start_date``."""
    starts = [ingestion.partition_start for ingestion in plan.ingestions if ingestion.partition_start]
    return min(starts, default=lake.project.settings.start_date)


def _models(lake: Lake) -> list[Model]:
    from phlo.transform.models import graph

    return graph(lake.project)


def _raw(ingestions: Iterable[str]) -> list[str]:
    return [f"{RAW}.{name}" for name in ingestions]


def _select(selectors: Sequence[Selector], models: Sequence[Model], ingestions: Iterable[str]) -> set[str]:
    parents = {model.table: set(model.parents) for model in models} | {table: set() for table in _raw(ingestions)}
    children: dict[str, set[str]] = {}
    for table, above in parents.items():
        for parent in above:
            children.setdefault(parent, set()).add(table)
    chosen: set[str] = set()
    for selector in selectors:
        table = _find(selector.name, parents)
        chosen.add(table)
        chosen |= _reach(table, parents) if selector.parents else set()
        chosen |= _reach(table, children) if selector.children else set()
    return chosen


def _find(name: str, tables: Iterable[str]) -> str:
    """Find an asset by its full or its short name."""
    short: dict[str, str] = {}
    for table in tables:
        short.setdefault(table.split(".", 1)[1], table)
        short[table] = table
    if name not in short:
        raise UnknownAsset(name=name, nearest=nearest(name, (key for key in short if "." not in key)))
    return short[name]


def _reach(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for table in edges.get(waiting.pop(), ()):
            if table not in found:
                found.add(table)
                waiting.append(table)
    return found
