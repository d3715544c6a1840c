"""The information schema of a run's ref, as packages of dbt's ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.errors import UnknownTable
from phlo.transform.write import create_view, replace_table

if TYPE_CHECKING:
    from phlo.transform.session import Session


@pytest.fixture
def made(session: Session) -> Session:
    """A ref with a table and a view beside the readings."""
    replace_table(session, "gold.people", "SELECT 1 AS id, 'Ada' AS name, DATE '2024-01-20' AS born")
    create_view(session, "gold.names", "SELECT name FROM gold.people WHERE name <> 'it''s'")
    return session


def rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
    with session.query(sql) as relation:
        found: list[tuple[Any, ...]] = relation.fetchall()
        return found


def test_tables_and_views_are_listed_as_a_package_s_macro_asks(made: Session) -> None:
    asked = """select distinct table_schema as "table_schema", table_name as "table_name",
      case table_type when 'BASE TABLE' then 'table' when 'VIEW' then 'view' end as kind
    from "lake".INFORMATION_SCHEMA.tables where lower(table_schema) like lower('g%') order by 2"""
    assert rows(made, asked) == [("gold", "names", "view"), ("gold", "people", "table")]


def test_columns_have_trino_s_types(made: Session) -> None:
    asked = 'select column_name, ordinal_position, data_type from "information_schema"."columns" c where table_name = '
    assert rows(made, f"{asked} 'people' order by 2") == [
        ("id", 1, "integer"),
        ("name", 2, "varchar"),
        ("born", 3, "date"),
    ]
    assert rows(made, f"{asked} 'names'") == [("name", 1, "varchar")]


def test_thousands_of_columns_are_no_text_to_be_parsed(made: Session) -> None:
    wide = pa.schema([(f"c{number}", pa.int64()) for number in range(3_000)])
    made.catalog.create_table("gold.wide", wide, made.ref)
    asked = "select max(ordinal_position), count(column_default) from information_schema.columns"
    assert rows(made, f"{asked} where table_name = 'wide'") == [(3_000, 0)]


def test_views_and_schemata_too_and_they_join(made: Session) -> None:
    asked = (
        "select s.schema_name, v.view_definition from information_schema.schemata s "
        "left join information_schema.views v on v.table_schema = s.schema_name order by 1"
    )
    definition = "SELECT name FROM gold.people WHERE name <> 'it''s'"
    assert rows(made, asked) == [("gold", definition), ("raw", None)]


def test_text_and_comments_that_speak_of_it_stay(made: Session) -> None:
    sql = "select 'information_schema.tables' as t -- information_schema.tables\n"
    assert rows(made, sql) == [("information_schema.tables",)]


def test_what_it_does_not_have_is_an_unknown_table(made: Session) -> None:
    with (
        pytest.raises(UnknownTable, match=r"information_schema\.roles"),
        made.query("select * from information_schema.roles"),
    ):
        pass


def test_it_keeps_no_run_from_its_publish(made: Session) -> None:
    assert rows(made, "select count(*) from information_schema.tables") == [(3,)]
    assert {change.name for change in made.catalog.diff(made.ref)} == {"gold.people", "gold.names"}
    made.catalog.publish(made.ref)
    made.catalog.undo()
