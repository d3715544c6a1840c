"""Fixtures of the orchestrator's tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests are imported by path, which leaves modules beside them out of reach.
sys.path.append(str(Path(__file__).resolve().parent))

from floor import floor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from floor import Floor
    from tests.conftest import Shop


@pytest.fixture
def floor(shop: Shop) -> Iterator[Floor]:
    """A project with two ingestions and one check, and its instance."""
    with floor_of(shop) as found:
        yield found
