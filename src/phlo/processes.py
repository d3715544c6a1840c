"""Names processes so that one is never taken for another: numbers are used again, and containers have their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def process(pid: int) -> str:
    """Name a process so that a later one with its number, or one in another container, has another name."""
    return f"{namespace()} {_started(pid)}"


def namespace() -> str:
    """Name the space in which process numbers count: another container has its own."""
    link = Path("/proc/self/ns/pid")
    return str(link.readlink()) if link.is_symlink() else "-"


def _started(pid: int) -> str:
    """When a process started: ticks since a boot on Linux, a date elsewhere; empty if there is none."""
    if sys.platform != "linux":
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "" if state in "ZX" else f"{boot}/{fields[18]}"
