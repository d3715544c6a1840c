"""Where the project is, for processes that Dagster starts: it hands over its instance, and no project."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from phlo.project import find_project

if TYPE_CHECKING:
    from phlo.project import Project

VARIABLE = "PHLO_DEV_PROJECT"
"""Set by ``phlo dev`` for itself and the processes below it: the project's folder, or its name."""


def this_project() -> Project:
    """Find the project of this process."""
    return find_project(os.environ.get(VARIABLE))
