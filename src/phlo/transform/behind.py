"""Which models are behind: tables they are made from got something that they were not made from yet.

A model is as new as the newest publish of a run that built it, whether or not that changed it; views always show what
their tables have. It is behind, too, where a model between is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from typing import TYPE_CHECKING, Any

from phlo.protocols import MAINTENANCE
from phlo.transform.lineage import built_by, counting
from phlo.transform.models import last_read, model_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from phlo.transform.models import Model

SHOWN = 4
"""More names than these are no command that anybody types: then it is the one that makes all models."""

ALL = "phlo run --exclude 'source:*'"
"""Makes every model, and loads nothing."""


@dataclass(frozen=True, order=True)
class Since:
    """A table, and the first publish that changed it after a model had been built."""

    table: str
    publish: int

    def __str__(self) -> str:
        """Say it.

        >>> str(Since("raw.orders", 7))
        'raw.orders since publish 7'
        """
        return f"{self.table} since publish {self.publish}"


def models_behind(lake: Any) -> dict[str, tuple[Since, ...]]:
    """List the tables of models that are behind on main, each with what it lacks; those never built lack everything.

    The models are those that dbt read last, and nothing is known of a project that it has never read.
    """
    models, _ = last_read(lake.project) or ([], [])
    if not models:
        return {}
    counted = [each for each in counting(lake.catalog.publishes()) if not each.run_id.startswith(MAINTENANCE)]
    changed: dict[str, list[int]] = {}
    for publish in counted:
        for change in publish.changes:
            if change.after is not None:
                changed.setdefault(change.name, []).append(publish.seq)
    built = built_by(lake.project.state, counted)
    newest = {name: max(seqs[0], built.get(name, 0)) for name, seqs in changed.items()}
    return find_behind(models, lake.catalog.pin().views, newest, changed)


def find_behind(
    models: Iterable[Model], views: Collection[str], built: Mapping[str, int], changed: Mapping[str, Iterable[int]]
) -> dict[str, tuple[Since, ...]]:
    """Compare the newest publish that built each model with those that changed tables; parents come first."""
    lacks: dict[str, dict[str, int]] = {}
    shown_by: dict[str, set[str]] = {}
    for model in models:
        tables = {table for parent in model.parents for table in shown_by.get(parent, {parent})}
        found = {table: seq for parent in model.parents for table, seq in lacks.get(parent, {}).items()}
        if model.table in views:
            shown_by[model.table] = {*tables, model.table}
            later = {}
        else:
            newest = built.get(model.table, 0)
            later = {table: [seq for seq in changed.get(table, ()) if seq > newest] for table in tables}
        found |= {table: min(seqs) for table, seqs in later.items() if seqs}
        if found:
            lacks[model.table] = found
    return {name: tuple(starmap(Since, sorted(found.items()))) for name, found in lacks.items() if name not in views}


def catch_up(lake: Any, behind: Collection[str]) -> str:
    """Name the command that makes these models again and loads nothing: the first of them, with what follows."""
    above: dict[str, set[str]] = {}
    for model in (last_read(lake.project) or ([], []))[0]:
        above[model.table] = {*model.parents, *(each for parent in model.parents for each in above.get(parent, ()))}
    first = [name for name in behind if not above[name].intersection(behind)]
    if len(first) > SHOWN:
        return ALL
    followed = {each for name in behind for each in above[name]}
    return "phlo materialize " + " ".join(f"{name}+" if name in followed else name for name in first)


def has_unread_models(lake: Any) -> bool:
    """Whether there are models that dbt has never read, by the look of the files."""
    return last_read(lake.project) is None and bool(model_names(lake.project.dbt))
