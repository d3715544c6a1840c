"""Kills a Phlo process in one of its own functions; Python imports this by its name at start-up.

``KILL_IN=publishes.py:_enter`` sends SIGKILL when that function is called.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

FILE, _, FUNCTION = os.environ.get("KILL_IN", "").partition(":")


def profile(frame: Any, event: str, _: Any) -> None:
    """Wait for the function."""
    code = frame.f_code
    if event == "call" and code.co_name == FUNCTION and Path(code.co_filename).name == FILE:
        os.kill(os.getpid(), signal.SIGKILL)


if FUNCTION:
    threading.setprofile(profile)
    sys.setprofile(profile)
