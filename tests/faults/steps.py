"""Stops a real process at its Nth change to the files below a folder: killed there, or told that the disk is full.

The kernel itself holds the process at each system call that changes files (seccomp's user notification), whichever
library makes it and in whichever thread, until this module has said what becomes of it. So nothing is left to timing:
a process that is killed at its 12th step has done eleven, whole.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import os
import platform
import select
import signal
import socket
import struct
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

Kind = Literal["kill", "full", "short"]


@dataclass(frozen=True)
class Fault:
    """What becomes of a process at one of its steps."""

    kind: Kind
    """``kill`` before the step; the disk is ``full`` from the step on, or, ``short``, for this step alone."""
    at: int
    """The number of the step, from 1."""


@dataclass(frozen=True)
class Step:
    """One change to a file or a folder."""

    call: str
    path: str


@dataclass(frozen=True)
class Outcome:
    """What a process left behind."""

    code: int
    """Its exit code; minus the signal that killed it."""
    out: str
    err: str
    steps: tuple[Step, ...]
    """What it did, the last of them perhaps not."""


@dataclass(frozen=True)
class Held:
    """A process that waits for its step; no thread of it changes a file meanwhile."""

    number: int
    step: Step
    half: tuple[int, bytes] | None
    """Where a write begins in its file, and the first half of what it writes; None for other steps."""


def forked(
    work: Callable[[], int],
    below: Path,
    fault: Fault | None = None,
    on_fork: Callable[[int], None] = lambda _: None,
    on_step: Callable[[Held], None] | None = None,
) -> Outcome:
    """Do ``work`` in a forked child, which leaves by SystemExit with its result; return what the parent saw.

    ``on_fork`` is told the child's id before it begins, ``on_step`` of each step before it is done. Nothing of the
    caller's may stand in the child's way out: no ``finally``, no context manager.
    """
    gc.collect()
    gc.freeze()  # or each child copies all of the parent's memory when it ends, to look for garbage in it
    parent, child = socket.socketpair()
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  a child must not close them
    pid = os.fork()
    if not pid:
        os.setsid()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        listener = _listen()
        socket.send_fds(child, [b"-"], [listener])
        os.close(listener)
        child.recv(1)
        sys.exit(work())
    child.close()
    listener = socket.recv_fds(parent, 1, 1)[1][0]
    on_fork(pid)
    parent.send(b"-")
    steps = _Watch(listener, pid, str(below), fault, on_step).to_the_end()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    parent.close()
    os.close(listener)
    return Outcome(code, _content(out), _content(err), steps)


def why_not() -> str:
    """Why no process can be stopped here; empty where one can."""
    if sys.platform != "linux" or platform.machine() not in NUMBERS:
        return "stopping a process at its system calls takes Linux on x86-64 or arm64"
    pid = os.fork()
    if not pid:
        try:
            _listen()
        except OSError:
            os._exit(1)
        os._exit(0)
    refused = os.waitpid(pid, 0)[1]
    return "the kernel refuses seccomp's user notification" if refused else ""


# ── what of a process is held ────────────────────────────────────────────────────────────────────────────────────

NUMBERS = {
    "x86_64": {
        "seccomp": 317, "write": 1, "pwrite64": 18, "writev": 20, "pwritev": 296, "pwritev2": 328, "sendfile": 40,
        "copy_file_range": 326, "open": 2, "creat": 85, "openat": 257, "openat2": 437, "fsync": 74, "fdatasync": 75,
        "rename": 82, "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266,
        "unlink": 87, "unlinkat": 263, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "ftruncate": 77, "truncate": 76,
        "fallocate": 285, "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "fchownat": 260,
        "utimensat": 280, "statfs": 137, "fstatfs": 138,
    },
    "aarch64": {
        "seccomp": 277, "write": 64, "pwrite64": 68, "writev": 66, "pwritev": 70, "pwritev2": 287, "sendfile": 71,
        "copy_file_range": 285, "openat": 56, "openat2": 437, "fsync": 82, "fdatasync": 83, "renameat": 38,
        "renameat2": 276, "linkat": 37, "symlinkat": 36, "unlinkat": 35, "mkdirat": 34, "ftruncate": 46,
        "truncate": 45, "fallocate": 47, "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54, "utimensat": 88,
        "statfs": 43, "fstatfs": 44,
    },
}  # fmt: skip
"""The system calls that change files, by the kernel's numbers."""

BY_DESCRIPTOR = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "fsync", "fdatasync", "ftruncate",
                 "fallocate", "fchmod", "fchown", "fstatfs"}  # fmt: skip
BY_PATH = {"open": 0, "creat": 0, "rename": 0, "link": 1, "symlink": 1, "unlink": 0, "mkdir": 0, "rmdir": 0,
           "truncate": 0, "chmod": 0, "chown": 0, "statfs": 0}  # fmt: skip
BY_FOLDER = {"openat": 0, "openat2": 0, "mkdirat": 0, "unlinkat": 0, "fchmodat": 0, "fchownat": 0, "utimensat": 0,
             "renameat": 0, "renameat2": 0, "linkat": 2, "symlinkat": 1}  # fmt: skip
"""Which argument is the descriptor of a folder; the path follows it."""

TORN = ("write", "pwrite64")
"""Steps that may be done by half."""

ROOMLESS = {"unlink", "unlinkat", "rmdir", "ftruncate", "truncate", "chmod", "fchmod", "fchmodat", "chown", "fchown",
            "fchownat", "utimensat"}  # fmt: skip
"""Steps that a full disk lets pass: a file that is only cut, or made longer with nothing in it, takes no room."""

MAKING = {"open", "creat", "openat", "openat2", "mkdir", "mkdirat"}
"""Steps that take no room where there is something already."""

ROOM = {"statfs", "fstatfs"}
"""Calls that ask how much room there is: no steps, but a full disk has to say so."""

OPENING = {"open": 1, "openat": 2}
"""Which argument has the flags; without those that make or empty a file, opening changes nothing."""

LOAD, EQUALS, HAS, RETURN = 0x20, 0x15, 0x45, 0x06  # instructions of BPF
HOLD, PASS = 0x7FC00000, 0x7FFF0000
NO_NEW_PRIVILEGES, SET_FILTER, NEW_LISTENER, UNINTERRUPTED = 38, 1, 8, 32
RECEIVE, SEND, GO_ON = 0xC0502100, 0xC0182101, 1  # of <linux/seccomp.h>
NOTICE, ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
HERE = -100  # AT_FDCWD


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def _listen() -> int:
    """Have this process held at each of the calls from now on; return where that is told."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _instructions())
    kept = ctypes.create_string_buffer(code)
    program = _Program(len(code) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    number = NUMBERS[platform.machine()]["seccomp"]
    listener: int = libc.syscall(number, SET_FILTER, NEW_LISTENER | UNINTERRUPTED, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _instructions() -> list[tuple[int, int, int, int]]:
    """The kernel's filter: hold the calls that change files, let the others pass."""
    found = [(LOAD, 0, 0, 0)]  # the call's number
    for name, number in NUMBERS[platform.machine()].items():
        if name == "seccomp":
            continue
        if name in OPENING:
            found += [(EQUALS, 0, 4, number), (LOAD, 0, 0, 16 + 8 * OPENING[name]),
                      (HAS, 0, 1, os.O_CREAT | os.O_TRUNC), (RETURN, 0, 0, HOLD), (RETURN, 0, 0, PASS)]  # fmt: skip
        else:
            found += [(EQUALS, 0, 1, number), (RETURN, 0, 0, HOLD)]
    return [*found, (RETURN, 0, 0, PASS)]


class _Watch:
    """The parent's side: is told of each call, and says whether it goes on."""

    def __init__(
        self, listener: int, pid: int, below: str, fault: Fault | None, on_step: Callable[[Held], None] | None
    ) -> None:
        self.listener, self.pid, self.below, self.fault, self.on_step = listener, pid, below, fault, on_step
        self.names = {number: name for name, number in NUMBERS[platform.machine()].items()}
        self.steps: list[Step] = []

    def to_the_end(self) -> tuple[Step, ...]:
        """Answer until the process, and whatever it started, is gone."""
        waiting = select.poll()
        waiting.register(self.listener, select.POLLIN)
        while waiting.poll()[0][1] & select.POLLIN:
            notice = bytearray(NOTICE.size)
            try:
                fcntl.ioctl(self.listener, RECEIVE, notice)
                ticket, pid, _, number, _, _, *arguments = NOTICE.unpack(notice)
                error = self._decide(pid, self.names[number], arguments)
                done = error is None
                fcntl.ioctl(self.listener, SEND, ANSWER.pack(ticket, 0, -(error or 0), 0 if done or error else GO_ON))
            except OSError as gone:  # killed while it was held
                if gone.errno not in {errno.ENOENT, errno.ESRCH}:
                    raise
        return tuple(self.steps)

    def _decide(self, pid: int, call: str, arguments: list[int]) -> int | None:
        """Note a step; return the error that it ends with, 0 to let it be done, None if it was done here."""
        path = _path(pid, call, arguments)
        if path != self.below and not path.startswith(f"{self.below}/"):
            return 0
        if call in ROOM:
            full = self.fault is not None and self.fault.kind == "full" and len(self.steps) >= self.fault.at
            return _say_full(pid, path, arguments[1]) if full else 0
        self.steps.append(Step(call, path))
        fault, number = self.fault, len(self.steps)
        if self.on_step:
            held = Held(number, self.steps[-1], _half(pid, call, arguments) if call in TORN else None)
            try:
                self.on_step(held)
            except OSError as error:  # not to be taken for the end of the process, which would be held for ever
                raise RuntimeError(f"what was to happen at step {number} failed") from error
        if fault is None or number < fault.at:
            return 0
        if fault.kind == "full" or (fault.kind == "short" and number == fault.at):
            passes = call in ROOMLESS or (call in MAKING and Path(path).exists())
            return 0 if passes else errno.ENOSPC
        if fault.kind == "kill" and number == fault.at:
            os.killpg(self.pid, signal.SIGKILL)
        return 0


def _path(pid: int, call: str, arguments: list[int]) -> str:
    """Which file or folder a call changes; for renames and links what is renamed or made."""
    if call in BY_DESCRIPTOR or call == "copy_file_range":
        descriptor = arguments[2 if call == "copy_file_range" else 0] & 0xFFFFFFFF
        return str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
    folder, place = HERE, BY_PATH.get(call, 0)
    if call in BY_FOLDER:
        place = BY_FOLDER[call] + 1
        folder = ctypes.c_int(arguments[place - 1] & 0xFFFFFFFF).value
    start = Path(f"/proc/{pid}/cwd" if folder == HERE else f"/proc/{pid}/fd/{folder}").readlink()
    return os.path.normpath(start / _text(pid, arguments[place]))


def _text(pid: int, address: int) -> str:
    found = b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        while b"\0" not in found:
            memory.seek(address + len(found))
            found += memory.read(4096 - (address + len(found)) % 4096)  # the next page may not be there
    return os.fsdecode(found.partition(b"\0")[0])


def _half(pid: int, call: str, arguments: list[int]) -> tuple[int, bytes]:
    """Where a write begins, and the first half of it."""
    descriptor, address, size = arguments[0] & 0xFFFFFFFF, arguments[1], arguments[2] // 2
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        memory.seek(address)
        half = memory.read(size)
    if call == "pwrite64":
        return arguments[3], half
    with open(f"/proc/{pid}/fdinfo/{descriptor}") as about:  # noqa: PTH123
        known = dict(line.split(":", 1) for line in about)
    appends = int(known["flags"], 8) & os.O_APPEND
    return os.stat(f"/proc/{pid}/fd/{descriptor}").st_size if appends else int(known["pos"]), half  # noqa: PTH116


def _say_full(pid: int, path: str, address: int) -> None:
    """Answer ``statfs`` in the kernel's place: all as it is, and no room."""
    true = os.statvfs(path)
    sizes = (0, true.f_bsize, true.f_blocks, 0, 0, true.f_files, true.f_ffree, 0, true.f_namemax, true.f_frsize)
    with open(f"/proc/{pid}/mem", "wb", buffering=0) as memory:  # noqa: PTH123
        memory.seek(address)
        memory.write(struct.pack("10q", *sizes))


def _content(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode(errors="replace")
