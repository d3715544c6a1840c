"""Fixtures of the orchestrator's tests."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests are imported by path, which leaves modules beside them out of reach.
sys.path.append(str(Path(__file__).resolve().parent))

from floor import floor_of

from phlo.orchestration.instance import open_instance
from phlo.project import STATE, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floor import Floor
    from tests.conftest import Shop


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an instance that nothing ran in: making its databases takes longer than most tests."""
    folder = tmp_path_factory.mktemp("blank")
    with open_instance(Project(folder, "blank")):
        return folder / STATE / "dagster"


@pytest.fixture
def floor(shop: Shop, blank: Path) -> Iterator[Floor]:
    """A project with two ingestions and one check, and its instance."""
    shutil.copytree(blank, shop.root / STATE / "dagster")
    with floor_of(shop) as found:
        yield found
