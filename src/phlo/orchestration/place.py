"""Where the project is, for code that Dagster calls with nothing; and what was found there last."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from phlo.project import find_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.errors import PhloError
    from phlo.project import Project

VARIABLE = "PHLO_DEV_PROJECT"
"""Set by ``phlo dev`` for itself and the processes below it: the project's folder, or its name."""

_found: list[str] = []
_say: Callable[[str], None] | None = None


def this_project() -> Project:
    """Find the project of this process."""
    return find_project(os.environ.get(VARIABLE))


def one_process(say: Callable[[str], None]) -> None:
    """Keep in mind that ``phlo dev`` serves everything in this process, and how it tells its user something."""
    global _say
    _say = say


def voice() -> Callable[[str], None] | None:
    """How ``phlo dev`` tells its user something, where it serves in this process."""
    return _say


def note(text: str, failures: list[PhloError]) -> None:
    """Keep what the project was found to have, and what of it could not be read."""
    _found[:] = [text, *(f"error[{each.code}]: {each}\nhint: {each.next_step}" for each in failures)]


def found() -> str:
    """Say what was found last."""
    return "\n".join(_found)
