"""Extraction side by side: in order, as wide as asked, and stopped by the first failure."""

from __future__ import annotations

import threading
import time

import pytest

from phlo.load.threads import side_by_side


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    def task(number: int) -> int:
        time.sleep(0.01 * (5 - number))
        return number

    assert list(side_by_side([lambda n=n: task(n) for n in range(5)], workers)) == [0, 1, 2, 3, 4]


def test_one_worker_is_the_calling_thread() -> None:
    assert list(side_by_side([threading.current_thread], workers=1)) == [threading.current_thread()]


def test_as_many_run_at_once_as_there_are_workers() -> None:
    meet = threading.Barrier(3, timeout=10)
    assert len(list(side_by_side([meet.wait] * 3, workers=3))) == 3


def test_a_failure_reaches_the_caller_and_stops_what_has_not_begun() -> None:
    begun: list[int] = []

    def task(number: int) -> None:
        begun.append(number)
        time.sleep(0.02)
        raise ValueError(f"task {number}")

    with pytest.raises(ValueError, match="task 0"):
        list(side_by_side([lambda n=n: task(n) for n in range(50)], workers=2))
    time.sleep(0.1)
    assert len(begun) < 10


def test_threads_do_not_keep_the_process_from_ending() -> None:
    release = threading.Event()
    results = side_by_side([lambda: 1, release.wait], workers=2)
    assert next(results) == 1
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("extract-"))
    release.set()
    results.close()
