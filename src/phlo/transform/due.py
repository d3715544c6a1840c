"""Which data tests can be judged on a ref now: those whose tables are there and are not to be built again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.quality.gate import affected
from phlo.transform.models import data_tests, graph

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from phlo.transform.models import DataTest, Model


def due_tests(lake: Any, ref: str, built: Collection[str]) -> tuple[list[DataTest], list[DataTest]]:
    """List the data tests of what a ref changed: those that can be judged, and those that have to wait.

    ``built`` are the tables that this run makes, or has made. A test waits when a table it reads is not there yet,
    or was made from what has changed meanwhile: a backfill's models come with its last chunk.
    """
    tests = data_tests(lake.project)
    if not tests:
        return [], []
    pin = lake.catalog.pin(ref)
    changed = {*built, *(change.name for change in lake.catalog.diff(ref))}
    changed = affected(changed, pin, lake.project.settings.dialect)
    there, stale = {*pin.tables, *pin.views, *built}, stale_tables(graph(lake.project), changed, built)
    concerned = [test for test in tests if changed.intersection(test.tables)]
    ready = [test for test in concerned if there.issuperset(test.tables) and not stale.intersection(test.tables)]
    return ready, [test for test in concerned if test not in ready]


def stale_tables(models: Sequence[Model], changed: Iterable[str], built: Collection[str]) -> set[str]:
    """Name what models make from changed tables, where the run does not make it again; parents come first."""
    fresh, stale = set(changed), set[str]()
    for model in models:
        if model.table in built:
            continue
        parents = set(model.parents)
        if parents & stale or (parents & fresh and model.materialization != "view"):
            stale.add(model.table)
        elif parents & fresh:
            fresh.add(model.table)
    return stale
