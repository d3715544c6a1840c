"""What commits make of metadata: lists that stay short, times that do not step back, and nothing that is lost by it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.serializers import FromInputFile
from pyiceberg.table.update import AddSnapshotUpdate

from phlo.iceberg import metadata
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.maintenance import Keep, maintain
from phlo.iceberg.merge import append, merge

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("key", pa.int64()), ("value", pa.int64())])


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqlRefCatalog:
    monkeypatch.setattr(metadata, "LISTED", 3)
    return SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")


@pytest.fixture
def table(catalog: SqlRefCatalog) -> Table:
    catalog.create_ref("r")
    return catalog.create_table("raw.t", SCHEMA, "r", keys=["key"])


def rows(values: dict[int, int]) -> pa.Table:
    return pa.table({"key": list(values), "value": list(values.values())}, schema=SCHEMA)


def read(table: Table) -> dict[int, int]:
    return {row["key"]: row["value"] for row in table.scan().to_arrow().to_pylist()}


def listed(table: Table) -> list[int]:
    return [snapshot.snapshot_id for snapshot in table.metadata.snapshots]


def test_every_publish_is_still_read_as_it_was_when_its_snapshot_is_no_longer_listed(catalog: SqlRefCatalog) -> None:
    expected: dict[int, dict[int, int]] = {}
    model: dict[int, int] = {}
    for number in range(5):
        catalog.create_ref(f"run-{number}")
        if not number:
            catalog.create_table("raw.t", SCHEMA, "run-0", keys=["key"])
        for batch in ({number: number}, {number % 3: -number}):
            merge(catalog.load("raw.t", f"run-{number}"), rows(batch), ["key"])
            model |= batch
        expected[catalog.publish(f"run-{number}").seq] = dict(model)
    assert len(catalog.load("raw.t").metadata.snapshots) == 3
    at = {publish.seq: publish.at for publish in catalog.publishes()}
    done = maintain(catalog, Keep(grace=timedelta(0)))
    assert done.files
    assert done.kept_from == 0
    for seq, state in expected.items():
        assert read(catalog.open_pinned("raw.t", catalog.pin(seq=seq))) == state
        assert read(catalog.open_pinned("raw.t", catalog.pin(as_of=at[seq]))) == state
    catalog.undo(1 + len(expected) // 2)
    assert read(catalog.load("raw.t")) == expected[len(expected) // 2]


def test_the_list_of_snapshots_is_short_and_its_log_without_a_gap(table: Table) -> None:
    for number in range(6):
        append(table, rows({number: number}))
    assert [entry.snapshot_id for entry in table.metadata.snapshot_log] == listed(table)
    assert len(listed(table)) == 3
    assert listed(table)[-1] == table.metadata.current_snapshot_id


def test_a_snapshot_that_a_tag_names_stays_in_the_list(table: Table) -> None:
    append(table, rows({1: 1}))
    (first,) = listed(table)
    table.manage_snapshots().create_tag(first, "release").commit()
    for number in range(5):
        append(table, rows({number: number}))
    assert listed(table)[0] == first
    assert len(listed(table)) == 4
    assert first not in [entry.snapshot_id for entry in table.metadata.snapshot_log]
    assert table.scan(snapshot_id=first).to_arrow().to_pylist() == [{"key": 1, "value": 1}]


def test_a_handle_holds_what_the_file_says_that_it_wrote(table: Table) -> None:
    for number in range(5):
        append(table, rows({number: number}))
        with table.transaction() as change:
            change.set_properties({"number": str(number)})
        written = FromInputFile.table_metadata(PyArrowFileIO().new_input(table.metadata_location))
        assert written == table.metadata


def test_an_update_that_changes_nothing_writes_no_file(table: Table) -> None:
    append(table, rows({1: 1}))
    before = table.metadata_location
    update = table.metadata.schema()
    with table.update_schema() as change:
        change.union_by_name(update)
    assert table.metadata_location == before


def test_a_write_that_began_on_an_empty_table_fails_when_it_can_not_see_all_that_others_wrote(
    catalog: SqlRefCatalog, table: Table
) -> None:
    stale = catalog.load("raw.t", "r")
    for number in range(5):
        append(table, rows({number: number}))
    with pytest.raises(CommitFailedException, match="no longer listed"):
        merge(stale, rows({0: 7}), ["key"])
    assert read(catalog.load("raw.t", "r")) == {number: number for number in range(5)}


def test_a_snapshot_is_never_older_than_the_one_before(table: Table) -> None:
    append(table, rows({1: 1}))
    base, current = table.metadata, table.current_snapshot()
    assert current is not None
    early = current.model_copy(
        update={"snapshot_id": 7, "sequence_number": 2, "timestamp_ms": current.timestamp_ms - 86_400_000}
    )
    after = metadata.committed(base, (AddSnapshotUpdate(snapshot=early),), table.metadata_location)
    assert [snapshot.timestamp_ms for snapshot in after.snapshots] == [current.timestamp_ms] * 2
    assert after.last_updated_ms >= base.last_updated_ms
