"""Extracts side by side in threads that Ctrl-C need not wait for: a source may keep one for a minute."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")


def side_by_side(tasks: Sequence[Callable[[], Result]], workers: int) -> Iterator[Result]:
    """Run tasks in so many threads and yield their results in order; one that raises stops those not yet begun.

    With one worker they run in the calling thread. More are daemon threads, unlike those of ``concurrent.futures``,
    which the interpreter joins before it exits.

    >>> list(side_by_side([lambda: 1, lambda: 2], workers=2))
    [1, 2]
    """
    if workers <= 1:
        for task in tasks:
            yield task()
        return
    futures: list[Future[Result]] = [Future() for _ in tasks]
    waiting: queue.SimpleQueue[tuple[Callable[[], Result], Future[Result]]] = queue.SimpleQueue()
    for pair in zip(tasks, futures, strict=True):
        waiting.put(pair)
    stopped = threading.Event()
    for number in range(min(workers, len(tasks))):
        name = f"extract-{number}"
        threading.Thread(target=_work, args=(waiting, stopped), name=name, daemon=True).start()
    try:
        for future in futures:
            yield future.result()
    finally:
        stopped.set()


def _work(waiting: queue.SimpleQueue[tuple[Callable[[], Result], Future[Result]]], stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            task, future = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            future.set_result(task())
        except BaseException as error:  # noqa: BLE001  whoever waits for the result gets it
            future.set_exception(error)
