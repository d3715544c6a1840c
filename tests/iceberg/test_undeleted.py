"""Tables with other engines' delete files: what they delete is never read, and never comes back."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record
from tests.iceberg.deleting import add_deletes, delete_positions, delete_values, unpartitioned_spec

from phlo.errors import UnreadableFile
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.deletes import DeletesTask
from phlo.iceberg.merge import append, compact, merge, replace
from phlo.iceberg.tables import evolve, plan, scan_sql
from phlo.protocols import Written

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

READINGS = pa.schema([("_id", pa.string()), ("sgv", pa.int32()), ("partition_date", pa.date32())])
JANUARY, FEBRUARY = dt.date(2024, 1, 20), dt.date(2024, 2, 1)
IN_JANUARY, IN_FEBRUARY = Record(648), Record(649)


class Make(Protocol):
    def __call__(self, partition_by: str | None = None) -> Table: ...


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A new empty table."""
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")

    def make(partition_by: str | None = None) -> Table:
        catalog.create_ref("run-1")
        return catalog.create_table("raw.readings", READINGS, "run-1", partition_by=partition_by, keys=["_id"])

    return make


def readings(*values: tuple[str | None, int | None, dt.date | None]) -> pa.Table:
    rows = [dict(zip(READINGS.names, value, strict=True)) for value in values]
    return pa.Table.from_pylist(rows, schema=READINGS)


def read(table: Table, **options: Any) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        rows = con.sql(scan_sql(table, con=con, **options)).fetchall()
    return sorted(rows, key=repr)


def ids(table: Table) -> list[str | None]:
    return [row[0] for row in read(table, columns=["_id"])]


# ── which rows ───────────────────────────────────────────────────────────────────────────────────────────


def test_rows_with_a_deleted_value_are_left_out_and_null_is_a_value(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), (None, 3, FEBRUARY), ("B", 4, FEBRUARY)))
    delete_values(table, [{"_id": "b"}, {"_id": None}, {"_id": "none"}], ["_id"])
    assert ids(table) == ["B", "a"]


def test_a_row_goes_only_when_all_compared_columns_have_the_deleted_values(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("a", 2, JANUARY), ("a", None, JANUARY)))
    delete_values(table, [{"_id": "a", "sgv": 2}, {"_id": "b", "sgv": 1}, {"_id": "a", "sgv": None}], ["_id", "sgv"])
    assert read(table) == [("a", 1, JANUARY)]


def test_columns_that_a_delete_file_has_beside_its_keys_say_nothing(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)))
    delete_values(table, [{"_id": "b", "sgv": 99, "partition_date": FEBRUARY}], ["_id"])
    assert ids(table) == ["a"]
    assert read(table, columns=["_id"], partitions=[JANUARY]) == [("a",)]


def test_rows_written_after_a_delete_stay_and_those_before_it_go(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    delete_values(table, [{"_id": "a"}], ["_id"])
    append(table, readings(("a", 2, JANUARY)))
    assert read(table) == [("a", 2, JANUARY)]
    delete_values(table, [{"_id": "a"}], ["_id"])
    append(table, readings(("a", 3, JANUARY)))
    assert read(table) == [("a", 3, JANUARY)]


def test_each_of_many_files_knows_which_deletes_are_newer_than_it(make: Make) -> None:
    table = make()
    for n, deleted in enumerate(["a", "b", "a", "c"]):
        table.append(readings(*((key, n, JANUARY) for key in "abcd")))
        delete_values(table, [{"_id": deleted}], ["_id"])
    assert len({task.sequence for task in plan(table) if isinstance(task, DeletesTask)}) == 4
    expected = [("a", 3), ("b", 2), ("b", 3), ("d", 0), ("d", 1), ("d", 2), ("d", 3)]
    assert [row[:2] for row in read(table)] == expected


def test_rows_written_with_a_delete_in_one_snapshot_stay(make: Make) -> None:
    table = make()
    table.append(readings(("a", 1, JANUARY), ("b", 2, JANUARY)))
    delete_values(table, [{"_id": "a"}], ["_id"], beside=readings(("a", 9, JANUARY)))
    assert read(table) == [("a", 9, JANUARY), ("b", 2, JANUARY)]
    assert merge(table, readings(("a", 9, JANUARY), ("b", 3, JANUARY)), ["_id"]) == Written(updated=1, unchanged=1)
    assert read(table) == [("a", 9, JANUARY), ("b", 3, JANUARY)]


def test_a_delete_is_about_its_partition_or_about_all(make: Make) -> None:
    table = make("month(partition_date)")
    append(table, readings(("a", 1, JANUARY), ("a", 2, FEBRUARY), ("b", 3, JANUARY), ("b", 4, FEBRUARY)))
    everywhere = unpartitioned_spec(table)
    delete_values(table, [{"_id": "a"}], ["_id"], partition=IN_JANUARY)
    assert [row[1] for row in read(table)] == [2, 3, 4]
    delete_values(table, [{"_id": "b"}], ["_id"], spec_id=everywhere)
    assert read(table) == [("a", 2, FEBRUARY)]
    assert read(table, partitions=[JANUARY]) == []


def test_values_and_positions_delete_in_one_file(make: Make) -> None:
    table = make()
    append(table, readings(*((each, 1, JANUARY) for each in "abcd")))
    (task,) = plan(table)
    delete_positions(table, {task.file.file_path: [0, 2], "elsewhere": [1]})
    delete_values(table, [{"_id": "d"}], ["_id"])
    assert ids(table) == ["b"]


# ── after the schema changed ─────────────────────────────────────────────────────────────────────────────


def test_deletes_find_their_column_by_id_after_it_was_renamed_and_another_took_its_name(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)))
    before = table.schema()
    with table.update_schema() as update:
        update.rename_column("_id", "key")
        update.rename_column("sgv", "_id")
    delete_values(table, [{"_id": "b"}], ["_id"], schema=before)
    assert read(table) == [("a", 1, JANUARY)]
    assert read(table, columns=["_id"]) == [(1,)]


def test_deletes_of_narrow_numbers_find_wide_ones(make: Make) -> None:
    table = make()
    before = table.schema()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)))
    evolve(table, pa.schema([*READINGS.remove(1), ("sgv", pa.int64())]))
    wide = pa.table({"_id": ["c"], "sgv": [2**40], "partition_date": [JANUARY]})
    append(table, wide)
    delete_values(table, [{"sgv": 2}], ["sgv"], schema=before)
    delete_values(table, [{"sgv": 2**40}], ["sgv"])
    assert ids(table) == ["a"]


def test_a_column_that_is_newer_than_a_file_is_null_in_it(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    with_note = pa.schema([*READINGS, ("note", pa.string())])
    evolve(table, with_note)
    append(table, pa.Table.from_pylist([{"_id": "b", "note": "n"}, {"_id": "c"}], schema=with_note))
    delete_values(table, [{"note": None}], ["note"])
    assert ids(table) == ["b"]


def test_a_column_that_was_dropped_since_still_tells_what_is_deleted(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)))
    delete_values(table, [{"sgv": 2}], ["sgv"])
    with table.update_schema() as update:
        update.delete_column("sgv")
    assert read(table) == [("a", JANUARY)]


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def deleted(make: Make) -> Table:
    """A table whose row ``b`` another engine has deleted by its value."""
    table = make("month(partition_date)")
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), ("c", 3, FEBRUARY)))
    delete_values(table, [{"_id": "b"}], ["_id"], partition=IN_JANUARY)
    return table


def test_a_merge_inserts_a_key_that_was_deleted_and_brings_back_no_other(deleted: Table) -> None:
    assert merge(deleted, readings(("a", 5, JANUARY)), ["_id"]) == Written(updated=1)
    assert read(deleted) == [("a", 5, JANUARY), ("c", 3, FEBRUARY)]
    assert merge(deleted, readings(("b", 6, JANUARY), ("c", 3, FEBRUARY)), ["_id"]) == Written(inserted=1, unchanged=1)
    assert read(deleted) == [("a", 5, JANUARY), ("b", 6, JANUARY), ("c", 3, FEBRUARY)]
    assert not any(task.delete_files for task in plan(deleted))


def test_a_merge_of_unchanged_rows_leaves_files_and_deletes_as_they_are(deleted: Table) -> None:
    before = deleted.current_snapshot()
    assert merge(deleted, readings(("a", 1, JANUARY)), ["_id"]) == Written(unchanged=1)
    assert deleted.current_snapshot() == before


def test_an_append_beside_deletes_keeps_to_them(deleted: Table) -> None:
    append(deleted, readings(("b", 7, FEBRUARY)))
    append(deleted, readings(("b", 8, JANUARY)))
    assert read(deleted) == [("a", 1, JANUARY), ("b", 7, FEBRUARY), ("b", 8, JANUARY), ("c", 3, FEBRUARY)]


def test_a_replacement_counts_the_rows_that_were_there(deleted: Table) -> None:
    assert replace(deleted, readings(("a", 1, JANUARY)), [JANUARY]) == Written(unchanged=1)
    assert replace(deleted, readings(("b", 9, JANUARY)), [JANUARY]) == Written(inserted=1, deleted=1)
    assert read(deleted) == [("b", 9, JANUARY), ("c", 3, FEBRUARY)]


def test_files_written_together_leave_deleted_rows_out(deleted: Table) -> None:
    compact(deleted, plan(deleted))
    assert read(deleted) == [("a", 1, JANUARY), ("c", 3, FEBRUARY)]
    assert not any(task.delete_files for task in plan(deleted))


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────


def test_columns_that_can_not_be_compared_as_iceberg_means_it_are_named(tmp_path: Path) -> None:
    inner = pa.struct([("x", pa.int32())])
    schema = pa.schema([("f", pa.float64()), ("s", inner), ("n", pa.int32())])
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    for column, value, word in (("f", 0.0, "`f` of type `double`"), ("s.x", 1, "column 4, which is inside")):
        catalog.create_ref(column)
        table = catalog.create_table("raw.t", schema, column)
        append(table, pa.table({"f": [-0.0], "s": [{"x": 1}], "n": [1]}, schema=schema))
        top = column.partition(".")[0]
        delete_values(table, [{top: value if top == column else {"x": value}}], [column])
        with pytest.raises(UnreadableFile, match=rf"`raw.t` has files .* can not read: .*{word}"):
            read(table)


def test_a_delete_file_that_lacks_its_column_is_not_taken_for_nulls(make: Make) -> None:
    table = make()
    append(table, readings((None, 1, JANUARY)))
    delete_values(table, [{"sgv": 1}], ["_id"])
    with pytest.raises(UnreadableFile, match=r"has not the columns \[1\]"):
        read(table)


@pytest.mark.parametrize("content", [DataFileContent.POSITION_DELETES, DataFileContent.EQUALITY_DELETES])
def test_delete_files_of_other_formats_are_named(make: Make, content: DataFileContent) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    file = DataFile.from_args(
        content=content,
        file_path="/x.avro",
        file_format=FileFormat.AVRO,
        partition=Record(),
        record_count=1,
        file_size_in_bytes=1,
        equality_ids=[1],
    )
    file.spec_id = 0
    add_deletes(table, [file])
    for use in (
        read,
        lambda table: merge(table, readings(("b", 3, JANUARY)), ["_id"]),
        lambda t: replace(t, readings()),
    ):
        with pytest.raises(UnreadableFile, match=r"`/x.avro` is AVRO"):
            use(table)


def test_what_takes_a_connection_says_so(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    delete_values(table, [{"_id": "a"}], ["_id"])
    with pytest.raises(ValueError, match="takes a connection"):
        scan_sql(table)
