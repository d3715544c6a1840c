"""Lets Ctrl-C stop a statement of DuckDB's at once.

While DuckDB works, Python's main thread stands in it and runs no signal handler: a Ctrl-C would wait for the end of
the statement. Here the statement runs in a thread of its own and the main thread waits for it, where signals reach it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_AGAIN = 0.05  # DuckDB takes no notice of an interrupt between two statements, so it is told until it has


class Interruptible(Protocol):
    """What can be told to stop: a DuckDB connection."""

    def interrupt(self) -> None:
        """Stop the statement that runs now."""


def stoppable(con: Interruptible, work: Callable[[], T]) -> T:
    """Do work on a connection; an exception that a signal's handler raises meanwhile stops it and comes out.

    Outside the main thread, where no signals arrive, this is ``work()``.

    >>> class Connection:
    ...     def interrupt(self): ...
    >>> stoppable(Connection(), lambda: 6 * 7)
    42
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    done, outcome = threading.Event(), _Outcome[T]()
    threading.Thread(target=outcome.take, args=(work, done), name="phlo-statement", daemon=True).start()
    stopped: BaseException | None = None
    while not done.is_set():
        try:
            done.wait(_AGAIN if stopped else None)
            if stopped:
                con.interrupt()
        except BaseException as raised:  # noqa: BLE001 - whatever a signal's handler raises; it comes out below
            stopped = stopped or raised
            con.interrupt()
    if stopped:
        raise stopped
    return outcome.value()


class StoppableConnection:
    """A DuckDB connection whose ``execute`` can be stopped; the rest of it is the connection's own."""

    def __init__(self, con: Any) -> None:
        self._con = con

    def execute(self, query: str, parameters: object = None) -> Any:
        """Run a statement, as the connection would."""
        return stoppable(self._con, lambda: self._con.execute(query, parameters))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def __enter__(self) -> StoppableConnection:
        self._con.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._con.__exit__(*error)


class _Outcome(Generic[T]):
    """What came of work in another thread."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._error: BaseException | None = None

    def take(self, work: Callable[[], T], done: threading.Event) -> None:
        try:
            self._values.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            self._error = error
        finally:
            done.set()

    def value(self) -> T:
        if self._error:
            raise self._error
        return self._values[0]
