"""Files read by Arrow keep their dictionaries, and lose from them what no row has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.in_memory import _held
from phlo.iceberg.merge import append, merge
from phlo.iceberg.parquet import stored_schema
from phlo.iceberg.plain_files import NotPlain, PlainFile, arrow_schema, conformed
from phlo.iceberg.tables import local_path, plan

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table

SCHEMA = pa.schema([("_id", pa.int64()), ("text", pa.string())])


def made(tmp_path: Path) -> Table:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    table = catalog.create_table("raw.t", SCHEMA, "run-1", keys=["_id"])
    append(table, pa.table({"_id": range(1_000), "text": ["secret", *["x", "y", None] * 333]}, schema=SCHEMA))
    return table


def opened(table: Table) -> PlainFile:
    (task,) = table.scan().plan_files()
    schema = arrow_schema(stored_schema(table))
    assert schema is not None
    return PlainFile.of(task.file, schema)


def test_texts_that_repeat_are_numbers_of_a_dictionary(tmp_path: Path) -> None:
    file = opened(made(tmp_path))
    (rows,) = file.row_groups()
    assert file.dictionaries == {1}
    assert pa.types.is_dictionary(rows["text"].type) and rows["text"].null_count == 333
    assert rows["_id"].to_pylist() == list(range(1_000))


def test_a_value_that_no_row_has_any_more_is_not_in_the_file(tmp_path: Path) -> None:
    table = made(tmp_path)
    (task,) = table.scan().plan_files()
    merge(table, pa.table({"_id": [0], "text": ["x"]}, schema=SCHEMA), ["_id"])
    file = opened(table)
    assert file.path != local_path(task.file.file_path)
    (rows,) = file.row_groups()
    assert set(rows["text"].chunk(0).dictionary.to_pylist()) == {"x", "y"}
    assert pq.read_table(file.path)["text"].to_pylist() == ["x", "y", None] * 333 + ["x"]


def test_columns_that_are_called_otherwise_now_keep_their_own_dictionaries(tmp_path: Path) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    schema = pa.schema([("_id", pa.int64()), ("a", pa.string()), ("b", pa.string())])
    table = catalog.create_table("raw.t", schema, "run-1", keys=["_id"])
    append(table, pa.table({"_id": range(1_000), "a": ["x", "y"] * 500, "b": [f"{n:040d}" for n in range(1_000)]}))
    for old, new in (("a", "c"), ("b", "a"), ("c", "b")):
        with table.update_schema() as update:
            update.rename_column(old, new)
    assert opened(table).dictionaries == {1}
    merge(table, pa.table({"_id": [0], "b": ["z"], "a": ["0"]}), ["_id"])
    file = opened(table)
    assert [file.footer.schema.column(place).name for place in range(3)] == ["_id", "b", "a"]
    assert file.dictionaries == {1}
    assert sorted(set(table.scan().to_arrow()["b"].to_pylist())) == ["x", "y", "z"]
    assert len(set(table.scan().to_arrow()["a"].to_pylist())) == 1_000


def test_texts_of_a_renamed_column_are_not_unpacked(tmp_path: Path) -> None:
    table = made(tmp_path)
    with table.update_schema() as update:
        update.rename_column("text", "remark")
    tasks = plan(table)
    (file,) = _held(table, tasks)
    assert file.held is not None and pa.types.is_dictionary(file.held["remark"].type)


def test_what_arrow_can_not_convert_is_left_to_duckdb() -> None:
    with pytest.raises(NotPlain):
        conformed(pa.table({"a": ["x"]}), pa.schema([("a", pa.int64())]))
