"""The file that Dagster loads, each time anew, as the project's code location."""

from __future__ import annotations

from dagster import Definitions, definitions

from phlo.errors import PhloError
from phlo.orchestration import place
from phlo.orchestration.definitions import counted
from phlo.orchestration.definitions import definitions as declared
from phlo.profiles import open_lake


@definitions
def defs() -> Definitions:
    """Read the project as its files are now; what can't be read is left out, and said."""
    lake = open_lake(place.this_project())
    try:
        made = declared(lake)
    except PhloError as error:
        place.note("The project can not be read:", [error])
        raise
    place.note(counted(lake, made), list(lake.workflows.failures))
    return made
