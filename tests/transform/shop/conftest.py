"""The paper shop: a dbt project as people publish them, built twice, with what its till had in between."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from phlo.profiles import Lake, open_lake

# Tests are imported by path, which leaves modules beside them out of reach.
sys.path.append(str(Path(__file__).resolve().parent))

from shop_data import Till, first_day, second_day

if TYPE_CHECKING:
    from phlo.protocols import Pin

EARLY = ("--event-time-start", "2024-03-01", "--event-time-end", "2024-03-15")
LATE = ("--event-time-start", "2024-03-10", "--event-time-end", "2024-03-15")


@dataclass(frozen=True)
class Day:
    """What the till had when the shop's models were built, and the state of the lake after that."""

    till: Till
    lake: Lake
    pin: Pin
    said: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the state after the day's build."""
        found = self.lake.engine.query(sql, self.pin).to_pylist()
        return [tuple(row.values()) for row in found]


@dataclass(frozen=True)
class PaperShop:
    """The project in a folder of its own, and dbt in it as a user types it, in this process."""

    lake: Lake
    days: list[Day]

    @property
    def dbt_folder(self) -> Path:
        return self.lake.project.dbt

    def dbt(self, *arguments: str, ok: bool = True) -> list[str]:
        """Run a command of dbt's in the project's folder, and return what it said, line by line."""
        from dbt.cli.main import dbtRunner

        said: list[str] = []
        here = Path.cwd()
        os.chdir(self.dbt_folder)
        try:
            runner = dbtRunner(callbacks=[lambda event: said.append(event.info.msg)])
            outcome = runner.invoke(["--no-use-colors", "--no-version-check", *arguments])
        finally:
            os.chdir(here)
        assert outcome.success is ok, "\n".join(said[-60:])
        return said

    def sell(self, till: Till, *build: str) -> Day:
        """Publish the till's tables and build the shop's models on them."""
        ref = f"till-{len(self.days)}"
        self.lake.catalog.create_ref(ref)
        for name, rows in till.tables().items():
            self.lake.engine.write(f"raw.{name}", rows, ref, mode="replace")
        self.lake.catalog.publish(ref)
        said = "\n".join(self.dbt("build", *build))
        self.days.append(Day(till, self.lake, self.lake.catalog.pin(), said))
        return self.days[-1]


@pytest.fixture(scope="session")
def paper_shop(tmp_path_factory: pytest.TempPathFactory) -> PaperShop:
    """The shop after two days; tests that run commands leave its main as the second day's build did."""
    folder = tmp_path_factory.mktemp("paper") / "shop"
    shutil.copytree(Path(__file__).parent / "project", folder)
    shop = PaperShop(open_lake(folder), [])
    shop.dbt("deps")
    first = shop.sell(first_day(), *EARLY)
    shop.sell(second_day(first.till), *LATE)
    return shop
