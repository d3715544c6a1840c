"""Folders that others take away while they are looked into are no error."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from phlo.iceberg import liveness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from phlo.iceberg.catalog import SqlRefCatalog

Found = tuple[str, list[str], list[str]]


@pytest.fixture
def going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table's folder, of which the innermost goes whenever a walk has come to it."""
    (tmp_path / "raw" / "t" / "data").mkdir(parents=True)
    walk = os.walk

    def walked(top: str, **options: Any) -> Iterator[Found]:
        for parent, folders, names in walk(top, **options):
            if parent.endswith("data"):
                shutil.rmtree(parent)
            yield parent, folders, names

    monkeypatch.setattr(os, "walk", walked)
    return tmp_path / "raw" / "t"


def test_a_folder_that_goes_meanwhile_does_not_count_for_when_the_table_changed(going: Path) -> None:
    os.utime(going, (9, 9))
    assert liveness._changed(str(going)) > 0
    assert not (going / "data").exists()
    assert liveness._changed(str(going / "data")) == 0


def test_a_folder_that_another_takes_away_meanwhile_is_not_taken_again(
    going: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "_changed", lambda _: 0.0)
    assert liveness.remove([], [str(going)], datetime.now(UTC) + timedelta(hours=1)) == 0
    assert not going.exists()


def test_files_count_from_a_time_before_anything_is_read(
    catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at: list[datetime] = []
    kept_from = liveness.states.kept_from

    def noted(connection: Connection) -> int:
        read_at.append(datetime.now(UTC))
        return kept_from(connection)

    monkeypatch.setattr(liveness.states, "kept_from", noted)
    with catalog.database.read() as connection:
        found = liveness.roots(connection, timedelta(0))
    assert found.before <= read_at[0]
