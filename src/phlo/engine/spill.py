"""Where DuckDB puts what memory does not hold: a folder of its own, in the state of a project that can be written."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from pathlib import Path


def spill_folder(temp: Path) -> Path:
    """Name a folder below ``temp`` for one DuckDB alone, which makes it when it spills; those of the dead are removed.

    A project that can only be read has none: then it is below the system's folder for temporary files.
    """
    with suppress(OSError):
        temp.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(temp, os.W_OK):
        temp = Path(tempfile.mkdtemp(prefix="phlo-"))
        atexit.register(shutil.rmtree, temp, ignore_errors=True)
    for folder in temp.iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    return temp / f"{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
