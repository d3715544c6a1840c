"""How far a server has read the journals, so that a command beside it need not: a locked file with a time in it.

The lock is held by the server that reads, and goes with it; the time is that of its last look which came to its end.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from phlo.project import Project

DIGITS = 20
PAUSE_SECONDS = 0.05


@contextmanager
def reading(project: Project) -> Iterator[Callable[[int], None]]:
    """Be the one that reads while the block runs; what it yields notes when a look began, in nanoseconds."""
    file = _file(project)
    file.parent.mkdir(exist_ok=True)
    file.touch()
    with file.open("r+") as noted:
        fcntl.flock(noted, fcntl.LOCK_EX)

        def note(began: int) -> None:
            text = f"{began:0{DIGITS}}"
            noted.seek(0)
            if noted.read() != text:  # a server with nothing to read leaves the disk alone
                noted.seek(0)
                noted.write(text)
                noted.flush()

        yield note


def is_read(project: Project) -> bool:
    """Whether a server reads the project's journals all the time."""
    try:
        with _file(project).open() as noted:
            fcntl.flock(noted, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it is not ours to look at
        return False
    return False


def is_seen(project: Project, moment: int, patience: float) -> bool:
    """Wait until a server has looked since a moment; false when none does, or it takes too long."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends and is_read(project):
        if int(_file(project).read_text() or 0) >= moment:
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _file(project: Project) -> Path:
    return project.state / "dagster" / "journals.read"
