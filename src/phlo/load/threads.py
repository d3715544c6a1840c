"""Works side by side in threads that Ctrl-C need not wait for: a source may keep one for a minute."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@contextmanager
def side_by_side(tasks: Sequence[Callable[[], None]], workers: int) -> Iterator[None]:
    """Run tasks, which may not raise, in so many threads while the block runs; its end stops those not yet begun.

    They are daemon threads, unlike those of ``concurrent.futures``, which the interpreter joins before it exits.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    stopped = threading.Event()
    for number in range(min(max(workers, 1), len(tasks))):
        threading.Thread(target=_work, args=(waiting, stopped), name=f"extract-{number}", daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


def _work(waiting: queue.SimpleQueue[Callable[[], None]], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            task = waiting.get_nowait()
        except queue.Empty:
            return
        task()
