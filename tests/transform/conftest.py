"""A lake with raw readings and the dbt project of the spec: real files, dbt in this process."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.profiles import Lake, open_lake
from phlo.transform.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parent / "project"
DAY = dt.date(2024, 1, 20)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave dbt's suite alone where slow tests are left out: importing it costs seconds of each worker."""
    return True if collection_path.name == "adapter_suite" and config.option.markexpr == "not slow" else None


def readings(count: int = 288) -> pa.Table:
    """One day of readings, five minutes apart, from 60 to 259 mg/dL and again; every seventh has no direction."""
    midnight = int(dt.datetime(2024, 1, 20, tzinfo=dt.UTC).timestamp() * 1000)
    return pa.table(
        {
            "_id": [f"r{i:03}" for i in range(count)],
            "sgv": pa.array([60 + i % 200 for i in range(count)], pa.int64()),
            "date": pa.array([midnight + 300_000 * i for i in range(count)], pa.int64()),
            "dateString": [f"2024-01-20 #{i}" for i in range(count)],
            "direction": [None if i % 7 == 0 else "Flat" for i in range(count)],
            "device": ["xDrip-DexcomG6"] * count,
            "partition_date": [DAY] * count,
        }
    )


def make_lake(folder: Path) -> Lake:
    """Copy the project into a folder and publish a day of readings."""
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs", ".phlo"))
    lake = open_lake(folder)
    lake.catalog.create_ref("load")
    lake.engine.write("raw.glucose_entries", readings(), "load", mode="replace")
    lake.catalog.publish("load")
    return lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of the test's own."""
    return make_lake(tmp_path / "glucose-platform")


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake that the tests of a module only add refs to: dbt reads its project once."""
    yield make_lake(tmp_path_factory.mktemp("shared") / "glucose-platform")


@pytest.fixture
def ref(shared_lake: Lake, request: pytest.FixtureRequest) -> Iterator[str]:
    """A ref of the test's own on the shared lake."""
    name = f"run-{re.sub(r'[^A-Za-z0-9_]+', '-', request.node.name)[:60]}"
    shared_lake.catalog.create_ref(name)
    yield name
    if name in {each.name for each in shared_lake.catalog.refs()}:
        shared_lake.catalog.drop_ref(name)


@pytest.fixture
def session(shared_lake: Lake, ref: str) -> Session:
    """What dbt's adapter would work with on that ref."""
    return Session(shared_lake.catalog, shared_lake.engine, ref)


@pytest.fixture
def rows(session: Session) -> Callable[[str], list[dict[str, Any]]]:
    """Query the session's ref."""

    def query(sql: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = session.engine.query(sql, session.pin()).to_pylist()
        return found

    return query
