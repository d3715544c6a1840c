"""The file that Dagster loads, each time anew, as the project's code location."""

from __future__ import annotations

from dagster import Definitions, definitions

from phlo.orchestration.place import this_project
from phlo.profiles import open_lake


@definitions
def defs() -> Definitions:
    """Read the project as its files are now."""
    from phlo.orchestration.definitions import definitions as declared

    return declared(open_lake(this_project()))
