"""Runs as functions: what happens to leases, staging and refs when others, or the machine, get in the way."""

from __future__ import annotations

import datetime as dt
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from phlo.declarations import SilentReporter
from phlo.errors import CatalogUnavailable, LeaseLost, SourceFunctionFailed
from phlo.iceberg.leases import Leases
from phlo.pipeline import ATTEMPTS, execute, tidy
from phlo.plan import make_plan
from phlo.profiles import open_lake

if TYPE_CHECKING:
    from tests.conftest import Shop

    from phlo.profiles import Lake

DAY = dt.date(2024, 1, 20)

TAKEN_OVER = """
import sqlite3
from pathlib import Path

import phlo

ROOT = Path(__file__).resolve().parents[1]


@phlo.ingestion(unique_key="id")
def taken(partition_date: str):
    with (ROOT / "asked").open("a") as file:
        file.write("x")
    with sqlite3.connect(ROOT / ".phlo/state/catalog.db") as catalog:
        catalog.execute("DELETE FROM phlo_leases")
    return [{"id": partition_date}]
"""


def run(lake: Lake, reporter: SilentReporter, *names: str) -> None:
    execute(lake, make_plan(lake, names, [DAY]), reporter)


def cannot_release(self: Leases, connection: object) -> None:
    if self._unreleased:
        raise CatalogUnavailable(uri="sqlite:///x", detail="database is locked")


def test_a_lease_that_can_not_be_given_back_does_not_undo_a_publish(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "_forget_unreleased", cannot_release)
    lake, reporter = open_lake(shop.root), SilentReporter()
    run(lake, reporter, "events")
    assert len(lake.catalog.publishes()) == 1
    assert any("could not be given back" in message for message in reporter.messages)


def test_a_run_that_fails_says_why_though_its_lease_can_not_be_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "_forget_unreleased", cannot_release)
    (shop.root / "source" / f"{DAY}.json").mkdir()
    with pytest.raises(SourceFunctionFailed):
        run(open_lake(shop.root), SilentReporter(), "readings")


def test_a_run_whose_lease_was_taken_over_is_replayed_without_a_second_extraction(shop: Shop) -> None:
    (shop.root / "workflows" / "taken.py").write_text(TAKEN_OVER)
    lake, reporter = open_lake(shop.root), SilentReporter()
    run(lake, reporter, "taken")
    assert (shop.root / "asked").read_text() == "x"
    assert any("no longer holds the lease" in message and "replaying" in message for message in reporter.messages)
    assert shop.read("SELECT id FROM raw.taken") == [{"id": str(DAY)}]
    assert lake.catalog.refs() == []


def test_a_run_that_never_keeps_its_lease_gives_up_and_can_be_published_as_it_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "_take", lambda *_: None)  # it believes that it has it
    lake = open_lake(shop.root)
    reporter = SilentReporter()
    with pytest.raises(LeaseLost):
        run(lake, reporter, "events")
    assert sum("replaying" in message for message in reporter.messages) == ATTEMPTS - 1
    (ref,) = lake.catalog.refs()
    assert (ref.state, ref.blocked) == ("failed", False)


def test_the_staging_of_one_catalog_is_not_tidied_by_another(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    here = open_lake(shop.root)
    staged = here.staging / "20240120-000000-aaaa"
    here.catalog.create_ref("run-20240120-000000-aaaa", run_id=staged.name)
    staged.mkdir(parents=True)
    monkeypatch.setenv("PHLO_CATALOG_URI", f"sqlite:///{shop.root}/other.db")
    there = open_lake(shop.root)
    tidy(there)
    assert staged.is_dir()
    assert there.staging != here.staging
    here.catalog.drop_ref("run-20240120-000000-aaaa")
    tidy(here)
    assert not staged.exists()


def test_a_source_function_that_exits_is_an_error_with_its_line(shop: Shop) -> None:
    (shop.root / "workflows" / "quits.py").write_text(
        "import sys\nimport phlo\n\n\n@phlo.ingestion()\ndef quits(partition_date: str):\n    sys.exit('no licence')\n"
    )
    done = shop.call("materialize", "quits", "--partition", str(DAY))
    assert done.code == 1
    assert "error[source-function-failed]: `quits` failed in" in done.err
    assert "line 7: SystemExit: no licence" in done.err


def test_the_catalog_is_where_these_tests_think_it_is(shop: Shop) -> None:
    open_lake(shop.root).catalog.refs()
    with sqlite3.connect(shop.root / ".phlo/state/catalog.db") as catalog:
        assert catalog.execute("SELECT count(*) FROM phlo_leases").fetchone() == (0,)


@pytest.mark.slow
def test_ctrl_c_while_the_engine_is_imported_comes_after_that() -> None:
    """DuckDB's module, interrupted while it initializes, aborts the whole process."""
    script = (
        "import signal, sys\n"
        "from phlo.profiles import open_lake\n"
        "lake = open_lake(sys.argv[1])\n"
        "class Presses:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith('_duckdb'):\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "            print('pressed')\n"
        "sys.meta_path.insert(0, Presses())\n"
        "try:\n"
        "    lake.engine\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', 'duckdb' in sys.modules)\n"
    )
    with TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text("[tool.phlo]\n")
        done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "stopped True", done.stdout
    assert "pressed" in done.stdout
