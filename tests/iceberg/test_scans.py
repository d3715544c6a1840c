"""Files that DuckDB would misread are read as Iceberg means them, or named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.orc as orc
import pytest
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record
from tests.iceberg.deleting import add_deletes, delete_positions, delete_values

from phlo.errors import UnreadableFile
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge
from phlo.iceberg.tables import needs_reader, plan, scan_sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

NUMBERS = pa.schema([("n", pa.int64()), ("text", pa.string())])
MAPPED = '[{"field-id": 1, "names": ["n"]}, {"field-id": 2, "names": ["text"]}]'


@pytest.fixture
def make(tmp_path: Path) -> Callable[[pa.Schema], Table]:
    """A new empty table."""
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("r")
    return lambda schema: catalog.create_table("raw.t", schema, "r")


def read(table: Table) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        return con.sql(f"FROM ({scan_sql(table, con=con)}) ORDER BY ALL").to_arrow_table().to_pylist()


def add_data(table: Table, path: str, kind: FileFormat) -> None:
    """Add a data file of another engine's."""
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=kind,
        partition=Record(),
        record_count=2,
        file_size_in_bytes=100,
    )
    file.spec_id = 0
    add_deletes(table, [file])


def test_names_inside_of_structs_that_changed_hands_lead_to_the_values_of_their_field(
    make: Callable[[pa.Schema], Table],
) -> None:
    schema = pa.schema([("s", pa.struct([("a", pa.int32()), ("b", pa.int32()), ("c", pa.int32())]))])
    table = make(schema)
    append(table, pa.table({"s": [{"a": 1, "b": 2, "c": 3}]}, schema=schema))
    assert not any(needs_reader(table, task) for task in plan(table))
    with table.update_schema() as update:
        update.rename_column("s.a", "old")
        update.rename_column("s.b", "a")
    assert all(needs_reader(table, task) for task in plan(table))
    assert read(table) == [{"s": {"old": 1, "a": 2, "c": 3}}]


def test_orc_is_read_and_written_again_as_parquet_without_its_deleted_rows(
    make: Callable[[pa.Schema], Table],
) -> None:
    table = make(NUMBERS)
    with table.transaction() as change:
        change.set_properties({"schema.name-mapping.default": MAPPED})
    path = f"{table.location()}/a.orc"
    Path(table.location()).mkdir(exist_ok=True)
    orc.write_table(pa.table({"n": [1, 2], "text": ["a", "b"]}, schema=NUMBERS), path)
    add_data(table, path, FileFormat.ORC)
    assert read(table) == [{"n": 1, "text": "a"}, {"n": 2, "text": "b"}]
    delete_values(table, [{"n": 2}], ["n"])
    assert read(table) == [{"n": 1, "text": "a"}]
    merge(table, pa.table({"n": [1], "text": ["c"]}), ["n"])
    assert read(table) == [{"n": 1, "text": "c"}]
    assert {task.file.file_format for task in plan(table)} == {FileFormat.PARQUET}


def test_places_in_misread_files_are_not_taken_for_a_column_with_duckdbs_name_for_them(
    make: Callable[[pa.Schema], Table],
) -> None:
    table = make(NUMBERS)
    append(table, pa.table({"n": [5, 1, 0], "text": ["a", "b", "c"]}, schema=NUMBERS))
    with table.transaction() as change:
        change.set_properties({"schema.name-mapping.default": MAPPED})
    with table.update_schema() as update:
        update.rename_column("n", "rowid")
    (task,) = plan(table)
    delete_positions(table, {task.file.file_path: [0]})
    assert read(table) == [{"rowid": 0, "text": "c"}, {"rowid": 1, "text": "b"}]
    merge(table, pa.table({"rowid": [0], "text": ["d"]}), ["rowid"])
    assert read(table) == [{"rowid": 0, "text": "d"}, {"rowid": 1, "text": "b"}]


def test_avro_is_named(make: Callable[[pa.Schema], Table]) -> None:
    table = make(NUMBERS)
    add_data(table, "/x.avro", FileFormat.AVRO)
    with pytest.raises(UnreadableFile, match=r"`raw.t` has files .*: `/x.avro` is AVRO"):
        read(table)
