"""What the tests of the two documents share: a shell in a fresh folder, and a Nightscout site with readings."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests are imported by path, which leaves modules beside them out of reach.
sys.path.append(str(Path(__file__).resolve().parent))

from spec_tools import Shell

collect_ignore = ["printed"]  # no modules of ours: excerpts, as the documents print them

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.scaffold.nightscout_server import NightscoutServer


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder where no project is yet."""
    return Shell(tmp_path_factory.mktemp("work"), {})


@pytest.fixture(scope="session")
def nightscout() -> Iterator[NightscoutServer]:
    """A site with the readings of January 2024, and some of the days around it."""
    from phlo.scaffold import synthetic_cgm
    from phlo.scaffold.nightscout_server import NightscoutServer

    with NightscoutServer(synthetic_cgm.entries(dt.date(2023, 12, 30), 36)) as server:
        yield server
