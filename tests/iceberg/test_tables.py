"""Schemas, evolution and scans of real tables, with files that other tools have changed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phlo.errors import AmbiguousColumn, SchemaMismatch, UnknownColumn, UnsupportedType
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge, replace
from phlo.iceberg.tables import as_pattern, evolve, iceberg_schema, local_path, scan_sql
from phlo.protocols import Written

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.table import Table
    from tests.iceberg.conftest import DeleteRows

READINGS = pa.schema([("_id", pa.string()), ("sgv", pa.int32()), ("partition_date", pa.date32())])
JANUARY, FEBRUARY, MARCH = dt.date(2024, 1, 20), dt.date(2024, 2, 1), dt.date(2024, 3, 31)


class Make(Protocol):
    def __call__(self, schema: pa.Schema = READINGS, partition_by: str | None = None) -> Table: ...


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A new empty table."""
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")

    def make(schema: pa.Schema = READINGS, partition_by: str | None = None) -> Table:
        catalog.create_ref("run-1")
        return catalog.create_table("raw.readings", schema, "run-1", partition_by=partition_by, keys=["_id"])

    return make


def read(table: Table, **options: Any) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        rows: list[dict[str, Any]] = con.sql(scan_sql(table, con=con, **options)).to_arrow_table().to_pylist()
    return sorted(rows, key=repr)


def readings(*values: tuple[str | None, int | None, dt.date | None]) -> pa.Table:
    rows = [dict(zip(READINGS.names, value, strict=True)) for value in values]
    return pa.Table.from_pylist(rows, schema=READINGS)


# ── schemas ──────────────────────────────────────────────────────────────────────────────────────────────

SPELLINGS = [
    (pa.int8(), "int"),
    (pa.uint16(), "int"),
    (pa.uint32(), "long"),
    (pa.uint64(), "long"),
    (pa.float16(), "float"),
    (pa.float64(), "double"),
    (pa.decimal128(10, 2), "decimal(10, 2)"),
    (pa.decimal256(38, 2), "decimal(38, 2)"),
    (pa.date64(), "date"),
    (pa.time32("s"), "time"),
    (pa.time64("ns"), "time"),
    (pa.timestamp("s"), "timestamp"),
    (pa.timestamp("ns"), "timestamp"),
    (pa.timestamp("ms", "Europe/Berlin"), "timestamptz"),
    (pa.timestamp("us", "+02:00"), "timestamptz"),
    (pa.string(), "string"),
    (pa.large_string(), "string"),
    (pa.string_view(), "string"),
    (pa.null(), "string"),
    (pa.dictionary(pa.int32(), pa.string()), "string"),
    (pa.run_end_encoded(pa.int32(), pa.int64()), "long"),
    (pa.json_(), "string"),
    (pa.uuid(), "uuid"),
    (pa.binary(16), "binary"),
    (pa.large_binary(), "binary"),
    (pa.large_list(pa.int16()), "list<int>"),
    (pa.list_(pa.float32(), 3), "list<float>"),
    (pa.map_(pa.string(), pa.large_string()), "map<string, string>"),
]


@pytest.mark.parametrize(("arrow", "iceberg"), SPELLINGS, ids=[str(arrow) for arrow, _ in SPELLINGS])
def test_each_arrow_type_has_one_iceberg_type(arrow: pa.DataType, iceberg: str) -> None:
    (field,) = iceberg_schema(pa.schema([pa.field("a", arrow, nullable=arrow == pa.null())])).fields
    assert (str(field.field_type), field.required) == (iceberg, False)


def test_every_field_of_a_schema_has_an_id_of_its_own() -> None:
    struct = pa.struct([("x", pa.list_(pa.map_(pa.string(), pa.struct([("y", pa.int32())]))))])
    schema = iceberg_schema(pa.schema([("a", struct), ("b", struct), ("c", pa.int32())]))
    assert [field.field_id for field in schema.fields] == [1, 2, 3]
    ids = schema.field_ids
    assert len(ids) == len(set(ids)) == 13


@pytest.mark.parametrize(
    "arrow",
    [pa.duration("s"), pa.month_day_nano_interval(), pa.decimal256(50, 2), pa.sparse_union([pa.field("a", pa.int8())])],
)
def test_a_type_that_no_table_holds_is_named_with_its_column(arrow: pa.DataType) -> None:
    with pytest.raises(UnsupportedType, match=r"column `s.element` has the type") as error:
        iceberg_schema(pa.schema([("s", pa.list_(arrow))]))
    assert error.value.values["given"] == str(arrow)


@pytest.mark.parametrize("names", [["sgv", "SGV"], ["a", "a"]])
def test_columns_that_sql_can_not_tell_apart_are_named(names: list[str]) -> None:
    with pytest.raises(AmbiguousColumn, match=f"`{names[0]}` and `{names[1]}`"):
        iceberg_schema(pa.schema([(name, pa.int32()) for name in names]))


# ── evolution ────────────────────────────────────────────────────────────────────────────────────────────


def test_new_columns_are_added_and_numbers_widen(make: Make) -> None:
    table = make(pa.schema([("n", pa.int32()), ("x", pa.float32())]))
    append(table, pa.table({"n": [1], "x": [0.5]}))
    wider = [
        ("x", pa.float64()),
        ("n", pa.int64()),
        ("at", pa.timestamp("ns", "UTC")),
        ("a.b c", pa.list_(pa.string())),
    ]
    evolve(table, pa.schema(wider))
    assert {field.name: str(field.field_type) for field in table.schema().fields} == {
        "n": "long",
        "x": "double",
        "at": "timestamptz",
        "a.b c": "list<string>",
    }
    assert read(table) == [{"n": 1, "x": 0.5, "at": None, "a.b c": None}]


def test_a_schema_that_fits_changes_nothing(make: Make) -> None:
    table = make(pa.schema([("n", pa.int64()), ("x", pa.float64()), ("text", pa.string())]))
    before = table.metadata_location
    evolve(table, pa.schema([("x", pa.float32()), ("n", pa.int16()), ("text", pa.null()), ("unknown", pa.null())]))
    evolve(table, pa.schema([("text", pa.dictionary(pa.int8(), pa.string()))]))
    assert table.metadata_location == before


@pytest.mark.parametrize(
    ("stored", "given", "words"),
    [
        (pa.int64(), pa.string(), "is `long`, but the new rows hold `string`"),
        (pa.string(), pa.int64(), "is `string`, but the new rows hold `long`"),
        (pa.int64(), pa.float64(), "is `long`, but the new rows hold `double`"),
        (pa.float64(), pa.int64(), "is `double`, but the new rows hold `long`"),
        (pa.date32(), pa.timestamp("us"), "is `date`, but the new rows hold `timestamp`"),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), "is `timestamp`, but the new rows hold `timestamptz`"),
        (pa.decimal128(9, 2), pa.decimal128(10, 2), r"is `decimal\(9, 2\)`, but the new rows hold `decimal\(10, 2\)`"),
        (pa.list_(pa.int32()), pa.list_(pa.int64()), "is `list<int>`, but the new rows hold `list<long>`"),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())]), "is `struct"),
    ],
)
def test_types_that_do_not_meet_are_named_before_anything_changes(
    make: Make, stored: pa.DataType, given: pa.DataType, words: str
) -> None:
    table = make(pa.schema([("fine", pa.int32()), ("value", stored)]))
    before = table.metadata_location
    with pytest.raises(SchemaMismatch, match=f"`value` of `raw.readings` {words}"):
        evolve(table, pa.schema([("new", pa.int32()), ("fine", pa.int64()), ("value", given)]))
    assert table.metadata_location == before
    assert [field.name for field in table.schema().fields] == ["fine", "value"]


def test_a_new_column_that_differs_in_case_from_a_stored_one_is_named(make: Make) -> None:
    table = make()
    with pytest.raises(AmbiguousColumn, match="`sgv` and `SGV`"):
        evolve(table, pa.schema([("SGV", pa.int32())]))


# ── scans ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_without_files_is_an_empty_relation_of_its_types(make: Make) -> None:
    table = make(pa.schema([("a", pa.decimal128(5, 1)), ("b c", pa.list_(pa.struct([("x y", pa.int32())])))]))
    relation = duckdb.sql(scan_sql(table))
    assert relation.fetchall() == []
    assert list(zip(relation.columns, map(str, relation.types), strict=True)) == [
        ("a", "DECIMAL(5,1)"),
        ("b c", 'STRUCT("x y" INTEGER)[]'),
    ]


def test_renamed_added_and_dropped_columns_come_out_right(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    with table.update_schema() as update:
        update.rename_column("sgv", "glucose").delete_column("_id")
    evolve(table, pa.schema([("sgv", pa.string()), ("_id", pa.int64())]))
    append(table, pa.table({"glucose": [2], "sgv": ["two"], "_id": [7], "partition_date": [MARCH]}))
    assert read(table) == [
        {"glucose": 1, "partition_date": JANUARY, "sgv": None, "_id": None},
        {"glucose": 2, "partition_date": MARCH, "sgv": "two", "_id": 7},
    ]


def test_a_scan_can_be_of_some_columns_and_partitions(make: Make) -> None:
    table = make(partition_by="month(partition_date)")
    append(table, readings(("a", 1, JANUARY), ("b", 2, FEBRUARY), ("c", 3, MARCH), ("d", 4, None)))
    assert read(table, columns=["sgv"], partitions=[JANUARY, MARCH]) == [{"sgv": 1}, {"sgv": 3}]
    assert read(table, columns=["partition_date", "_id"], partitions=[MARCH]) == [{"partition_date": MARCH, "_id": "c"}]
    assert read(table, partitions=[dt.date(2024, 1, 21)]) == []
    assert scan_sql(table, partitions=[MARCH]).count(".parquet'") == 1


def test_an_unknown_column_is_an_error_with_the_nearest_one(make: Make) -> None:
    with pytest.raises(UnknownColumn, match=r"no column `svg` in `raw.readings`; did you mean `sgv`\?"):
        scan_sql(make(), columns=["_id", "svg"])


def test_a_scan_reads_the_snapshot_that_was_opened(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    old = table.catalog.load_table(table.name())
    replace(table, readings(("b", 2, MARCH)))
    assert [row["_id"] for row in read(old)] == ["a"]
    assert [row["_id"] for row in read(table)] == ["b"]


def test_a_file_is_never_mistaken_for_one_that_its_name_matches_as_a_pattern(tmp_path: Path) -> None:
    for folder in ("lake[1]", "lake1", "lake?", "lake*"):
        catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/{folder}.db", tmp_path / folder)
        catalog.create_ref("r")
        table = catalog.create_table("raw.t", READINGS, "r")
        append(table, readings((folder, 1, None)))
        (task,) = table.scan().plan_files()
        twin = tmp_path / "lake1" / local_path(task.file.file_path).split(f"{folder}/", 1)[1]
        if folder != "lake1":  # where a pattern would look
            twin.parent.mkdir(parents=True)
            pq.write_table(pa.table({"_id": ["wrong"]}), twin)
        assert [row["_id"] for row in read(table)] == [folder]


def test_patterns_and_locations_are_told_apart() -> None:
    assert as_pattern("/a/b.parquet") == "/a/b.parquet"
    assert as_pattern("/*/[x]?") == "/[*]/[[]x][?]"
    assert [local_path(location) for location in ("file:///a b", "file:/a", "/a#?")] == ["/a b", "/a", "/a#?"]


# ── files of other tools ─────────────────────────────────────────────────────────────────────────────────


def test_rows_that_another_tool_deleted_stay_deleted(make: Make, delete_rows: DeleteRows) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), ("c", 3, MARCH)))
    delete_rows(table, "b")
    assert [row["_id"] for row in read(table)] == ["a", "c"]
    assert read(table, columns=["sgv"], partitions=[JANUARY]) == [{"sgv": 1}]
    with pytest.raises(ValueError, match="takes a connection"):
        scan_sql(table)


def test_a_merge_into_a_file_with_deleted_rows_does_not_bring_them_back(make: Make, delete_rows: DeleteRows) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), ("c", 3, MARCH)))
    delete_rows(table, "b")
    batch = readings(("a", 1, JANUARY), ("b", 9, FEBRUARY), ("c", 4, MARCH))
    assert merge(table, batch, ["_id"]) == Written(inserted=1, updated=1, unchanged=1)
    assert [(row["_id"], row["sgv"]) for row in read(table)] == [("a", 1), ("b", 9), ("c", 4)]
    assert sorted(table.scan().to_arrow()["sgv"].to_pylist()) == [1, 4, 9]


def test_files_without_field_ids_are_read_by_name(make: Make, tmp_path: Path) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(readings(("b", 2, MARCH)), foreign)
    table.add_files([str(foreign)])
    assert [(row["_id"], row["sgv"]) for row in read(table)] == [("a", 1), ("b", 2)]
    assert merge(table, readings(("a", 5, JANUARY), ("b", 6, MARCH)), ["_id"]) == Written(updated=2)
    assert [(row["_id"], row["sgv"]) for row in read(table)] == [("a", 5), ("b", 6)]
