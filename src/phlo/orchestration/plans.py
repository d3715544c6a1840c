"""What a Dagster run asks for, as the pipeline's ``Plan``; and how the two name the same run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phlo.declarations import RAW, parse_partition, today
from phlo.errors import ParentRefGone
from phlo.orchestration.keys import table_of
from phlo.orchestration.tags import PARTITION_TAG, RANGE_TAGS, REF_TAG, RESUMED_TAGS, RUN_TAG, marks
from phlo.plan import Plan, days_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dagster import AssetKey, DagsterInstance, DagsterRun

    from phlo.profiles import Lake
    from phlo.transform.models import Model


@dataclass(frozen=True)
class Project:
    """A lake with its models, which are read once."""

    lake: Lake
    models: tuple[Model, ...]


def plan_of(project: Project, keys: Iterable[AssetKey], run: DagsterRun) -> Plan:
    """Plan what a run of these assets does: their ingestions, models and checks, over the days of its tags."""
    tables = {table_of(key) for key in keys}
    workflows = project.lake.workflows
    known = {*(f"{RAW}.{name}" for name in workflows.ingestions), *(model.table for model in project.models)}
    everything = known <= tables
    return Plan(
        selection="everything" if everything else " ".join(sorted(table.removeprefix(f"{RAW}.") for table in tables)),
        partitions=days_of(run),
        ingestions=tuple(each for each in workflows.ingestions.values() if each.table in tables),
        models=tuple(model for model in project.models if model.table in tables),
        qualities=tuple(each for each in workflows.qualities if everything or each.table in tables),
    )


def days_of(run: DagsterRun) -> tuple[dt.date, ...]:
    """Read the days off a run's tags; today where it has none, for tables without partitions."""
    start, end = (run.tags.get(tag) for tag in RANGE_TAGS)
    if start and end:
        return days_between(start, end)
    day = run.tags.get(PARTITION_TAG)
    return (parse_partition(day),) if day else (today(),)


def run_id_of(instance: DagsterInstance, run: DagsterRun) -> str:
    """Name the pipeline's run of a Dagster run: like every run by the time it was made, and so in the same order."""
    if RUN_TAG in marks(run):
        return marks(run)[RUN_TAG]
    record = instance.get_run_record_by_id(run.run_id)
    made = record.create_timestamp if record else dt.datetime.now(dt.UTC)
    return f"{made.astimezone(dt.UTC):%Y%m%d-%H%M%S}-{run.run_id.split('-')[0]}"


def resumed(instance: DagsterInstance, run: DagsterRun, *, partial: bool) -> list[DagsterRun]:
    """List the runs whose ref this one goes on with, the nearest first: those it repeats ``partial`` steps of.

    Raises ``ParentRefGone`` when one of them is not in the instance any more.
    """
    found: list[DagsterRun] = []
    partial = partial or any(tag in run.tags for tag in RESUMED_TAGS)
    while partial and run.parent_run_id:
        parent = instance.get_run_by_id(run.parent_run_id)
        if parent is None:
            raise ParentRefGone(run=run.parent_run_id)
        if RUN_TAG not in marks(parent):
            break  # it failed before it had a ref
        found.append(parent)
        partial = parent.tags.get(REF_TAG) != f"run-{parent.tags[RUN_TAG]}"
        run = parent
    return found


def assets_of(run: DagsterRun, everything: Iterable[AssetKey]) -> set[AssetKey]:
    """The assets that a run asked for; all of its job's where it names none."""
    return set(run.asset_selection or everything)


def together(plans: Sequence[Plan]) -> Plan:
    """Join the plans of a run and of those that it resumes, the first of them first."""
    first = plans[0]
    return Plan(
        selection=first.selection,
        partitions=first.partitions,
        ingestions=tuple(dict.fromkeys(each for plan in plans for each in plan.ingestions)),
        models=_models(plans),
        qualities=_qualities(plans),
    )


def _models(plans: Sequence[Plan]) -> tuple[Model, ...]:
    return tuple({model.table: model for plan in plans for model in plan.models}.values())


def _qualities(plans: Sequence[Plan]) -> tuple:  # type: ignore[type-arg]
    return tuple({id(each): each for plan in plans for each in plan.qualities}.values())
