"""Statements of hooks and macros, done on a ref."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import UnknownTable, UnsupportedStatement
from phlo.transform.statements import comment, run_statement
from phlo.transform.write import columns, replace_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.transform.session import Session

START = "select * from (values (1, 'one', 1.5), (2, 'two', null), (3, null, 3.5)) as t (id, name, x)"


@pytest.fixture
def run(session: Session) -> Callable[[str], int]:
    """Run a statement where a table of three rows is."""
    replace_table(session, "audit.log", START)
    return lambda sql: run_statement(session, sql, lambda _: None)


@pytest.fixture
def log(rows: Any) -> Callable[[], list[tuple[Any, ...]]]:
    return lambda: [tuple(row.values()) for row in rows("select id, name from audit.log order by id")]


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("insert into audit.log values (4, 'four', 4.5)", [(1, "one"), (2, "two"), (3, None), (4, "four")]),
        ('insert into "audit"."log" (name, id) select \'five\', 5', [(1, "one"), (2, "two"), (3, None), (5, "five")]),
        ("insert into AUDIT.LOG (id) select id + 10 from audit.log where id = 1",
         [(1, "one"), (2, "two"), (3, None), (11, None)]),
        ("delete from audit.log where name = 'one'", [(2, "two"), (3, None)]),
        ("delete from audit.log", []),
        ("truncate table audit.log", []),
        ("update audit.log set name = upper(name) || '!', id = id + 1 where id < 3",
         [(2, "ONE!"), (3, "TWO!"), (3, None)]),
        ("update audit.log set name = null", [(1, None), (2, None), (3, None)]),
        ("create table if not exists audit.log (id integer)", [(1, "one"), (2, "two"), (3, None)]),
        ("create or replace table audit.log as (select 7 as id, 'seven' as name)", [(7, "seven")]),
        ("create schema if not exists audit", [(1, "one"), (2, "two"), (3, None)]),
        ("begin", [(1, "one"), (2, "two"), (3, None)]),
        ("revoke all on audit.log from someone", [(1, "one"), (2, "two"), (3, None)]),
        ("analyze audit.log", [(1, "one"), (2, "two"), (3, None)]),
    ],
)  # fmt: skip
def test_a_statement_does_to_the_ref_what_it_says(run: Any, log: Any, statement: str, wanted: list[Any]) -> None:
    run(statement)
    assert log() == wanted


def test_tables_and_views_are_made_and_dropped(session: Session, run: Any, rows: Any) -> None:
    run("create table audit.made (id bigint, name varchar(10), at timestamp)")
    assert columns(session, "audit.made") == (("id", "bigint"), ("name", "varchar"), ("at", "timestamp(6)"))
    run("create view audit.names as select name from audit.log where name is not null")
    assert rows("select count(*) as n from audit.names") == [{"n": 2}]
    run("drop table audit.made")
    run("drop table if exists audit.made")
    run("drop schema audit cascade")
    pin = session.pin()
    assert not [name for name in (*pin.tables, *pin.views) if name.startswith("audit.")]


def test_columns_are_added_renamed_and_dropped(session: Session, run: Any, rows: Any) -> None:
    run("alter table audit.log add column at date")
    run("alter table audit.log rename column name to title")
    run("alter table audit.log drop column x")
    assert columns(session, "audit.log") == (("id", "integer"), ("title", "varchar"), ("at", "date"))
    assert rows("select count(title) as n, count(at) as m from audit.log") == [{"n": 2, "m": 0}]


def test_comments_are_kept_in_the_table(session: Session, run: Any) -> None:
    run("comment on table audit.log is 'what was done'")
    run("comment on column audit.log.name is 'who''s name'")
    table = session.catalog.load("audit.log", session.ref)
    assert table.properties["comment"] == "what was done"
    assert table.schema().find_field("name").doc == "who's name"
    before = session.pin()
    comment(session, "audit.log", "what was done", {"NAME": "who's name", "no_such": "x"})
    assert session.pin() == before


def test_rights_are_said_to_have_no_effect(session: Session, run: Any) -> None:
    said: list[str] = []
    run_statement(session, "grant select on audit.log to reporter", said.append)
    assert said == [
        "`grant select on audit.log to reporter` has no effect: a lake's files and servers know their users, "
        "its tables do not"
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "merge into audit.log using audit.log b on true when matched then delete",
        "call system.run()",
        "vacuum audit.log",
        "set session x = 1",
        "create table audit.log as select 1 as id",
        "create table log as select 1 as id",
        "alter table audit.log rename to audit.other",
        "create index i on audit.log (id)",
        "drop view audit.log",
        "drop schema audit",
        "delete from audit.seen",
        "truncate table audit.seen",
        "update audit.seen set id = 1",
        "insert into audit.seen values (1)",
        "alter table audit.seen drop column id",
        "drop table audit.seen",
    ],
)
def test_other_statements_are_refused_and_change_nothing(session: Session, run: Any, log: Any, statement: str) -> None:
    run("create view audit.seen as select id from audit.log")
    before = session.pin()
    with pytest.raises(UnsupportedStatement, match="can not run here"):
        run(statement)
    assert session.pin() == before
    assert len(log()) == 3


@pytest.mark.parametrize(
    "statement", ["insert into audit.lgo values (1)", "drop table audit.lgo", "truncate audit.lgo"]
)
def test_a_table_that_is_not_there_is_named_with_the_nearest(run: Any, statement: str) -> None:
    with pytest.raises(UnknownTable, match=r"`audit\.lgo`.*did you mean `audit\.log`"):
        run(statement)


def test_main_is_only_changed_by_a_publish(session: Session) -> None:
    with pytest.raises(UnsupportedStatement):
        run_statement(replace(session, ref="main"), "create table audit.log as select 1 as id", lambda _: None)
