"""Merges and replacements against real tables, read back by PyIceberg and by DuckDB."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException

from phlo.engine.failure import explained
from phlo.errors import QueryFailed, UnsupportedPartitioning, WriteFailed
from phlo.iceberg import in_memory, parquet, rewrite
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import Limits, append, merge, replace
from phlo.iceberg.tables import evolve, scan_sql
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pyiceberg.table import Table

READINGS = pa.schema(
    [
        ("_id", pa.string()),
        ("sgv", pa.int64()),
        ("partition_date", pa.date32()),
        ("_phlo_load_id", pa.string()),
        ("_phlo_loaded_at", pa.timestamp("us", "UTC")),
    ]
)
JANUARY, FEBRUARY, MARCH = dt.date(2024, 1, 20), dt.date(2024, 2, 1), dt.date(2024, 3, 31)
NOW = dt.datetime(2024, 4, 1, tzinfo=dt.UTC)
PARTITIONINGS = ["", "day(partition_date)", "month(partition_date)"]


class Make(Protocol):
    def __call__(
        self, schema: pa.Schema = READINGS, partition_by: str = "month(partition_date)", keys: Sequence[str] = ("_id",)
    ) -> Table: ...


@pytest.fixture(params=["in memory", "staged"])
def make(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A new empty table on a ref of its own; batches of any size are staged, or small ones stay in memory."""
    if request.param == "staged":
        monkeypatch.setattr(in_memory, "MOST_ROWS", -1)
    folder = tmp_path / "a [1] folder's #?é name"
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", folder / "warehouse")

    def make(
        schema: pa.Schema = READINGS, partition_by: str = "month(partition_date)", keys: Sequence[str] = ("_id",)
    ) -> Table:
        ref = catalog.create_ref(f"run-{uuid.uuid4().hex[:6]}").name
        return catalog.create_table("raw.readings", schema, ref, partition_by=partition_by or None, keys=keys)

    return make


STAGED = pytest.mark.parametrize("make", ["staged"], indirect=True)
"""For what is too much for memory either way."""


def readings(*values: tuple[Any, Any, dt.date | None], load: str = "1") -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"_id": key, "sgv": sgv, "partition_date": day, "_phlo_load_id": load, "_phlo_loaded_at": NOW}
            for key, sgv, day in values
        ],
        schema=READINGS,
    )


def stored(table: Table) -> list[tuple[Any, Any, Any]]:
    rows = sorted(contents(table), key=repr)
    return [(row["_id"], row["sgv"], row["partition_date"]) for row in rows]


def contents(table: Table) -> list[dict[str, Any]]:
    """The rows, after making sure that PyIceberg and DuckDB read the same."""
    rows: list[dict[str, Any]] = table.scan().to_arrow().to_pylist()
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        read = con.sql(scan_sql(table, con=con)).to_arrow_table().to_pylist()
    assert Counter(map(repr, read)) == Counter(map(repr, rows))
    return rows


def files(table: Table) -> set[str]:
    return {task.file.file_path for task in table.scan().plan_files()}


def snapshots(table: Table) -> int:
    return len(table.snapshots())


# ── what a merge does ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("partition_by", PARTITIONINGS)
def test_new_keys_are_inserted_and_known_keys_updated_in_one_snapshot(make: Make, partition_by: str) -> None:
    table = make(partition_by=partition_by)
    merge(table, readings(("a", 1, JANUARY), ("b", 2, FEBRUARY), ("c", 3, MARCH)), ["_id"])
    written = merge(table, readings(("b", 20, FEBRUARY), ("d", 4, JANUARY)), ["_id"])
    assert written == Written(inserted=1, updated=1)
    assert stored(table) == [("a", 1, JANUARY), ("b", 20, FEBRUARY), ("c", 3, MARCH), ("d", 4, JANUARY)]
    assert snapshots(table) == 2


def test_a_batch_that_changes_nothing_makes_no_snapshot_and_no_file(make: Make, tmp_path: Path) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("b", None, FEBRUARY)), ["_id"])
    before, on_disk = table.metadata_location, set(tmp_path.rglob("*"))
    assert merge(table, readings(("b", None, FEBRUARY), ("a", 1, JANUARY)), ["_id"]) == Written(unchanged=2)
    assert (table.metadata_location, set(tmp_path.rglob("*"))) == (before, on_disk)


def test_a_row_whose_load_alone_differs_is_unchanged_and_keeps_its_load(make: Make) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), load="1"), ["_id"])
    assert merge(table, readings(("a", 1, JANUARY), ("b", 3, JANUARY), load="2"), ["_id"]) == Written(
        updated=1, unchanged=1
    )
    assert {row["_id"]: row["_phlo_load_id"] for row in contents(table)} == {"a": "1", "b": "2"}


@pytest.mark.parametrize("partition_by", PARTITIONINGS)
def test_a_key_moves_to_the_partition_of_its_newest_row(make: Make, partition_by: str) -> None:
    table = make(partition_by=partition_by)
    merge(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)), ["_id"])
    assert merge(table, readings(("a", 1, MARCH)), ["_id"]) == Written(updated=1)
    assert stored(table) == [("a", 1, MARCH), ("b", 2, JANUARY)]
    assert merge(table, readings(("a", 1, None)), ["_id"]) == Written(updated=1)
    assert stored(table) == [("a", 1, None), ("b", 2, JANUARY)]


@pytest.mark.parametrize(("method", "kept"), [("last", 3), ("first", 1), ("hash", 3)])
def test_of_rows_with_one_key_in_a_batch_one_counts(make: Make, method: str, kept: int) -> None:
    table = make()
    batch = readings(("a", 1, JANUARY), ("b", 7, JANUARY), ("a", 2, MARCH), ("b", 7, JANUARY), ("a", 3, FEBRUARY))
    assert merge(table, batch, ["_id"], deduplication=method) == Written(inserted=2)
    assert {key: sgv for key, sgv, _ in stored(table)} == {"a": kept, "b": 7}


def test_the_last_of_many_duplicates_wins_across_record_batches(make: Make) -> None:
    table = make()
    whole = readings(*((f"k{n % 997}", n, JANUARY) for n in range(20_000)))
    reader = pa.RecordBatchReader.from_batches(READINGS, whole.to_batches(max_chunksize=333))
    assert merge(table, reader, ["_id"]) == Written(inserted=997)
    newest = {f"k{n % 997}": n for n in range(20_000)}
    assert {key: sgv for key, sgv, _ in stored(table)} == newest


def test_a_composite_key_is_one_key(make: Make) -> None:
    table = make(keys=["_id", "partition_date"])
    merge(table, readings(("a", 1, JANUARY), ("a", 2, MARCH), ("b", 3, MARCH)), ["_id", "partition_date"])
    written = merge(table, readings(("a", 9, MARCH), ("b", 9, JANUARY)), ["_id", "partition_date"])
    assert written == Written(inserted=1, updated=1)
    assert stored(table) == [("a", 1, JANUARY), ("a", 9, MARCH), ("b", 3, MARCH), ("b", 9, JANUARY)]


def test_null_keys_are_one_key_and_never_double(make: Make) -> None:
    table = make(keys=["_id", "partition_date"])
    for sgv in (1, 2, 2):
        merge(table, readings((None, sgv, None), ("a", sgv, None), ("b", 0, MARCH)), ["_id", "partition_date"])
    assert sorted(stored(table), key=repr) == sorted([(None, 2, None), ("a", 2, None), ("b", 0, MARCH)], key=repr)


def test_keys_are_compared_by_their_characters(make: Make) -> None:
    table = make()
    keys = [
        "",
        " ",
        "é",
        "e\u0301",
        "E",
        "日本",
        "😀",
        "\U0010ffff",
        "a'b",
        'a"b',
        "a\nb",
        "x" * 2000,
        "x" * 2000 + "y",
    ]
    merge(table, readings(*((key, 1, JANUARY) for key in keys)), ["_id"])
    assert merge(table, readings(*((key, 2, JANUARY) for key in keys)), ["_id"]) == Written(updated=len(keys))
    assert Counter(key for key, _, _ in stored(table)) == Counter(keys)


def test_no_rows_change_nothing(make: Make) -> None:
    table = make()
    for write in (merge, lambda table, rows, _: append(table, rows), lambda table, rows, _: replace(table, rows)):
        assert write(table, readings(), ["_id"]) == Written()
    assert snapshots(table) == 0


def test_a_batch_may_be_larger_than_the_table(make: Make) -> None:
    table = make()
    merge(table, readings(("k5", -1, MARCH)), ["_id"])
    batch = readings(*((f"k{n}", n, JANUARY + dt.timedelta(n % 90)) for n in range(5000)))
    assert merge(table, batch, ["_id"]) == Written(inserted=4999, updated=1)
    assert len(stored(table)) == 5000


def test_duplicates_that_an_append_left_become_one_row(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY), ("a", 1, MARCH), ("a", 1, MARCH), ("b", 2, JANUARY)))
    assert merge(table, readings(("a", 1, MARCH)), ["_id"]) == Written(updated=1)
    assert stored(table) == [("a", 1, MARCH), ("b", 2, JANUARY)]


def test_columns_that_a_batch_lacks_turn_null_in_its_rows_only(make: Make) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY)), ["_id"])
    merge(table, pa.table({"_id": ["b", "c"], "partition_date": [JANUARY, JANUARY]}), ["_id"])
    assert stored(table) == [("a", 1, JANUARY), ("b", None, JANUARY), ("c", None, JANUARY)]


def test_files_from_before_an_evolution_are_merged_by_today_s_columns(make: Make) -> None:
    narrow = pa.schema([("key", pa.int32()), ("value", pa.float32())])
    table = make(narrow, "", ["key"])
    merge(table, pa.table({"key": [1, 2, -5], "value": [1.5, 2.5, 0.0]}, schema=narrow), ["key"])
    wide = pa.schema([("key", pa.int64()), ("value", pa.float64()), ("note", pa.string())])
    evolve(table, wide)
    batch = pa.table({"key": [2, 2**40], "value": [2.5, 1e300], "note": [None, "new"]}, schema=wide)
    assert merge(table, batch, ["key"]) == Written(inserted=1, unchanged=1)
    batch = pa.table({"key": [-5], "value": [0.1], "note": ["x"]}, schema=wide)
    assert merge(table, batch, ["key"]) == Written(updated=1)
    assert sorted((row["key"], row["value"], row["note"]) for row in contents(table)) == [
        (-5, 0.1, "x"),
        (1, 1.5, None),
        (2, 2.5, None),
        (2**40, 1e300, "new"),
    ]


def test_values_of_every_type_survive_rewrites_and_compare_equal(make: Make) -> None:
    first = {
        "key": 1,
        "bool": True,
        "float": 0.5,
        "nan": float("nan"),
        "decimal": decimal.Decimal("12345678901234567890.12"),
        "small": decimal.Decimal("1.50"),
        "date": JANUARY,
        "time": dt.time(23, 59, 59, 999_999),
        "naive": dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
        "utc": NOW,
        "binary": b"\x00\xff",
        "uuid": uuid.UUID(int=7),
        "list": [1, None, 3],
        "struct": {"a b": "é", "inner": [{"n": 1}]},
        "map": [("k", 1), ("l", None)],
        "with.dot": "x",
        "with space": "y",
    }
    schema = pa.schema(
        [
            ("key", pa.int64()),
            ("bool", pa.bool_()),
            ("float", pa.float32()),
            ("nan", pa.float64()),
            ("decimal", pa.decimal128(38, 2)),
            ("small", pa.decimal128(9, 2)),
            ("date", pa.date32()),
            ("time", pa.time64("us")),
            ("naive", pa.timestamp("us")),
            ("utc", pa.timestamp("us", "UTC")),
            ("binary", pa.binary()),
            ("uuid", pa.uuid()),
            ("list", pa.list_(pa.int64())),
            ("struct", pa.struct([("a b", pa.string()), ("inner", pa.list_(pa.struct([("n", pa.int32())])))])),
            ("map", pa.map_(pa.string(), pa.int64())),
            ("with.dot", pa.string()),
            ("with space", pa.string()),
        ]
    )
    table = make(schema, "", ["key"])
    nothing = dict.fromkeys(first) | {"key": 2}
    batch = pa.Table.from_pylist([first | {"uuid": first["uuid"].bytes}, nothing], schema=schema)  # type: ignore[attr-defined]
    merge(table, batch, ["key"])
    assert merge(table, batch, ["key"]) == Written(unchanged=2)
    other = pa.Table.from_pylist([nothing | {"key": 3}, nothing | {"float": 1.0}], schema=schema)
    assert merge(table, other, ["key"]) == Written(inserted=1, updated=1)
    read = {row["key"]: row for row in table.scan().to_arrow().to_pylist()}
    assert read[1].pop("nan") != first.pop("nan")
    assert read[1] == first
    assert read[2] == nothing | {"float": 1.0}
    assert replace(table, table.scan().to_arrow()) == Written(unchanged=3)


KEYS_OF_EVERY_TYPE = [
    (pa.int32(), [-(2**31), -1, 0, 2**31 - 1]),
    (pa.int64(), [-(2**63), -1, 0, 2**63 - 1]),
    (pa.string(), ["", "a", "b", "\U0010ffff"]),
    (pa.bool_(), [False, True]),
    (pa.float64(), [float("-inf"), -1.5, 0.0, float("inf"), float("nan")]),
    (pa.date32(), [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(2024, 1, 1), dt.date(9999, 12, 31)]),
    (pa.timestamp("us"), [dt.datetime(1, 1, 1), dt.datetime(1969, 12, 31, 23), dt.datetime(2024, 1, 1, 0, 0, 0, 1)]),
    (pa.timestamp("us", "UTC"), [dt.datetime(1969, 1, 1, tzinfo=dt.UTC), NOW]),
    (pa.time64("us"), [dt.time(0), dt.time(23, 59, 59, 999_999)]),
    (pa.decimal128(20, 3), [decimal.Decimal("-1.001"), decimal.Decimal("0"), decimal.Decimal("99999999999.999")]),
    (pa.binary(), [b"", b"\x00", b"\xff\xff"]),
]


@pytest.mark.parametrize(("kind", "keys"), KEYS_OF_EVERY_TYPE, ids=[str(kind) for kind, _ in KEYS_OF_EVERY_TYPE])
def test_keys_of_every_type_are_found_again(make: Make, kind: pa.DataType, keys: list[Any]) -> None:
    schema = pa.schema([("key", kind), ("value", pa.int64())])
    table = make(schema, "", ["key"])
    for key in keys:  # a file each, so that bounds matter
        merge(table, pa.table({"key": pa.array([key], kind), "value": [0]}, schema=schema), ["key"])
    for value, key in enumerate(keys, 1):
        batch = pa.table({"key": pa.array([key], kind), "value": [value]}, schema=schema)
        assert merge(table, batch, ["key"]) == Written(updated=1), key
    assert sorted(row["value"] for row in contents(table)) == list(range(1, len(keys) + 1))


# ── what a merge writes ──────────────────────────────────────────────────────────────────────────────────


def test_only_files_that_hold_a_changed_key_are_written_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrite, "SMALL_FILE", 0)
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("c", 1, FEBRUARY), ("z", 1, MARCH)), ["_id"])
    merge(table, readings(("b", 2, JANUARY)), ["_id"])
    before = files(table)
    merge(table, readings(("b", 3, JANUARY), ("c", 1, FEBRUARY), ("m", 1, MARCH)), ["_id"])
    assert len(before - files(table)) == 1
    assert stored(table) == [("a", 1, JANUARY), ("b", 3, JANUARY), ("c", 1, FEBRUARY), ("m", 1, MARCH), ("z", 1, MARCH)]


@STAGED
def test_of_a_large_load_a_later_batch_touches_the_files_of_its_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "FILE_BYTES", 500_000)
    monkeypatch.setattr(rewrite, "SMALL_FILE", 0)
    table = make(partition_by="")
    keys = [f"{number:07}{hashlib.md5(str(number).encode()).hexdigest()}" for number in range(300_000)]
    merge(table, pa.table({"_id": keys, "sgv": range(300_000)}), ["_id"])
    before = files(table)
    assert len(before) > 5
    merge(table, pa.table({"_id": keys[-100:], "sgv": [0] * 100}), ["_id"])
    assert len(before - files(table)) == 1


def test_small_files_of_a_partition_become_one(make: Make) -> None:
    table = make()
    for n in range(20):
        merge(table, readings((f"k{n}", n, JANUARY), (f"m{n}", n, MARCH)), ["_id"])
    assert len(files(table)) == 2
    assert len(stored(table)) == 40


def test_commits_do_not_pile_up_manifests(make: Make) -> None:
    table = make(partition_by="day(partition_date)")
    for n in range(12):
        merge(table, readings((f"k{n}", n, JANUARY + dt.timedelta(n))), ["_id"])
        merge(table, readings((f"k{n // 2}", -n, JANUARY + dt.timedelta(n // 2))), ["_id"])
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(table.io)) < 10
    assert len(stored(table)) == 12
    assert snapshot.summary is not None
    assert snapshot.summary["total-records"] == "12"


def test_a_table_that_another_tool_repartitioned_is_merged_exactly(make: Make) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("b", 2, JANUARY), ("c", 3, MARCH)), ["_id"])
    with table.update_spec() as update:
        update.remove_field("partition_date_month")
        update.add_field("partition_date", "day", "partition_date_day")
    assert merge(table, readings(("a", 9, MARCH), ("d", 4, JANUARY)), ["_id"]) == Written(inserted=1, updated=1)
    assert stored(table) == [("a", 9, MARCH), ("b", 2, JANUARY), ("c", 3, MARCH), ("d", 4, JANUARY)]
    days = {task.file.partition[0] for task in table.scan().plan_files() if task.file.spec_id == table.spec().spec_id}
    assert days == {(day - dt.date(1970, 1, 1)).days for day in (JANUARY, MARCH)}


@pytest.mark.parametrize("name", ["rowid", "RowId"])
def test_a_column_that_has_the_name_of_duckdbs_row_numbers_is_a_column_like_others(make: Make, name: str) -> None:
    schema = pa.schema([("_id", pa.int64()), (name, pa.int64()), ("partition_date", pa.date32())])

    def batch(*rows: tuple[int, int]) -> pa.Table:
        return pa.Table.from_pylist([{"_id": key, name: n, "partition_date": JANUARY} for key, n in rows], schema)

    table = make(schema)
    merge(table, batch((1, 7), (2, 7), (3, 8)), ["_id"])
    written = merge(table, batch((1, 8), (2, 7), (4, 8), (4, 7)), ["_id"])
    assert written == Written(inserted=1, updated=1, unchanged=1)
    with table.update_spec() as update:
        update.remove_field("partition_date_month")
    assert merge(table, batch((3, 7), (3, 9), (5, 7)), ["_id"]) == Written(inserted=1, updated=1)
    rows = sorted(contents(table), key=lambda row: row["_id"])
    assert [row[name] for row in rows] == [8, 7, 9, 7, 7]


def test_columns_that_have_the_names_which_a_merge_gives_its_own_are_columns_like_others(make: Make) -> None:
    names = ["v", "n", "h", "s", "b", "row", "rowid", "batch", "hits", "same", "gone", "pool"]
    names += ["file_index", "file_row_number"]
    schema = pa.schema([("_id", pa.int64()), *((name, pa.int64()) for name in names)])
    table = make(schema, partition_by="")
    for key, value in ((1, None), (2, 7), (1, 7), (2, None), (1, None)):
        merge(table, pa.Table.from_pylist([{"_id": key, **dict.fromkeys(names, value)}], schema), ["_id"])
    assert sorted((row["_id"], *(row[name] for name in names)) for row in contents(table)) == [
        (key, *[None] * len(names)) for key in (1, 2)
    ]
    written = merge(table, pa.Table.from_pylist([{"_id": 2, "v": 3}], schema), ["v"])
    assert written == Written(inserted=1)
    for key in ("file_index", "file_row_number"):
        merge(table, pa.Table.from_pylist([{"_id": n, key: n} for n in (5, 6)], schema), [key])
        changed = merge(table, pa.Table.from_pylist([{"_id": n + 1, key: n} for n in (6, 5)], schema), [key])
        assert changed == Written(updated=2)
    assert sorted(row["_id"] for row in contents(table)) == [1, 2, 2, 6, 6, 7, 7]


@pytest.mark.parametrize(
    ("column", "transform"), [("_id", "identity"), ("sgv", "identity"), ("_phlo_loaded_at", "year")]
)
def test_other_partitionings_that_tools_choose_are_written_too(make: Make, column: str, transform: str) -> None:
    table = make(partition_by="")
    with table.update_spec() as update:
        update.add_field(column, transform, "part")
    merge(table, readings(("a/..", 1, JANUARY), (None, 2, JANUARY), ("", 1, None)), ["_id"])
    assert merge(table, readings(("a/..", 5, JANUARY), (None, 2, JANUARY)), ["_id"]) == Written(updated=1, unchanged=1)
    assert sorted(stored(table), key=repr) == [("", 1, None), ("a/..", 5, JANUARY), (None, 2, JANUARY)]


def test_a_partitioning_that_phlo_does_not_write_is_named(make: Make) -> None:
    table = make(partition_by="")
    with table.update_spec() as update:
        update.add_field("_id", "bucket[8]", "part")
    with pytest.raises(UnsupportedPartitioning, match=r"`raw.readings` is partitioned by `bucket\[8\]\(_id\)`"):
        merge(table, readings(("a", 1, JANUARY)), ["_id"])


@STAGED
def test_a_batch_beyond_the_memory_limit_spills(make: Make, tmp_path: Path) -> None:
    table = make(partition_by="")
    count = 600_000
    batch = pa.table(
        {
            "_id": pa.array([f"{n * 7919 % count:024d}" for n in range(count)]),
            "sgv": pa.array(range(count), pa.int64()),
            "partition_date": pa.array([JANUARY] * count, pa.date32()),
        }
    )
    limits = Limits(memory="96MB", threads=1, temp=tmp_path / "spill")
    assert merge(table, batch, ["_id"], limits=limits) == Written(inserted=count)
    assert merge(table, batch, ["_id"], limits=limits) == Written(unchanged=count)
    assert not (tmp_path / "spill").exists()


@STAGED
def test_a_batch_that_neither_memory_nor_disk_can_take_says_so(make: Make, tmp_path: Path) -> None:
    table = make(partition_by="")
    batch = pa.table({"_id": pa.array([f"{n:0500d}" for n in range(150_000)])})
    (tmp_path / "no folder").write_text("")
    limits = Limits(memory="20MB", threads=1, temp=tmp_path / "no folder" / "spill")
    with pytest.raises(WriteFailed, match=r"Rows can not be written to `raw.readings`: (Out of Memory|IO) Error"):
        merge(table, batch, ["_id"], limits=limits)
    assert snapshots(table) == 0


def test_a_number_that_no_column_can_take_says_so(make: Make) -> None:
    table = make()
    batch = pa.table({"_id": ["a"], "sgv": pa.array([2**64 - 1], pa.uint64())})
    with pytest.raises(WriteFailed, match="18446744073709551615"):
        merge(table, batch, ["_id"])


@pytest.mark.parametrize("kind", [WriteFailed, KeyboardInterrupt])
def test_an_error_of_the_rows_themselves_comes_out_as_it_was(make: Make, kind: type[BaseException]) -> None:
    error = kind(table="x", detail="y") if kind is WriteFailed else kind()  # type: ignore[call-arg]

    def batches() -> Iterator[pa.RecordBatch]:
        yield from readings(("a", 1, JANUARY)).to_batches()
        raise error

    table = make()
    with pytest.raises(kind) as found:
        merge(table, pa.RecordBatchReader.from_batches(READINGS, batches()), ["_id"])
    assert found.value is error
    assert snapshots(table) == 0


def test_an_error_of_a_query_whose_rows_stream_in_is_that_of_the_query(make: Make) -> None:
    table = make()
    sql = "SELECT 'a' AS _id,\n CAST(t AS BIGINT) AS sgv\nFROM (SELECT unnest(['1', 'x']) AS t)"
    with duckdb.connect() as con, pytest.raises(QueryFailed) as found, explained(sql):
        merge(table, con.sql(sql).to_arrow_reader(1000), ["_id"])
    assert str(found.value).startswith("The query failed: cannot cast 'x' to bigint")


# ── two at once ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_concurrent_write_of_the_same_keys_surfaces_and_loses_nothing(make: Make, tmp_path: Path) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("z", 1, JANUARY)), ["_id"])
    stale = table.catalog.load_table(table.name())
    merge(table, readings(("m", 1, MARCH)), ["_id"])
    on_disk = set(tmp_path.rglob("*.parquet"))
    with pytest.raises(CommitFailedException):
        merge(stale, readings(("a", 2, JANUARY), ("m", 2, MARCH)), ["_id"])
    assert set(tmp_path.rglob("*.parquet")) == on_disk
    table.refresh()
    assert stored(table) == [("a", 1, JANUARY), ("m", 1, MARCH), ("z", 1, JANUARY)]


def test_a_concurrent_write_of_other_keys_does_not_stand_in_the_way(make: Make) -> None:
    table = make()
    merge(table, readings(("a", 1, JANUARY), ("b", 1, JANUARY)), ["_id"])
    stale = table.catalog.load_table(table.name())
    merge(table, readings(("m", 1, MARCH)), ["_id"])
    assert merge(stale, readings(("a", 2, JANUARY)), ["_id"]) == Written(updated=1)
    table.refresh()
    assert stored(table) == [("a", 2, JANUARY), ("b", 1, JANUARY), ("m", 1, MARCH)]


def test_two_first_writes_can_not_both_insert_a_key(make: Make) -> None:
    table = make()
    stale = table.catalog.load_table(table.name())
    merge(table, readings(("a", 1, JANUARY)), ["_id"])
    with pytest.raises(CommitFailedException):
        merge(stale, readings(("a", 2, JANUARY)), ["_id"])
    table.refresh()
    assert stored(table) == [("a", 1, JANUARY)]


def test_a_replacement_conflicts_with_a_concurrent_write_of_its_partition(make: Make) -> None:
    table = make()
    append(table, readings(("a", 1, JANUARY)))
    stale, other = (table.catalog.load_table(table.name()) for _ in range(2))
    append(table, readings(("b", 1, JANUARY)))
    with pytest.raises(CommitFailedException):
        replace(stale, readings(("c", 1, JANUARY)), [JANUARY])
    assert replace(other, readings(("d", 1, MARCH)), [MARCH]) == Written(inserted=1)
    table.refresh()
    assert stored(table) == [("a", 1, JANUARY), ("b", 1, JANUARY), ("d", 1, MARCH)]


# ── replacements and appends ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("partition_by", PARTITIONINGS)
def test_a_replacement_of_partitions_leaves_the_others(make: Make, partition_by: str) -> None:
    table = make(partition_by=partition_by)
    next_day = JANUARY + dt.timedelta(1)
    append(table, readings(("a", 1, JANUARY), ("b", 2, next_day), ("c", 3, MARCH), ("n", 0, None)))
    written = replace(table, readings(("x", 9, JANUARY), ("y", 9, JANUARY)), [JANUARY, FEBRUARY])
    assert written == Written(inserted=2, deleted=1)
    assert stored(table) == [("b", 2, next_day), ("c", 3, MARCH), ("n", 0, None), ("x", 9, JANUARY), ("y", 9, JANUARY)]
    assert replace(table, readings(), [MARCH]) == Written(deleted=1)
    assert stored(table) == [("b", 2, next_day), ("n", 0, None), ("x", 9, JANUARY), ("y", 9, JANUARY)]


def test_a_replacement_by_the_same_rows_makes_no_snapshot(make: Make) -> None:
    table = make()
    rows = [("a", 1, JANUARY), ("a", 1, JANUARY), ("b", None, MARCH)]
    append(table, readings(*rows))
    assert replace(table, readings(*reversed(rows), load="2")) == Written(unchanged=3)
    assert replace(table, readings(rows[0], rows[0], load="2"), [JANUARY]) == Written(unchanged=2)
    assert snapshots(table) == 1
    assert replace(table, readings(rows[0], ("b", None, JANUARY)), [JANUARY]) == Written(inserted=2, deleted=2)


def test_a_whole_table_is_replaced_and_can_be_emptied(make: Make) -> None:
    table = make(partition_by="")
    append(table, readings(("a", 1, JANUARY), ("b", 2, None)))
    assert replace(table, readings(("c", 3, MARCH))) == Written(inserted=1, deleted=2)
    assert stored(table) == [("c", 3, MARCH)]
    assert replace(table, readings()) == Written(deleted=1)
    assert stored(table) == []


def test_an_append_adds_rows_whatever_is_there(make: Make) -> None:
    table = make()
    for _ in range(2):
        assert append(table, readings(("a", 1, JANUARY), ("a", 1, None))) == Written(inserted=2)
    assert Counter(stored(table)) == {("a", 1, JANUARY): 2, ("a", 1, None): 2}


@STAGED
def test_a_merge_holds_the_batch_in_memory_and_not_the_table(make: Make, tmp_path: Path) -> None:
    table = make(partition_by="")
    count = 300_000
    keys = pa.array([f"{n * 7919 % count:060d}" for n in range(count)])
    append(table, pa.table({"_id": keys, "sgv": pa.array(range(count), pa.int64())}))
    (tmp_path / "no folder").write_text("")
    limits = Limits(memory="48MB", threads=1, temp=tmp_path / "no folder" / "spill")
    assert merge(table, pa.table({"_id": keys[:5], "sgv": [-1] * 5}), ["_id"], limits=limits) == Written(updated=5)
    assert sorted(table.scan().to_arrow()["sgv"].to_pylist()) == [-1] * 5 + list(range(5, count))
