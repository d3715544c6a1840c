"""A catalog's database that is new, damaged, foreign, locked or moved."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from phlo.errors import (
    CatalogCorrupt,
    CatalogTooNew,
    CatalogUnavailable,
    CatalogUnsupported,
    CommitUnclear,
    MissingExtra,
    ProjectMoved,
)
from phlo.iceberg import layout, refs, sqlite
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import Load


def test_a_catalog_is_found_again_as_it_was_left(catalog: SqlRefCatalog, second: SqlRefCatalog, published: Any) -> None:
    published("raw.g", [1], "run-1")
    assert second.pin() == catalog.pin()
    assert second.publishes() == catalog.publishes()


@pytest.mark.slow
def test_many_processes_may_be_the_first(catalog_uri: str, warehouse: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from phlo.iceberg.catalog import SqlRefCatalog;"
        "catalog = SqlRefCatalog(sys.argv[1], Path(sys.argv[2])); catalog.create_ref(sys.argv[3])"
    )
    command = [sys.executable, "-c", code, catalog_uri, str(warehouse)]
    processes = [subprocess.Popen([*command, f"r{n}"]) for n in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(SqlRefCatalog(catalog_uri, warehouse).refs()) == 2


def test_many_threads_may_be_the_first(catalog_uri: str, warehouse: Path) -> None:
    start, errors = threading.Barrier(6), list[BaseException]()

    def open_it() -> None:
        start.wait()
        try:
            SqlRefCatalog(catalog_uri, warehouse).close()
        except Exception as error:  # noqa: BLE001  it is what the test is about
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_newer_format_is_refused_before_anything_is_touched(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path
) -> None:
    with catalog.database.write() as connection:
        connection.execute(layout.meta.update().where(layout.meta.c.key == "format").values(value="99"))
    with pytest.raises(CatalogTooNew, match="has format 99; this Phlo reads up to 1"):
        SqlRefCatalog(catalog_uri, warehouse)


def test_a_moved_project_is_told_both_folders(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, tmp_path: Path
) -> None:
    with pytest.raises(ProjectMoved) as moved:
        SqlRefCatalog(catalog_uri, tmp_path / "elsewhere")
    assert f"`{warehouse}`" in str(moved.value)
    assert f"`{tmp_path}/elsewhere`" in str(moved.value)
    assert str(warehouse) in moved.value.next_step
    SqlRefCatalog(catalog_uri, warehouse)


def test_another_way_to_the_same_folder_is_the_same_project(
    catalog: SqlRefCatalog, catalog_uri: str, warehouse: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "state", target_is_directory=True)
    assert SqlRefCatalog(catalog_uri, tmp_path / "link" / "warehouse").warehouse == str(warehouse)


def test_other_databases_are_refused_without_their_password() -> None:
    with pytest.raises(CatalogUnsupported) as error:
        SqlRefCatalog("mysql://ann:s3cret@host/db", Path("w"))
    assert "s3cret" not in str(error.value)
    with pytest.raises(CatalogUnsupported):
        SqlRefCatalog("somewhere", Path("w"))


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────


def lite(tmp_path: Path) -> tuple[SqlRefCatalog, Path]:
    file = tmp_path / "catalog.db"
    return SqlRefCatalog(f"sqlite:///{file}", tmp_path / "warehouse"), file


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"this is not a database at all" * 99)
    with pytest.raises(CatalogCorrupt, match=r"catalog.db` can not be read: file is not a database"):
        lite(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    catalog, file = lite(tmp_path)
    for n in range(30):
        catalog.create_ref(f"r{n}")
    catalog.close()
    whole = bytearray(file.read_bytes())
    whole[4096:] = os.urandom(len(whole) - 4096)
    file.write_bytes(whole)
    with pytest.raises(CatalogCorrupt, match="can not be read"):
        lite(tmp_path)[0].refs()


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").mkdir()
    with pytest.raises(CatalogUnavailable, match="unable to open database file"):
        lite(tmp_path)


def test_a_catalog_that_stays_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, file = lite(tmp_path)
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    catalog, _ = lite(tmp_path)
    assert catalog.refs() == []  # readers never wait
    with pytest.raises(CatalogUnavailable, match="database is locked") as error:
        catalog.create_ref("r")
    assert error.value.retryable
    holder.execute("ROLLBACK")
    catalog.create_ref("r")


def test_a_full_disk_is_named_and_leaves_main_whole(tmp_path: Path) -> None:
    catalog, _ = lite(tmp_path)
    catalog.create_ref("r")
    for n in range(20):
        catalog.record_load("r", Load("raw.g", f"2024-01-{n:02}", f"load-{n}-{'x' * 2000}"))
    with catalog.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # of this pooled connection
    with pytest.raises(CatalogUnavailable, match="full"):
        catalog.publish("r")
    assert catalog.loads() == []
    assert len(catalog.loads("r")) == 20
    catalog.close()
    assert len(catalog.publish("r").loads) == 20


def test_a_publish_survives_the_loss_of_power(tmp_path: Path) -> None:
    catalog, _ = lite(tmp_path)
    with catalog.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_a_write_takes_its_lock_when_it_begins(tmp_path: Path) -> None:
    catalog, file = lite(tmp_path)
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    with catalog.database.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.parametrize("folder", ["a b", "ünïcode", "per%20cent", "hash#1", "question?", "brack[et]", "quo'te"])
def test_a_project_may_have_any_path(tmp_path: Path, folder: str) -> None:
    import pyarrow as pa

    catalog, _ = lite(tmp_path / folder)
    catalog.create_ref("r")
    catalog.create_table("raw.g", pa.schema([("n", pa.int64())]), "r").append(pa.table({"n": [1]}))
    catalog.publish("r")
    assert lite(tmp_path / folder)[0].load("raw.g").scan().to_arrow()["n"].to_pylist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == [folder]


def test_the_state_is_closed_to_other_users(tmp_path: Path) -> None:
    SqlRefCatalog(f"sqlite:///{tmp_path}/state/catalog.db", tmp_path / "state" / "warehouse")
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_forked_child_does_not_use_its_parent_s_connections(tmp_path: Path) -> None:
    catalog, _ = lite(tmp_path)
    catalog.create_ref("parent")
    child = os.fork()
    if not child:
        try:
            catalog.create_ref("child")
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    catalog.create_ref("parent-2")
    assert {ref.name for ref in catalog.refs()} == {"parent", "child", "parent-2"}


def test_a_commit_that_fails_on_the_disk_is_not_said_to_be_undone(tmp_path: Path) -> None:
    catalog, _ = lite(tmp_path)
    catalog.create_ref("r")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        said = r"disk I/O error \(SQLITE_IOERR_WRITE, such as of a disk that was full"
        with pytest.raises(CommitUnclear, match=said) as error, catalog.database.write() as connection:
            refs.fail(connection, "r", "x" * 10_000, blocked=False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert error.value.next_step.startswith("`phlo history` and `phlo ref list` tell")
    assert catalog.ref("r").state == "open"


# ── Postgres ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unreachable_postgres_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(CatalogUnavailable) as error:
        SqlRefCatalog(f"postgresql://ann:s3cret@/db?host={tmp_path}", tmp_path)
    assert "ann:***@" in str(error.value)
    assert "s3cret" not in str(error.value)


def test_postgres_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra) as error:
        SqlRefCatalog("postgresql+psycopg://ann@host/db", tmp_path)
    assert error.value.next_step.startswith("pip install ")
    assert "[postgres]" in error.value.next_step
