"""The process beside a command that records its run in Dagster: ``python -m phlo.orchestration.recorder``.

It imports Dagster while the command imports what it needs, is told what the project declares, and then follows the
command's journals. Its standard input ends when the command is over, or was killed; a line on its standard output says
what went wrong; whatever else is printed, by a library or a class of the project's settings, goes nowhere.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import sys
from contextlib import suppress


def main() -> int:
    """Record one command's runs."""
    gc.disable()  # imports leave no garbage
    parent, voice = os.getppid(), os.dup(1)
    os.dup2(2, 1)

    def say(message: str) -> None:
        """Tell the command, which shows the first line of what it is told."""
        line = message.partition("\n")[0].removeprefix("warning: ")
        with suppress(BrokenPipeError):  # it was killed
            os.write(voice, f"{line}\n".encode(errors="replace"))

    try:
        from phlo.orchestration.following import follow

        follow(pickle.load(sys.stdin.buffer), lambda seconds: _is_over(parent, seconds), say)
    except EOFError:  # there was nothing to run
        return 0
    except Exception as error:  # noqa: BLE001  a full disk, another Dagster: a line of warning, and never the run's end
        say(f"{type(error).__name__}: {error}")
        return 1
    return 0


def _is_over(parent: int, seconds: float) -> bool:
    """Wait so long for the command's end; a process that it left behind may hold the pipe open."""
    return bool(select.select([sys.stdin.fileno()], [], [], seconds)[0]) or os.getppid() != parent


if __name__ == "__main__":
    os._exit(main())  # the command waits, and there is nothing to tidy up
