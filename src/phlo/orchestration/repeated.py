"""What the server does again and again while it runs, in a thread that no error ends."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSE_SECONDS = 30
"""How long an error keeps it from being tried again; it is said each time."""


@contextmanager
def repeated(look: Callable[[], object], every: float, say: Callable[[str], None], failing: str) -> Iterator[None]:
    """Call ``look`` every so many seconds while the block runs; ``failing`` says what can not be done meanwhile."""
    stop = threading.Event()

    def keep_looking() -> None:
        while not stop.wait(every):
            try:
                look()
            except Exception as error:  # noqa: BLE001  the disk may be full, a rule wrong: said, and tried again
                say(f"warning: {failing}: {type(error).__name__}: {error}")
                stop.wait(PAUSE_SECONDS)

    thread = threading.Thread(target=keep_looking, name=f"phlo-{look.__name__}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
