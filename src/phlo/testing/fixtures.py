"""Fixtures for pytest; a ``conftest.py`` brings them in with ``pytest_plugins = ["phlo.testing.fixtures"]``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from phlo.testing.lakes import temporary_lake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.profiles import Lake


def pytest_configure(config: pytest.Config) -> None:
    """Let tests import workflow files as a run does: `rest_api({...})` then takes one dict of client and resources."""
    from phlo.load.extract import spec_rest_api

    opened = ExitStack()
    opened.enter_context(spec_rest_api())
    config.add_cleanup(opened.close)


@pytest.fixture
def project_lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    """An empty lake of the project that is tested: its workflows, models and settings, a state for one test.

    ``materialize(project_lake, "glucose_entries+", rows={"glucose_entries": [...]})`` runs it.
    """
    with temporary_lake(request.config.rootpath) as lake:
        yield lake


@pytest.fixture
def empty_lake() -> Iterator[Lake]:
    """An empty lake of no project."""
    with temporary_lake() as lake:
        yield lake
