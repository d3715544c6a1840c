"""Work side by side: in order, as wide as asked, and no longer than it is wanted."""

from __future__ import annotations

import threading

import pytest

from phlo.load.threads import side_by_side


@pytest.mark.parametrize("workers", [0, 1, 2, 8])
def test_every_task_is_begun_in_order(workers: int) -> None:
    begun: list[int] = []
    done = threading.Semaphore(0)

    def task(number: int) -> None:
        begun.append(number)
        done.release()

    with side_by_side([lambda n=n: task(n) for n in range(5)], workers):  # type: ignore[misc]
        for _ in range(5):
            assert done.acquire(timeout=10)
    assert sorted(begun) == [0, 1, 2, 3, 4]
    assert workers > 1 or begun == [0, 1, 2, 3, 4]


def test_as_many_run_at_once_as_there_are_workers() -> None:
    meet = threading.Barrier(4, timeout=10)
    with side_by_side([lambda: void(meet.wait())] * 3, workers=3):
        meet.wait()


def test_what_has_not_begun_when_the_block_ends_never_does() -> None:
    begun, go = threading.Event(), threading.Event()
    others: list[int] = []
    before = set(threading.enumerate())

    def first() -> None:
        begun.set()
        go.wait(10)

    with side_by_side([first, *(lambda n=n: others.append(n) for n in range(5))], workers=1):  # type: ignore[misc]
        assert begun.wait(10)
        (thread,) = [each for each in set(threading.enumerate()) - before if each.name == "extract-0"]
    go.set()
    thread.join(10)
    assert others == []


def test_threads_do_not_keep_the_process_from_ending() -> None:
    release = threading.Event()
    with side_by_side([lambda: void(release.wait(10))], workers=2):
        named = [thread for thread in threading.enumerate() if thread.name.startswith("extract-")]
        assert named
        assert all(thread.daemon for thread in named)
        release.set()


def void(_: object) -> None:
    """Leave a value."""
