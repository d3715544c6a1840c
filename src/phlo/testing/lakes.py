"""Lakes that are thrown away: the project's code and settings, with a state, catalog and warehouse of their own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from phlo.declarations import SilentReporter, parse_partition, today
from phlo.errors import UnknownAsset, nearest
from phlo.profiles import Lake, open_lake
from phlo.project import Project, find_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from phlo.config import Settings
    from phlo.declarations import Ingestion
    from phlo.pipeline import Run


@contextmanager
def temporary_lake(project: Project | str | Path | None = None) -> Iterator[Lake]:
    """Open an empty lake in a temporary folder: of a project (its folder, or a folder in it), or of none.

    The project's settings hold, but for where things are kept: whatever they or the environment say of ``state``,
    ``catalog_uri`` and ``warehouse``, this lake is in the temporary folder.

    >>> with temporary_lake() as lake:
    ...     lake.query("SELECT 7 / 2 AS half").to_pylist()
    [{'half': 3}]
    """
    with TemporaryDirectory(prefix="phlo-") as folder:
        root = Path(folder)
        found = project if isinstance(project, Project) else find_project(project) if project else Project(root, "test")
        yield open_lake(TemporaryProject(found.root, found.name, found.installed, folder=root / "state"))


def materialize(
    lake: Lake,
    *assets: str,
    partition_date: str | Sequence[str] = (),
    rows: Mapping[str, Any] | None = None,
) -> Run:
    """Run assets of the lake's project (all, without a name) from their sources to the publish; default: today, UTC.

    ``rows`` stands in for sources: table names to what each day delivers (dicts or an Arrow table), or to a function
    of ``partition_date``. Names are written as on the command line, ``+name`` and ``name+`` too. Returns the run with
    its ``loads``, ``transformed`` and ``checks``; raises what the command would show, such as ``ChecksFailed``.
    """
    from phlo.pipeline import execute
    from phlo.plan import make_plan

    for failure in lake.workflows.causes:
        raise failure
    given = dict(rows or {})
    for name in given:
        if name not in lake.workflows.ingestions:
            raise UnknownAsset(name=name, nearest=nearest(name, lake.workflows.ingestions))
    days = [partition_date] if isinstance(partition_date, str) else partition_date
    plan = make_plan(lake, assets, [parse_partition(day) for day in days] or [today()])
    ingestions = tuple(
        delivering(each, given[each.table_name]) if each.table_name in given else each for each in plan.ingestions
    )
    return execute(lake, replace(plan, ingestions=ingestions), SilentReporter())


def delivering(ingestion: Ingestion, rows: Any) -> Ingestion:
    """Let an ingestion deliver these rows instead of its source's."""
    deliver: Callable[..., Any] = rows if callable(rows) else lambda **_: rows
    return replace(ingestion, function=deliver)


@dataclass(frozen=True)
class TemporaryProject(Project):
    """A project whose state, catalog and warehouse are in a folder of their own."""

    folder: Path = field(kw_only=True)

    @cached_property
    def settings(self) -> Settings:
        """The project's settings, but for where things are kept."""
        from phlo.config import read_settings

        own = {"state": str(self.folder), "catalog_uri": "", "warehouse": ""}
        return read_settings(self.root).model_copy(update=own)
