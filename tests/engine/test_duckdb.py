"""The embedded engine on a real catalog: pinned reads, the wall around queries, and writes on a ref."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from tests.iceberg.deleting import delete_positions, delete_values

from phlo.config import Settings
from phlo.engine.dialect import to_duckdb
from phlo.engine.duckdb import DuckDBEngine
from phlo.errors import (
    PublishConflict,
    QueryError,
    QueryFailed,
    QueryNotAllowed,
    SchemaMismatch,
    TypesDiffer,
    UnknownColumn,
    UnknownTable,
)
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.tables import plan
from phlo.protocols import Engine, View, Written

if TYPE_CHECKING:
    from collections.abc import Iterator

JANUARY, MARCH = dt.date(2024, 1, 20), dt.date(2024, 3, 31)


def open_catalog(folder: Path) -> SqlRefCatalog:
    catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", folder / "it's [1] lake?" / "warehouse")
    catalog.create_ref("run-1")
    return catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlRefCatalog]:
    catalog = open_catalog(tmp_path)
    yield catalog
    catalog.close()


@pytest.fixture
def engine(catalog: SqlRefCatalog, tmp_path: Path) -> DuckDBEngine:
    return DuckDBEngine(catalog, Settings(), tmp_path / "temp")


@pytest.fixture
def lake(engine: DuckDBEngine) -> DuckDBEngine:
    """The engine with three readings and a view on the ref ``run-1``."""
    fill(engine)
    return engine


@pytest.fixture(scope="module")
def one_lake(tmp_path_factory: pytest.TempPathFactory) -> DuckDBEngine:
    """Such an engine for many tests that change nothing."""
    folder = tmp_path_factory.mktemp("lake")
    engine = DuckDBEngine(open_catalog(folder), Settings(), folder / "temp")
    fill(engine)
    return engine


def fill(engine: DuckDBEngine) -> None:
    engine.write("raw.readings", readings(("a", 110), ("b", 210), ("c", None)), "run-1", mode="merge", keys=["_id"])
    view = View("SELECT _id, sgv / 100 AS hundreds FROM raw.readings WHERE sgv IS NOT NULL")
    engine.catalog.put_view("silver.hundreds", view, "run-1")


def readings(*values: tuple[str, int | None], day: dt.date = JANUARY) -> pa.Table:
    rows = [{"_id": key, "sgv": sgv, "partition_date": day} for key, sgv in values]
    return pa.Table.from_pylist(
        rows, schema=pa.schema([("_id", pa.string()), ("sgv", pa.int64()), ("partition_date", pa.date32())])
    )


def ask(engine: DuckDBEngine, sql: str, ref: str = "run-1") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.query(sql, engine.catalog.pin(ref)).to_pylist()
    return rows


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_an_engine(engine: DuckDBEngine) -> None:
    assert isinstance(engine, Engine)


def test_a_query_speaks_the_project_s_dialect(lake: DuckDBEngine) -> None:
    assert ask(lake, "SELECT count_if(sgv > 180) AS high, 7 / 2 AS half FROM raw.readings") == [{"high": 1, "half": 3}]


def test_a_query_in_duckdb_s_own_dialect_passes_through(lake: DuckDBEngine) -> None:
    own = DuckDBEngine(lake.catalog, Settings(dialect="duckdb"), lake.temp)
    assert ask(own, "SELECT 7 / 2 AS half, * EXCLUDE (sgv) FROM raw.readings WHERE _id = 'a'") == [
        {"half": 3.5, "_id": "a", "partition_date": JANUARY}
    ]


@pytest.mark.parametrize("named", ["lake", "Iceberg"])
def test_a_table_may_be_named_with_its_catalog_in_either_dialect(lake: DuckDBEngine, named: str) -> None:
    own = DuckDBEngine(lake.catalog, Settings(dialect="duckdb"), lake.temp)
    for engine in (lake, own):
        sql = f"SELECT {named}.raw.readings._id FROM {named}.raw.readings WHERE readings.sgv > 180"
        assert ask(engine, sql) == ask(lake, "SELECT _id FROM raw.readings WHERE sgv > 180")


def test_an_alias_that_is_called_like_the_catalog_stays_a_struct(lake: DuckDBEngine) -> None:
    own = DuckDBEngine(lake.catalog, Settings(dialect="duckdb"), lake.temp)
    assert ask(own, "SELECT lake.a.b.c AS c FROM (SELECT {'b': {'c': 7}} AS a) AS lake") == [{"c": 7}]


def test_values_come_out_in_utc_and_exact(lake: DuckDBEngine) -> None:
    sql = (
        "SELECT TIMESTAMP '2024-01-20 01:00:00 Europe/Berlin' AS at, DECIMAL '0.10' AS tenth, DATE '2024-02-29' AS day"
    )
    table = lake.query(sql, lake.catalog.pin("run-1"))
    assert table.schema.field("at").type == pa.timestamp("us", "UTC")
    assert table.to_pylist() == [
        {"at": dt.datetime(2024, 1, 20, tzinfo=dt.UTC), "tenth": Decimal("0.10"), "day": dt.date(2024, 2, 29)}
    ]


def test_views_and_what_they_read_are_bound_in_the_dialect(lake: DuckDBEngine) -> None:
    lake.catalog.put_view("gold.top", View("SELECT max(hundreds) AS top FROM silver.hundreds"), "run-1")
    assert ask(lake, "SELECT g.top, s._id FROM gold.top g JOIN silver.hundreds s ON s.hundreds = g.top") == [
        {"top": 2, "_id": "b"}
    ]


def test_a_query_that_fails_in_a_view_says_how_to_see_the_view(lake: DuckDBEngine) -> None:
    lake.catalog.put_view("silver.shares", View("SELECT sgv / (sgv - sgv) AS share FROM raw.readings"), "run-1")
    with pytest.raises(QueryFailed, match="division by zero") as failed:
        lake.query("SELECT * FROM silver.shares", lake.catalog.pin("run-1"))
    assert "`phlo catalog describe silver.shares` shows the SQL of a view" in failed.value.next_step


def test_views_that_read_each_other_are_named(lake: DuckDBEngine) -> None:
    lake.catalog.put_view("silver.a", View("SELECT * FROM silver.b"), "run-1")
    lake.catalog.put_view("silver.b", View("SELECT * FROM silver.a"), "run-1")
    with pytest.raises(QueryFailed, match=r"views read each other: silver.a → silver.b → silver.a"):
        ask(lake, "SELECT * FROM silver.a")


def test_a_view_whose_table_is_gone_names_the_table(lake: DuckDBEngine) -> None:
    lake.catalog.drop_table("raw.readings", "run-1")
    with pytest.raises(UnknownTable, match=r"no table `raw.readings` on `run-1`"):
        ask(lake, "SELECT * FROM silver.hundreds")


def test_a_view_that_no_longer_fits_its_table_says_what_is_missing(lake: DuckDBEngine) -> None:
    lake.catalog.put_view("silver.broken", View("SELECT glucose\nFROM raw.readings"), "run-1")
    with pytest.raises(QueryFailed, match="glucose") as error:
        ask(lake, "SELECT * FROM silver.broken")
    assert error.value.next_step == "line 1: `SELECT glucose`"


def test_names_are_found_in_any_case(lake: DuckDBEngine) -> None:
    assert ask(lake, 'SELECT count(*) AS n FROM RAW.Readings JOIN Silver."HUNDREDS" USING (_id)') == [{"n": 2}]


def test_an_unknown_table_is_named_with_the_nearest(lake: DuckDBEngine) -> None:
    with pytest.raises(UnknownTable, match=r"no table `raw.reading` on `run-1`; did you mean `raw.readings`\?"):
        ask(lake, "SELECT * FROM raw.reading")
    with pytest.raises(UnknownTable, match=r"no table `readings` on `run-1`; did you mean `raw.readings`\?"):
        ask(lake, "SELECT * FROM readings")


def test_a_pin_goes_on_showing_its_state(lake: DuckDBEngine) -> None:
    pin = lake.catalog.pin("run-1")
    lake.write("raw.readings", readings(("a", 1)), "run-1", mode="merge", keys=["_id"])
    lake.catalog.put_view("silver.hundreds", View("SELECT 0 AS hundreds"), "run-1")
    old = lake.query("SELECT sgv FROM raw.readings WHERE _id = 'a'", pin).to_pylist()
    assert old == [{"sgv": 110}]
    assert lake.query("SELECT sum(hundreds) AS h FROM silver.hundreds", pin).to_pylist() == [{"h": 3}]
    assert ask(lake, "SELECT sgv FROM raw.readings WHERE _id = 'a'") == [{"sgv": 1}]


def test_only_the_tables_that_a_query_names_are_opened(lake: DuckDBEngine) -> None:
    lake.write("raw.other", readings(("x", 1)), "run-1", mode="append")
    table = lake.catalog.load("raw.other", "run-1")
    shutil.rmtree(table.location())
    assert ask(lake, "SELECT count(*) AS n FROM raw.readings") == [{"n": 3}]


def test_what_a_query_on_a_run_s_ref_read_must_not_move_before_its_publish(lake: DuckDBEngine) -> None:
    lake.catalog.publish("run-1")
    for ref in ("run-2", "run-3"):
        lake.catalog.create_ref(ref)
    ask(lake, "SELECT * FROM silver.hundreds", "run-3")
    lake.write("raw.sums", pa.table({"n": [1]}), "run-3", mode="replace")
    lake.write("raw.readings", readings(("d", 1)), "run-2", mode="merge", keys=["_id"])
    lake.catalog.publish("run-2")
    with pytest.raises(PublishConflict, match=r"raw.readings"):
        lake.catalog.publish("run-3")


def test_queries_run_side_by_side(lake: DuckDBEngine) -> None:
    pin = lake.catalog.pin("run-1")
    with ThreadPoolExecutor(8) as pool:
        sums = pool.map(lambda n: lake.query(f"SELECT sum(sgv) + {n} AS s FROM raw.readings", pin), range(24))
        assert [table["s"][0].as_py() for table in sums] == [320 + n for n in range(24)]


def test_a_table_can_be_read_by_columns_and_partitions(lake: DuckDBEngine) -> None:
    lake.write("raw.readings", readings(("z", 9), day=MARCH), "run-1", mode="merge", keys=["_id"])
    pin = lake.catalog.pin("run-1")
    assert lake.read("raw.readings", pin).num_rows == 4
    assert lake.read("raw.readings", pin, columns=["sgv"], partitions=[MARCH]).to_pylist() == [{"sgv": 9}]
    assert sorted(lake.read("silver.hundreds", pin, columns=["hundreds"])["hundreds"].to_pylist()) == [0, 1, 2]
    with pytest.raises(UnknownColumn, match="did you mean `sgv`"):
        lake.read("raw.readings", pin, columns=["sgw"])
    with pytest.raises(UnknownTable, match=r"did you mean `raw\.readings`"):
        lake.read("raw.reading", pin)


# ── errors of queries ────────────────────────────────────────────────────────────────────────────────────


def test_a_column_that_is_not_there_is_shown_on_its_line(lake: DuckDBEngine) -> None:
    with pytest.raises(QueryFailed, match="column `sgw` cannot be resolved; did you mean `sgv`") as error:
        ask(lake, "SELECT\n  _id,\n  sgw * 2 AS twice\nFROM raw.readings")
    assert error.value.next_step == "line 3: `sgw * 2 AS twice`"


def test_a_value_that_can_not_be_computed_is_an_error_of_the_query(lake: DuckDBEngine) -> None:
    with pytest.raises(QueryFailed, match="not a whole number: a"):
        ask(lake, "SELECT CAST(_id AS bigint) FROM raw.readings")


# ── the wall ─────────────────────────────────────────────────────────────────────────────────────────────

ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT content FROM read_blob('/proc/self/environ')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM raw.readings, read_csv('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "EXPLAIN SELECT * FROM read_csv('/etc/passwd')",
    "EXPLAIN ANALYZE COPY raw.readings TO '{out}'",
    "COPY (SELECT 1) TO '{out}'",
    "COPY raw.readings TO '{out}'",
    "CREATE TABLE raw.x AS SELECT 1",
    "INSERT INTO raw.readings VALUES ('x', 1, NULL)",
    "DELETE FROM raw.readings",
    "DROP TABLE raw.readings",
    "ATTACH '{out}'",
    "SET memory_limit = '1TB'",
    "RESET ALL",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "SELECT 1; DROP TABLE raw.readings",
    "SELECT 1; SELECT * FROM read_csv('/etc/passwd')",
    "SHOW TABLES; COPY (SELECT 1) TO '{out}'",
    "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
    "DESCRIBE read_csv('/etc/passwd')",
    "SHOW ALL TABLES",
    "SHOW FUNCTIONS",
    "SUMMARIZE raw.readings",
    "USE memory",
    "BEGIN",
    "CHECKPOINT",
]


@pytest.mark.parametrize("dialect", ["trino", "duckdb"])
@pytest.mark.parametrize("sql", ATTACKS)
def test_a_query_can_not_leave_the_catalog(one_lake: DuckDBEngine, sql: str, dialect: Any) -> None:
    engine = DuckDBEngine(one_lake.catalog, Settings(dialect=dialect), one_lake.temp)
    (task,) = engine.catalog.load("raw.readings", "run-1").scan().plan_files()
    out = Path(engine.catalog.warehouse, "out")
    quoted = {"file": task.file.file_path.replace("'", "''"), "out": str(out).replace("'", "''")}
    with pytest.raises((QueryError, UnknownTable)):
        ask(engine, sql.format_map(quoted))
    assert not out.exists()
    assert ask(one_lake, "SELECT count(*) AS n FROM raw.readings") == [{"n": 3}]


def test_a_view_is_no_way_around_the_wall(lake: DuckDBEngine) -> None:
    lake.catalog.put_view("silver.leak", View("SELECT * FROM read_text('/etc/passwd')"), "run-1")
    with pytest.raises(QueryError):
        ask(lake, "SELECT * FROM silver.leak")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/phlo-must-not-write.csv'",
        "ATTACH '/tmp/phlo-must-not-attach.db'",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '1TB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM secret_of_the_process",
    ],
)
def test_behind_the_guard_the_connection_itself_is_locked(engine: DuckDBEngine, statement: str) -> None:
    secret_of_the_process = pa.table({"secret": [1]})  # what DuckDB would find by itself
    with engine.connect() as con, pytest.raises(duckdb.Error):
        con.execute(statement).fetchall()
    assert secret_of_the_process.num_rows == 1


def test_a_locked_connection_can_still_spill(lake: DuckDBEngine) -> None:
    small = DuckDBEngine(lake.catalog, Settings(memory_limit="80MB", threads=1), lake.temp)
    with small.connect() as con:
        sql = "SELECT count(*) FROM (SELECT DISTINCT i, md5(CAST(i AS VARCHAR)) FROM range(1_500_000) t(i))"
        assert con.execute(sql).fetchall() == [(1_500_000,)]
    assert [file.name for file in lake.temp.rglob("*") if file.is_file() and file.stat().st_size] == []
    del small
    assert list(lake.temp.iterdir()) == []


def test_what_a_dead_process_spilled_is_removed(lake: DuckDBEngine) -> None:
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(pid, 0)
    mine, dead = (lake.temp / f"{owner}-1-ab" for owner in (os.getpid(), pid))
    for folder in (mine, dead):
        folder.mkdir(parents=True)
        (folder / "spilled").write_bytes(b"x")
    ask(lake, "SELECT 1 AS one")
    assert (mine.exists(), dead.exists()) == (True, False)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("partitioning", "spec"), [("month", "month"), ("day", "day"), ("year", "year"), ("none", "")])
def test_a_new_table_is_partitioned_as_the_settings_say(
    catalog: SqlRefCatalog, tmp_path: Path, partitioning: Any, spec: str
) -> None:
    engine = DuckDBEngine(catalog, Settings(partitioning=partitioning), tmp_path / "temp")
    engine.write("raw.readings", readings(("a", 1)), "run-1", mode="merge", keys=["_id"])
    engine.write("raw.plain", pa.table({"n": [1]}), "run-1", mode="append")
    table = catalog.load("raw.readings", "run-1")
    assert [str(field.transform) for field in table.spec().fields] == ([spec] if spec else [])
    assert table.properties["write.metadata.metrics.column._id"] == "full"
    assert catalog.load("raw.plain", "run-1").spec().is_unpartitioned()


def test_a_load_without_rows_makes_the_table(lake: DuckDBEngine) -> None:
    assert lake.write("raw.empty", readings(), "run-1", mode="merge", keys=["_id"]) == Written()
    assert ask(lake, "SELECT count(*) AS n FROM raw.empty") == [{"n": 0}]


def test_writes_evolve_the_table_first(lake: DuckDBEngine) -> None:
    rows = readings(("a", 110), ("n", 5)).append_column("note", pa.array([None, "new"]))
    assert lake.write("raw.readings", rows, "run-1", mode="merge", keys=["_id"]) == Written(inserted=1, unchanged=1)
    assert ask(lake, "SELECT _id, note FROM raw.readings ORDER BY _id")[-1] == {"_id": "n", "note": "new"}


def test_a_column_without_a_type_waits_for_one(lake: DuckDBEngine) -> None:
    for value in (pa.nulls(1), pa.array([1.5])):
        lake.write("raw.sparse", pa.table({"_id": ["a"], "x": value}), "run-1", mode="merge", keys=["_id"])
    assert ask(lake, "SELECT * FROM raw.sparse") == [{"_id": "a", "x": 1.5}]


def test_rows_that_do_not_fit_change_nothing(lake: DuckDBEngine) -> None:
    before = lake.catalog.pin("run-1")
    rows = pa.table({"_id": ["a"], "sgv": ["high"], "extra": [1]})
    with pytest.raises(SchemaMismatch, match=r"`sgv` of `raw.readings` is `long`, but the new rows hold `string`"):
        lake.write("raw.readings", rows, "run-1", mode="merge", keys=["_id"])
    assert lake.catalog.pin("run-1") == before


def test_rows_stream_in(lake: DuckDBEngine) -> None:
    batches = (batch for n in range(20) for batch in readings((f"k{n}", n), ("a", n)).to_batches())
    reader = pa.RecordBatchReader.from_batches(readings().schema, batches)
    written = lake.write("raw.readings", reader, "run-1", mode="merge", keys=["_id"])
    assert written == Written(inserted=20, updated=1)
    assert ask(lake, "SELECT sgv FROM raw.readings WHERE _id = 'a'") == [{"sgv": 19}]


def test_an_append_replaces_its_partitions_so_that_a_second_run_doubles_nothing(lake: DuckDBEngine) -> None:
    for rows in (readings(("x", 1), ("x", 1)), readings(("x", 1), ("y", 2), ("x", 1))):
        lake.write("raw.log", rows, "run-1", mode="append", partitions=[JANUARY])
    lake.write("raw.log", readings(("z", 3), day=MARCH), "run-1", mode="append", partitions=[MARCH])
    rows = ask(lake, "SELECT _id FROM raw.log ORDER BY _id")
    assert [row["_id"] for row in rows] == ["x", "x", "y", "z"]
    assert lake.write("raw.log", readings(("z", 3), day=MARCH), "run-1", mode="append") == Written(inserted=1)


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_table_without_partitions_is_replaced_whole(lake: DuckDBEngine, mode: Any) -> None:
    lake.write("raw.list", pa.table({"n": [1, 2]}), "run-1", mode=mode, partitions=[JANUARY])
    assert lake.write("raw.list", pa.table({"n": [3]}), "run-1", mode=mode) == Written(inserted=1, deleted=2)
    assert ask(lake, "SELECT n FROM raw.list") == [{"n": 3}]


def test_a_replacement_without_partitions_is_of_the_whole_table(lake: DuckDBEngine) -> None:
    rows = readings(("x", 1), day=MARCH)
    assert lake.write("raw.readings", rows, "run-1", mode="replace") == Written(inserted=1, deleted=3)


def test_a_write_is_seen_on_its_ref_alone(lake: DuckDBEngine) -> None:
    lake.catalog.create_ref("run-2")
    assert lake.catalog.pin("run-2").tables == {}
    lake.catalog.publish("run-1")
    assert ask(lake, "SELECT count(*) AS n FROM raw.readings", "main") == [{"n": 3}]


def test_a_query_that_is_not_allowed_says_so(lake: DuckDBEngine) -> None:
    with pytest.raises(QueryNotAllowed, match="queries only read"):
        ask(lake, "DELETE FROM raw.readings")


def test_the_dialect_is_told_of_the_columns_of_tables_and_of_what_views_select(lake: DuckDBEngine) -> None:
    with lake.connect() as con:
        tables = lake.bind(con, ["silver.hundreds"], lake.catalog.pin("run-1"))
    assert [name for name, _ in tables] == ["raw.readings", "silver.hundreds"]
    assert "phlo_avg" not in to_duckdb("SELECT avg(hundreds) FROM silver.hundreds", tables=tables)


def test_a_mean_stays_exact_when_its_column_becomes_a_decimal(lake: DuckDBEngine) -> None:
    sql = "SELECT avg(x) AS mean FROM raw.amounts"
    lake.write("raw.amounts", pa.table({"x": pa.array([1, 2], pa.int64())}), "run-1", mode="append")
    assert ask(lake, sql) == [{"mean": 1.5}]
    lake.catalog.drop_table("raw.amounts", "run-1")
    exact = pa.array([Decimal("1.01"), Decimal("1.02")], pa.decimal128(10, 2))
    lake.write("raw.amounts", pa.table({"x": exact}), "run-1", mode="append")
    assert ask(lake, sql) == [{"mean": Decimal("1.02")}]


def test_just_the_rows_that_match_can_be_read(lake: DuckDBEngine) -> None:
    pin = lake.catalog.pin("run-1")
    wanted = pa.table({"_id": ["b", "z", "b", None]})
    assert lake.read("raw.readings", pin, columns=["_id", "sgv"], matching=wanted).to_pylist() == [
        {"_id": "b", "sgv": 210}
    ]
    assert lake.read("silver.hundreds", pin, matching=pa.table({"hundreds": [1]})).num_rows == 1
    assert lake.read("raw.readings", pin, matching=wanted.slice(1, 1)).num_rows == 0


def test_a_column_is_compared_with_its_own_type_alone_as_in_trino(lake: DuckDBEngine) -> None:
    with pytest.raises(TypesDiffer, match="`date` = `varchar`"):
        ask(lake, "SELECT * FROM raw.readings WHERE partition_date = '2024-01-20'")
    assert ask(lake, "SELECT count(*) AS n FROM raw.readings WHERE partition_date = DATE '2001-01-01'") == [{"n": 0}]


def test_rows_that_another_engine_deleted_are_in_no_query_view_or_read(lake: DuckDBEngine) -> None:
    table = lake.catalog.load("raw.readings", "run-1")
    (task,) = plan(table)
    delete_values(table, [{"_id": "a"}], ["_id"], partition=task.file.partition)
    delete_positions(table, {task.file.file_path: [2]}, task.file.partition)
    pin = lake.catalog.pin("run-1")
    for _ in range(2):
        assert lake.query("SELECT count(*) AS n FROM raw.readings", pin)["n"].to_pylist() == [1]
        assert lake.query("SELECT _id FROM silver.hundreds", pin)["_id"].to_pylist() == ["b"]
        assert lake.read("raw.readings", pin, columns=["sgv"])["sgv"].to_pylist() == [210]
    assert lake.write("raw.readings", readings(("a", 1)), "run-1", mode="merge", keys=["_id"]) == Written(inserted=1)
    ids = lake.query("SELECT _id FROM raw.readings ORDER BY 1", lake.catalog.pin("run-1"))["_id"].to_pylist()
    assert ids == ["a", "b"]
