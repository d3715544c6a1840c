"""dbt's selectors: which models, and which sources, a selection such as ``tag:daily+`` or ``+fct_readings`` means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from phlo.errors import NothingSelected
from phlo.transform.models import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phlo.project import Project

KEYS = "resource_type schema alias identifier name"


def selected_tables(
    project: Project, select: Sequence[str], exclude: Sequence[str] = (), ingestions: Iterable[str] = ()
) -> set[str]:
    """Name the tables of the models and sources that dbt selects; each item is what ``dbt --select`` takes.

    Raises ``NothingSelected``, which names ``ingestions``, and ``DbtStopped`` with dbt's words for a selector that it
    does not know.
    """
    from phlo.transform.dbt import list_nodes

    chosen = [word for item in select for word in item.split()]
    left = [word for item in exclude for word in item.split()]
    args = ["--select", *chosen] if chosen else []
    args += ["--exclude", *left] if left else []
    kinds = [argument for kind in (*KINDS, "source") for argument in ("--resource-type", kind)]
    lines = list_nodes(project, *args, *kinds, "--output", "json", "--output-keys", KEYS)
    nodes = [json.loads(line) for line in lines]
    if not nodes:
        selection = " ".join((*chosen, *(f"--exclude {word}" for word in left)))
        raise NothingSelected(selection=selection, ingestions=" ".join(ingestions) or "ASSET")
    return {f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}" for node in nodes}
