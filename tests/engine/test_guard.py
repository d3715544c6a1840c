"""The guard of queries: what reads the catalog passes, everything else is refused, however it is dressed."""

from __future__ import annotations

import duckdb
import pytest

from phlo.engine.dialect import MACROS, parse, to_duckdb
from phlo.engine.guard import allowed_functions, check_read_only, refused_functions
from phlo.errors import QueryNotAllowed, QuerySyntax

READS = [
    "SELECT 1",
    "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
    "SELECT * FROM raw.entries AS e JOIN silver.readings AS r USING (id)",
    "SELECT sum(x) OVER (PARTITION BY y ORDER BY z) FROM raw.entries",
    "SELECT 1 UNION ALL SELECT 2",
    "(SELECT 1)",
    'SELECT "dateString" FROM "raw"."glucose entries"',
    "SELECT count(*) FILTER (WHERE sgv > 180) FROM raw.entries WHERE EXISTS (SELECT 1 FROM raw.notes)",
]
WRITES = [
    "INSERT INTO raw.entries SELECT 1",
    "UPDATE raw.entries SET sgv = 1",
    "DELETE FROM raw.entries",
    "MERGE INTO raw.entries USING x ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE raw.entries",
    "CREATE TABLE raw.copy AS SELECT 1",
    "DROP TABLE raw.entries",
    "ALTER TABLE raw.entries ADD COLUMN x integer",
    "WITH gone AS (DELETE FROM raw.entries) SELECT 1",
    "WITH new AS (INSERT INTO raw.entries VALUES (1) RETURNING *) SELECT * FROM new",
    "EXPLAIN ANALYZE INSERT INTO raw.entries VALUES (1)",
    "SELECT * FROM raw.entries FOR UPDATE",
    "SELECT 1 INTO raw.copy",
    "COPY raw.entries TO 'out.csv'",
    "COPY (SELECT 1) TO 'out.csv'",
    "EXPORT DATABASE 'out'",
]
STATE = [
    "SET memory_limit = '1TB'",
    "PRAGMA database_list",
    "ATTACH 'other.db'",
    "DETACH other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "USE other",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p FROM SELECT 1",
    "EXECUTE p",
]
FILES = [
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM 'https://example.com/x.parquet'",
    'SELECT * FROM s3."s3://bucket/x"',
    "FROM 'x.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM READ_TEXT('/etc/passwd')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "SELECT * FROM (SELECT * FROM read_blob('/etc/passwd'))",
    "SELECT * FROM raw.entries, LATERAL (SELECT * FROM read_csv('x')) AS t",
    "SELECT * FROM raw.entries WHERE EXISTS (SELECT * FROM parquet_scan('x'))",
    "SELECT * FROM glob('/**')",
    "SELECT * FROM TABLE(read_csv('/etc/passwd'))",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('raw.entries')",
]
SECRETS = [
    "SELECT getenv('HOME')",
    "SELECT GetEnv('HOME')",
    "SELECT \"getenv\"('HOME')",
    "SELECT main.getenv('HOME')",
    "SELECT system.main.getenv('HOME')",
    "SELECT 'HOME'.getenv()",
    "SELECT 1 ORDER BY getenv('HOME')",
    "SELECT count(*) FILTER (WHERE getenv('HOME') <> '')",
    "SELECT /* getenv */ getenv('HOME') -- ok",
    "VALUES (getenv('HOME'))",
    "SELECT current_setting('memory_limit')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM pragma_table_info('x')",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM system.runtime.queries",
    "SELECT * FROM main.x",
    "SELECT current_user",
    "SELECT sleep_ms(100000)",
]


@pytest.mark.parametrize("dialect", ["trino", "duckdb"])
@pytest.mark.parametrize("sql", READS)
def test_a_query_that_reads_the_catalog_passes(sql: str, dialect: str) -> None:
    assert check_read_only(parse(sql, dialect)) is None


@pytest.mark.parametrize("dialect", ["trino", "duckdb"])
@pytest.mark.parametrize("sql", [*WRITES, *STATE, *FILES, *SECRETS])
def test_anything_else_is_refused(sql: str, dialect: str) -> None:
    with pytest.raises((QueryNotAllowed, QuerySyntax)):
        check_read_only(parse(sql, dialect))


@pytest.mark.parametrize("sql", ["SELECT 1; DROP TABLE raw.entries", "SELECT 1 -- ;\n; DELETE FROM raw.entries", ";"])
def test_a_second_statement_is_refused(sql: str) -> None:
    with pytest.raises(QuerySyntax, match="expected one statement"):
        parse(sql)


@pytest.mark.parametrize("sql", ["SELECT transform(ARRAY['HOME'], x -> getenv(x))", "SELECT try(getenv('HOME'))"])
def test_a_function_inside_a_function_is_found_in_trino(sql: str) -> None:
    with pytest.raises(QueryNotAllowed, match="getenv"):
        check_read_only(parse(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_transform(['HOME'], lambda x: getenv(x))",
        "SELECT [getenv(x) FOR x IN ['HOME']]",
        "SELECT x: getenv('HOME')",
        "SELECT getenv($$HOME$$)",
        "SELECT {'a': getenv('HOME')}",
        "SELECT e'\\'', getenv('HOME') --'",
        "FROM (SUMMARIZE raw.entries)",
        "SELECT * FROM raw.entries WHERE x = ?",
        "SELECT * FROM raw.entries WHERE x = $1",
        "SELECT phlo_quotient(1, 2)",
        "SELECT trino_from_unixtime(0)",
        "SELECT json_serialize_plan('SELECT 1')",
        "SELECT nextval('s')",
        "PIVOT raw.entries ON x USING sum(getenv('HOME'))",
    ],
)
def test_a_function_in_duckdbs_own_forms_is_found(sql: str) -> None:
    with pytest.raises((QueryNotAllowed, QuerySyntax)):
        check_read_only(parse(sql, "duckdb"))


def test_the_error_names_the_thing_and_the_reason() -> None:
    with pytest.raises(QueryNotAllowed) as caught:
        check_read_only(parse("SELECT *\nFROM read_csv('/etc/passwd')"))
    assert str(caught.value) == (
        "`read_csv` is not allowed in a query: a query reads the catalog's tables; it is no function on the list"
    )
    assert caught.value.code == "query-not-allowed"
    assert "phlo catalog tables" in caught.value.next_step


def test_an_unknown_function_in_duckdbs_dialect_gets_the_nearest_names() -> None:
    with pytest.raises(QueryNotAllowed, match="did you mean `count_if`"):
        check_read_only(parse("SELECT count_iff(x) FROM raw.entries", "duckdb"))


def test_no_function_on_the_list_reaches_outside_the_statement() -> None:
    for name in refused_functions():
        assert name not in allowed_functions(), name
    suspicious = ("read_", "scan", "duckdb_", "pragma", "secret", "extension", "setting", "sleep", "_env", "execute")
    assert [name for name in allowed_functions() if any(part in name for part in suspicious)] == []


def test_the_list_holds_only_functions_that_duckdb_has() -> None:
    with duckdb.connect() as con:
        known = {row[0] for row in con.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}
    syntax = {"cast", "coalesce", "columns", "current_date", "current_timestamp", "grouping", "grouping_id", "if",
              "ifnull", "list_comprehension", "row", "struct_pack", "try", "unnest", "cume_dist", "dense_rank", "fill",
              "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank",
              "row_number"}  # fmt: skip
    assert allowed_functions() - known - syntax == frozenset()


def test_what_runs_is_what_was_checked() -> None:
    """DuckDB's text is written anew from the checked tree, so what sqlglot overlooked can not run."""
    written = to_duckdb("SELECT 1 /* ; DROP TABLE x */ AS a -- '\n, 'it''s' AS b, $$q$$ AS c", "duckdb")
    assert "DROP" not in written
    with duckdb.connect() as con:
        assert con.execute(written).fetchall() == [(1, "it's", "q")]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT 7 / 2, 7 // 2, 7 % 2", [(3.5, 3, 1)]),
        ("FROM range(3) t(i) SELECT i * 2", [(0,), (2,), (4,)]),
        ("SELECT [x + 1 FOR x IN [1, 2] IF x > 1]", [([3],)]),
        ("SELECT list_transform([1, 2], lambda x: x + 1)[1]", [(2,)]),
        ("SELECT 'abc'[2:3], {'a': 1}.a, MAP {'k': 5}['k']", [("bc", 1, 5)]),
        ("SELECT * EXCLUDE (b) FROM (VALUES (1, 2)) t(a, b)", [(1,)]),
        ("SELECT x::DECIMAL(10,2) FROM (VALUES (1.5)) t(x) QUALIFY row_number() OVER () = 1", None),
        ("SELECT string_agg(x, ',' ORDER BY x DESC) FROM (VALUES ('a'), ('b')) t(x)", [("b,a",)]),
        ("SELECT DATE '2024-01-31' + INTERVAL 1 MONTH", None),
        ("SELECT date_trunc('day', TIMESTAMP '2024-01-01 10:00:00'), strftime(DATE '2024-01-01', '%Y')", None),
    ],
)
def test_duckdbs_dialect_keeps_its_meaning(sql: str, rows: object) -> None:
    check_read_only(parse(sql, "duckdb"))
    with duckdb.connect() as con:
        con.execute(MACROS)
        found = con.execute(to_duckdb(sql, "duckdb")).fetchall()
        assert found == con.execute(sql).fetchall()
        assert rows is None or found == rows


def test_rows_of_a_json_value_are_no_table_of_anybody() -> None:
    check_read_only(parse("SELECT * FROM json_table('[1]', 'lax $[*]' COLUMNS (v integer PATH 'lax $'))"))
