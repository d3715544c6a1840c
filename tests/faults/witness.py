"""Asks strace, which knows nothing of ``steps.py``, what a process changes below a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

READING = {
    "access", "chdir", "close", "close_range", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_wait", "eventfd2", "execve", "faccessat", "faccessat2", "fadvise64", "fchdir", "fcntl", "flock", "fstat",
    "fstatfs", "getcwd", "getdents64", "inotify_add_watch", "inotify_init1", "ioctl", "lseek", "lstat", "memfd_create",
    "newfstatat", "pipe2", "poll", "ppoll", "pread64", "preadv", "preadv2", "pselect6", "read", "readlink",
    "readlinkat", "readv", "select", "stat", "statfs", "statx", "getxattr", "lgetxattr", "readahead",
}  # fmt: skip
"""Calls on files that change none; every other one that names a file below the folder is a step."""

CALL = re.compile(r"(\w+)\((.*)\)\s+= ")
DESCRIPTOR = re.compile(r"(?:AT_FDCWD|\d+)<(.*?)>(?:, \"(.*?)\")?")
QUOTED = re.compile(r"\"(.*?)\"")
SECOND = {"link", "symlink"}
"""Calls whose second path is the one that is made."""


class Witness:
    """One strace, attached to a process before it begins."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._strace: subprocess.Popen[str] | None = None

    def attach(self, pid: int) -> None:
        """Watch a process, and the threads and children it will have, until it is gone."""
        if shutil.which("strace") is None:
            return
        command = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=%file,%desc,io_uring_enter", "-o", str(self.log)]
        self._strace = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr is not None
        if "attached" not in self._strace.stderr.readline():
            self._strace.communicate()
            self._strace = None

    def steps(self, below: Path) -> list[tuple[str, str]] | None:
        """The calls that it saw, and the paths they changed; None where there is no strace, or it may not watch."""
        if self._strace is None:
            return None
        self._strace.communicate()
        found = (_step(line) for line in _whole(self.log.read_text(errors="replace").splitlines()))
        return [step for step in found if step is not None and Path(step[1]).is_relative_to(below)]


def _whole(lines: list[str]) -> Iterator[str]:
    """Put together what other threads have interrupted."""
    begun: dict[str, str] = {}
    for line in lines:
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        yield begun.pop(pid, "") + resumed[1] if resumed else rest


def _step(line: str) -> tuple[str, str] | None:
    found = CALL.match(line)
    if found is None or found[1] in READING:
        return None
    call, arguments = found[1], found[2]
    if call in {"open", "openat"} and not re.search("O_CREAT|O_TRUNC", arguments):
        return None
    if call == "mmap" and not ("PROT_WRITE" in arguments and "MAP_SHARED" in arguments):
        return None
    return call, _path(call, arguments)


def _path(call: str, arguments: str) -> str:
    named = list(DESCRIPTOR.finditer(arguments))
    if named:
        folder, name = named[-1 if call in {"linkat", "copy_file_range"} else 0].groups()
        return os.path.normpath(Path(folder) / (name if name and re.search("at2?$", call) else ""))
    quoted = QUOTED.findall(arguments)
    return str(quoted[1 if call in SECOND else 0]) if quoted else ""
