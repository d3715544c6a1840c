"""Reads the project again when a file of it changes, and says what came of it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.declarations import relative
from phlo.orchestration import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dagster._core.workspace.context import WorkspaceProcessContext

    from phlo.project import Project

SUFFIXES = (".py", ".sql", ".yml", ".yaml", ".csv", ".toml")
LEFT_OUT = ("target", "logs", "dbt_packages", "__pycache__", ".phlo", ".git", ".venv")


@contextmanager
def refresh_on_change(project: Project, context: WorkspaceProcessContext, say: Callable[[str], None]) -> Iterator[None]:
    """Watch the workflows, the dbt project and the settings; runs that are going are not touched."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(project, context, say, stop), name="phlo-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(timeout=5)


def _watch(
    project: Project, context: WorkspaceProcessContext, say: Callable[[str], None], stop: threading.Event
) -> None:
    from watchfiles import watch

    def counts(_: object, path: str) -> bool:
        parts = Path(relative(path, project.root)).parts
        return path.endswith(SUFFIXES) and not set(LEFT_OUT) & set(parts)

    for changes in watch(project.root, watch_filter=counts, stop_event=stop, debounce=400, rust_timeout=500):
        names = sorted({relative(path, project.root) for _, path in changes})
        say(f"Changed: {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}; reading the project again...")
        try:
            context.refresh_workspace()
            say(place.found())
        except Exception as error:  # noqa: BLE001  the next change may mend it; a watcher that ended would say nothing
            say(f"warning: the project could not be read again: {type(error).__name__}: {error}")
