"""Kills a Phlo process at the Nth call of one of its own functions; Python imports this by its name at start-up.

``KILL_AT=N`` sends SIGKILL at the Nth call, ``COUNT_TO=FILE`` writes how many calls there were at the end.
"""

from __future__ import annotations

import atexit
import itertools
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

AT = int(os.environ.get("KILL_AT", "0"))
COUNT_TO = os.environ.get("COUNT_TO")
calls = itertools.count(1)
last = 0


def profile(frame: Any, event: str, _: Any) -> None:
    """Count calls into Phlo."""
    global last
    if event == "call" and f"{os.sep}phlo{os.sep}" in frame.f_code.co_filename:
        last = next(calls)
        if last == AT:
            os.kill(os.getpid(), signal.SIGKILL)


if AT or COUNT_TO:
    threading.setprofile(profile)
    sys.setprofile(profile)
if COUNT_TO:
    atexit.register(lambda: Path(COUNT_TO).write_text(str(last)))
