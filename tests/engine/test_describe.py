"""SHOW, DESCRIBE and EXPLAIN, answered from the pin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.config import Settings
from phlo.engine.describe import take_explain
from phlo.engine.duckdb import DuckDBEngine
from phlo.errors import QueryFailed, UnknownTable
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import View

if TYPE_CHECKING:
    from pathlib import Path

TYPES = {
    "_id": (pa.string(), "varchar", "VARCHAR"),
    "flag": (pa.bool_(), "boolean", "BOOLEAN"),
    "small": (pa.int16(), "integer", "INTEGER"),
    "big": (pa.int64(), "bigint", "BIGINT"),
    "single": (pa.float32(), "real", "FLOAT"),
    "double": (pa.float64(), "double", "DOUBLE"),
    "money": (pa.decimal128(10, 2), "decimal(10, 2)", "DECIMAL(10, 2)"),
    "day": (pa.date32(), "date", "DATE"),
    "at": (pa.timestamp("us", "UTC"), "timestamp(6) with time zone", "TIMESTAMPTZ"),
    "local": (pa.timestamp("us"), "timestamp(6)", "TIMESTAMP"),
    "clock": (pa.time64("us"), "time(6)", "TIME"),
    "bytes": (pa.binary(), "varbinary", "BLOB"),
    "ids": (pa.list_(pa.int64()), "array(bigint)", "BIGINT[]"),
    "tags": (pa.map_(pa.string(), pa.int64()), "map(varchar, bigint)", "MAP(VARCHAR, BIGINT)"),
    "pair": (
        pa.struct([("x", pa.int32()), ("y", pa.string())]),
        "row(x integer, y varchar)",
        'STRUCT("x" INTEGER, "y" VARCHAR)',
    ),
}


@pytest.fixture
def engine(tmp_path: Path) -> DuckDBEngine:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("run-1")
    catalog.create_table("raw.types", pa.schema([(name, kind) for name, (kind, *_) in TYPES.items()]), "run-1")
    catalog.create_table("raw.test_a", pa.schema([("n", pa.int64())]), "run-1")
    catalog.put_view("silver.view", View("SELECT day, big / 2 AS half, upper(_id) AS u FROM raw.types"), "run-1")
    return DuckDBEngine(catalog, Settings(), tmp_path / "temp")


def ask(engine: DuckDBEngine, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.query(sql, engine.catalog.pin("run-1")).to_pylist()
    return rows


@pytest.mark.parametrize("sql", ["SHOW TABLES", "show tables;", "  SHOW\n TABLES  "])
def test_show_tables_lists_tables_and_views_with_their_schema(engine: DuckDBEngine, sql: str) -> None:
    assert [(row["Schema"], row["Table"]) for row in ask(engine, sql)] == [
        ("raw", "test_a"),
        ("raw", "types"),
        ("silver", "view"),
    ]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SHOW TABLES FROM raw", ["test_a", "types"]),
        ('show tables in "RAW"', ["test_a", "types"]),
        ("SHOW TABLES FROM lake.raw", ["test_a", "types"]),
        ("SHOW TABLES FROM raw LIKE 'test%'", ["test_a"]),
        ("SHOW TABLES FROM raw LIKE 't_pes'", ["types"]),
        ("SHOW TABLES FROM raw LIKE 'TEST.*'", []),
    ],
)
def test_show_tables_of_a_schema(engine: DuckDBEngine, sql: str, tables: list[str]) -> None:
    assert [row["Table"] for row in ask(engine, sql)] == tables


def test_a_schema_that_is_not_there_is_named_with_the_nearest(engine: DuckDBEngine) -> None:
    with pytest.raises(QueryFailed, match=r"no schema `silber`; did you mean `silver`\?"):
        ask(engine, "SHOW TABLES FROM silber")


def test_show_schemas(engine: DuckDBEngine) -> None:
    assert ask(engine, "SHOW SCHEMAS") == [{"Schema": "raw"}, {"Schema": "silver"}]
    assert ask(engine, "SHOW SCHEMAS FROM lake LIKE 's%'") == [{"Schema": "silver"}]


@pytest.mark.parametrize("sql", ["DESCRIBE raw.types", "DESC RAW.Types", 'SHOW COLUMNS FROM "raw"."types"'])
def test_a_table_is_described_in_trino_s_types(engine: DuckDBEngine, sql: str) -> None:
    rows = ask(engine, sql)
    assert {row["Column"]: row["Type"] for row in rows} == {name: trino for name, (_, trino, _) in TYPES.items()}
    assert set(rows[0]) == {"Column", "Type", "Extra", "Comment"}


def test_a_table_is_described_in_duckdb_s_types_where_that_is_the_dialect(engine: DuckDBEngine) -> None:
    own = DuckDBEngine(engine.catalog, Settings(dialect="duckdb"), engine.temp)
    rows = ask(own, "DESCRIBE raw.types")
    assert {row["Column"]: row["Type"] for row in rows} == {name: duck for name, (*_, duck) in TYPES.items()}


def test_a_view_is_described_by_what_it_returns(engine: DuckDBEngine) -> None:
    rows = ask(engine, "DESCRIBE silver.view")
    assert [(row["Column"], row["Type"]) for row in rows] == [("day", "date"), ("half", "bigint"), ("u", "varchar")]
    assert [row["Column"] for row in ask(engine, "SHOW COLUMNS FROM silver.view LIKE '_a%'")] == ["day", "half"]


def test_describing_what_is_not_there_names_the_nearest(engine: DuckDBEngine) -> None:
    with pytest.raises(UnknownTable, match=r"did you mean `raw\.types`"):
        ask(engine, "DESCRIBE raw.type")


def test_a_plan_can_be_looked_at(engine: DuckDBEngine) -> None:
    (plan,) = ask(engine, "EXPLAIN SELECT count(*) FROM raw.types WHERE big > 1")
    assert "Query Plan" in plan
    (measured,) = ask(engine, "explain analyze SELECT count(*) FROM raw.types")
    assert "Total Time" in measured["Query Plan"]


def test_explain_is_taken_off_a_query() -> None:
    assert take_explain(" explain\nanalyze\nSELECT 1") == ("EXPLAIN ANALYZE", "SELECT 1")
    assert take_explain("SELECT 'EXPLAIN x'") == ("", "SELECT 'EXPLAIN x'")
