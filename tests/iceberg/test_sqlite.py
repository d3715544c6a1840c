"""A catalog's file that can not be written is read as it is, with what its log alone has."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from phlo.errors import CatalogUnavailable
from phlo.iceberg import sqlite
from phlo.iceberg.catalog import SqlRefCatalog

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture
def catalog(tmp_path: Path) -> SqlRefCatalog:
    return SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")


def refs(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT name FROM phlo_refs ORDER BY name")))


def test_what_a_killed_writer_left_in_its_log_is_read_without_a_trace(catalog: SqlRefCatalog, tmp_path: Path) -> None:
    catalog.create_ref("dev-ann")
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(tmp_path / f"catalog.db{suffix}", left / f"catalog.db{suffix}")
    before = {file.name: file.read_bytes() for file in left.iterdir()}
    assert refs(sqlite.connect_fixed(f"{left}/catalog.db")) == ["dev-ann"]
    assert {file.name: file.read_bytes() for file in left.iterdir()} == before


def test_each_connection_sees_what_another_user_has_written_meanwhile(catalog: SqlRefCatalog, tmp_path: Path) -> None:
    catalog.create_ref("dev-ann")
    catalog.close()
    engine = sqlite.connect_fixed(f"{tmp_path}/catalog.db")
    assert not (tmp_path / "catalog.db-wal").exists()
    assert refs(engine) == ["dev-ann"]
    catalog.create_ref("dev-bob")
    assert refs(engine) == ["dev-ann", "dev-bob"]  # by the other's log
    catalog.close()
    assert refs(engine) == ["dev-ann", "dev-bob"]


def test_a_file_that_was_written_while_it_was_read_is_refused(catalog: SqlRefCatalog, tmp_path: Path) -> None:
    catalog.create_ref("dev-ann")
    catalog.close()
    file = f"{tmp_path}/catalog.db"
    with sqlite.unchanged(file):
        assert refs(sqlite.connect_fixed(file)) == ["dev-ann"]
    with (
        pytest.raises(CatalogUnavailable, match="another user's run wrote it while it was read"),
        sqlite.unchanged(file),
    ):
        catalog.create_ref("dev-bob")
        catalog.close()
    with sqlite.unchanged(file):
        assert refs(sqlite.connect_fixed(file)) == ["dev-ann", "dev-bob"]
