"""The dbt adapter ``type: phlo``: queries run on the engine, materializations write Iceberg tables on the run's ref.

``plugin`` is what dbt is given; ``dbt.adapters.phlo``, where dbt looks for it, hands in how a lake is opened and how
a ref is checked.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from dbt.adapters.base import AdapterPlugin

from phlo.transform.adapter.connections import PhloCredentials
from phlo.transform.adapter.impl import PhloAdapter

if TYPE_CHECKING:
    from phlo.transform.adapter.byhand import Check, OpenLake


def plugin(open_lake: OpenLake, check: Check) -> AdapterPlugin:
    """Describe the adapter to dbt: its classes, its macros, and dbt-trino's macros as those it falls back on."""
    # Its client says on import, through logging, that an optional package is missing: nothing to a user of Phlo.
    logging.getLogger("trino.auth").setLevel(logging.WARNING)
    from dbt.adapters.trino.column import TrinoColumn

    PhloAdapter.Column = TrinoColumn
    PhloAdapter.open_lake = staticmethod(open_lake)
    PhloAdapter.check = staticmethod(check)
    return AdapterPlugin(
        adapter=PhloAdapter,
        credentials=PhloCredentials,
        include_path=str(Path(__file__).parent),
        project_name="dbt_phlo",
        dependencies=["trino"],
    )
