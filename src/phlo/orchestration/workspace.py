"""The project's code in the server's own process, read again when a file changes or somebody asks for it in the UI."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.code_location import InProcessCodeLocation
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget

from phlo.orchestration import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster import DagsterInstance

    from phlo.project import Project

CODE = Path(__file__).with_name("code_location.py")


@contextmanager
def workspace(instance: DagsterInstance) -> Iterator[WorkspaceProcessContext]:
    """Load the project's code into this process, once for the web app and the daemon."""
    with Workspace(instance, InProcessWorkspaceLoadTarget(origin_of(place.this_project()))) as context:
        yield context


def origin_of(project: Project) -> InProcessCodeLocationOrigin:
    """Name the project's code as its servers do."""
    target = LoadableTargetOrigin(python_file=str(CODE), attribute="defs", working_directory=str(project.root))
    return InProcessCodeLocationOrigin(target, location_name=project.name)


class Workspace(WorkspaceProcessContext):
    """Dagster's does not reload code that is in its own process, and loses it when it is asked to."""

    def reload_workspace(self) -> None:
        """Read the files again, as when one changes."""
        self.refresh_workspace()

    def reload_code_location(self, name: str) -> None:
        """Read the files again: there is one location."""
        self.refresh_workspace()

    def create_request_context(self, source: object | None = None) -> WorkspaceRequestContext:
        """Say to who asks that this code can be reloaded."""
        return Request(
            instance=self._instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=self._read_only,
        )


class Request(WorkspaceRequestContext):
    """What a request sees."""

    def is_reload_supported(self, name: str) -> bool:
        """It is."""
        return True


# The UI asks the location itself whether to show the button; what makes locations of an origin is not ours to replace.
InProcessCodeLocation.is_reload_supported = property(lambda _: True)  # type: ignore[assignment,method-assign]
