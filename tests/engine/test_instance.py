"""Many connections to one DuckDB."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pytest

from phlo.engine.functions import register
from phlo.engine.instance import Instance


@pytest.fixture
def instance() -> Instance:
    return Instance(duckdb.connect)


def test_a_connection_sees_no_names_of_another(instance: Instance) -> None:
    with instance.connected() as one, instance.connected() as other:
        one.execute("CREATE SCHEMA raw; CREATE TABLE raw.t AS SELECT 1 AS x; CREATE MACRO twice(x) AS 2 * x")
        one.execute("CREATE TEMP TABLE temporary AS SELECT 1")
        one.register("rows", pa.table({"x": [1]}))
        assert one.sql("SELECT twice(x) FROM raw.t").fetchall() == [(2,)]
        for query in ("FROM raw.t", "FROM temporary", "FROM rows", "SELECT twice(1)"):
            with pytest.raises(duckdb.CatalogException):
                other.sql(query).fetchall()


def test_what_a_connection_made_goes_with_it_also_where_a_result_is_still_open(instance: Instance) -> None:
    with instance.connected() as con:
        con.execute("CREATE TABLE t AS FROM range(100_000)")
        reader = con.sql("FROM t").to_arrow_reader(10)
        reader.read_next_batch()
    with instance.connected() as con:
        names = [name for (name,) in con.execute("SELECT database_name FROM duckdb_databases()").fetchall()]
    assert len([name for name in names if name.startswith("phlo$")]) == 1


def test_all_are_connections_to_one_database(instance: Instance) -> None:
    with instance.connected() as one, instance.connected() as other:
        one.create_function("seven", lambda: 7, [], "BIGINT")
        assert other.sql("SELECT seven()").fetchall() == [(7,)]


def test_one_that_broke_is_opened_anew() -> None:
    opened = []

    def start() -> duckdb.DuckDBPyConnection:
        opened.append(duckdb.connect())
        return opened[-1]

    instance = Instance(start)
    with pytest.raises(duckdb.ConnectionException), instance.connected() as con:
        opened[0].close()
        con.sql("SELECT 1")
    with instance.connected() as con:
        assert con.sql("SELECT 1").fetchall() == [(1,)]
    assert len(opened) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_opens_its_own(instance: Instance) -> None:
    with instance.connected() as con:
        con.execute("SELECT 1")
    child = os.fork()
    if child == 0:
        with instance.connected() as con:
            found = con.sql("SELECT sum(range) FROM range(1_000_000)").fetchall()
        os._exit(0 if found == [(499_999_500_000,)] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_that_need_a_python_function_at_once_all_get_it(instance: Instance) -> None:
    statement = "SELECT phlo_py_soundex('Robert')"

    def call(_: int) -> object:
        with instance.connected() as con:
            register(con, statement)
            return con.sql(statement).fetchall()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(16))) == [[("R163",)]] * 16


def test_no_name_that_a_table_may_have_is_that_of_another_connection_s_names(instance: Instance) -> None:
    with instance.connected() as con:
        attached = con.sql("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert [name for (name,) in attached if "$" not in name] == ["memory"]
