"""Catalogs on both of their databases: SQLite, and a Postgres that the session starts for itself."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.iceberg.deleting import delete_positions

from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.tables import plan
from phlo.protocols import MAIN, Pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

SCHEMA = pa.schema([("n", pa.int64())])


class Write(Protocol):
    """Append numbers to a table of a ref, which is made if it is not there."""

    def __call__(self, name: str, values: Sequence[int], ref: str) -> None: ...


class DeleteRows(Protocol):
    """Delete the rows of a key from a table as Trino and Spark do; return how many they were."""

    def __call__(self, table: Table, key: str | None) -> int: ...


def _binaries() -> Path | None:
    """Find the folder of initdb and pg_ctl: by PATH, else where Debian keeps them."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda folder: int(folder.split("/")[-2]))  # noqa: PTH207
    return Path(folders[-1]) if folders else None


def _owner() -> dict[str, Any]:
    """Postgres refuses to run as root: then it runs as the user that its package made, or as nobody."""
    if os.geteuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """A Postgres server that listens on a Unix socket in this folder alone, and ends with the session."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("there is no Postgres (initdb, pg_ctl) on this machine")
    folder = Path(tempfile.mkdtemp(prefix="phlo-pg-"))  # pytest's own are closed to other users
    owner = _owner()
    if owner:
        os.chown(folder, owner["user"], owner["group"])

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], cwd=folder, check=True, stdout=subprocess.DEVNULL, **owner)

    run(
        binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "phlo", "-E", "UTF8", "--locale=C", "--no-sync"
    )
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    control = (binaries / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log")
    run(*control, "-o", options, "start")
    try:
        yield folder
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def postgres_uri(postgres_server: Path) -> str:
    """An empty place on the session's server: a schema of its own, which is made faster than a database."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(host=str(postgres_server), user="phlo", dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"postgresql+psycopg://phlo@/postgres?host={postgres_server}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def catalog_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty catalog can be: a test that asks for it runs on each database."""
    if request.param == "postgres":
        uri: str = request.getfixturevalue("postgres_uri")
        return uri
    return f"sqlite:///{tmp_path}/state/catalog.db"


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Where the tables' files go."""
    return tmp_path / "state" / "warehouse"


@pytest.fixture
def catalog(catalog_uri: str, warehouse: Path) -> Iterator[SqlRefCatalog]:
    """An empty catalog."""
    catalog = SqlRefCatalog(catalog_uri, warehouse)
    yield catalog
    catalog.close()


@pytest.fixture
def second(catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path) -> Iterator[SqlRefCatalog]:
    """The same catalog, opened once more as another process would."""
    second = SqlRefCatalog(catalog_uri, warehouse)
    yield second
    second.close()


@pytest.fixture
def write(catalog: SqlRefCatalog) -> Write:
    """Write to a ref, making the ref and the table as needed."""

    def write(name: str, values: Sequence[int], ref: str) -> None:
        if ref not in {known.name for known in catalog.refs()}:
            catalog.create_ref(ref)
        there = name in catalog.pin(ref).tables
        table = catalog.load(name, ref) if there else catalog.create_table(name, SCHEMA, ref)
        table.append(pa.table({"n": pa.array(values, pa.int64())}))

    return write


@pytest.fixture
def published(catalog: SqlRefCatalog, write: Write) -> Write:
    """Write in a ref of its own, and publish it."""

    def published(name: str, values: Sequence[int], ref: str) -> None:
        write(name, values, ref)
        catalog.publish(ref)

    return published


@pytest.fixture
def rows(catalog: SqlRefCatalog) -> Any:
    """Read the numbers of a table on a ref, or in a pin."""

    def rows(name: str, where: str | Pin = MAIN) -> list[int]:
        pin = where if isinstance(where, Pin) else catalog.pin(where)
        return sorted(catalog.open_pinned(name, pin).scan().to_arrow()["n"].to_pylist())

    return rows


@pytest.fixture
def delete_rows() -> DeleteRows:
    """Delete by files that name positions, which leave the data files as they are."""
    return _delete_rows


def _delete_rows(table: Table, key: str | None) -> int:
    found = [(task.file, _positions(task.file, key)) for task in plan(table)]
    for file, positions in found:
        if positions:
            delete_positions(table, {file.file_path: positions}, file.partition)
    return sum(len(positions) for _, positions in found)


def _positions(file: DataFile, key: str | None) -> list[int]:
    keys = pq.ParquetFile(file.file_path).read(["_id"])["_id"].to_pylist()
    return [position for position, stored in enumerate(keys) if stored == key]
