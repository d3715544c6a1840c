"""Incremental strategies and changed columns, on real tables."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import DuplicateKey, InvalidModelConfig, ModelColumnsChanged, NullKey, SchemaMismatch
from phlo.transform.increment import Increment, increment
from phlo.transform.write import columns, replace_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.transform.session import Session

    Rows = Callable[[str], list[dict[str, Any]]]

START = "select * from (values (1, 'one', 10), (2, 'two', 20), (3, 'three', 30)) as t (id, name, n)"
KEYED = Increment("merge", ("id",))


@pytest.fixture
def table(session: Session, rows: Rows) -> Callable[[], list[tuple[Any, ...]]]:
    """A table of three rows, and how to look at it."""
    replace_table(session, "silver.t", START)
    return lambda: [tuple(row.values()) for row in rows("select * from silver.t order by id, n")]


def test_merge_updates_by_key_and_inserts_the_rest(session: Session, table: Any) -> None:
    built = increment(
        session, "silver.t", "select 2 as id, 'zwei' as name, 21 as n union all select 4, 'four', 40", KEYED
    )
    assert built.rows == 2
    assert table() == [(1, "one", 10), (2, "zwei", 21), (3, "three", 30), (4, "four", 40)]


def test_append_adds_rows_and_leaves_what_is_there(session: Session, table: Any) -> None:
    increment(session, "silver.t", "select 2 as id, 'two' as name, 99 as n", Increment("append", ("id",)))
    assert table() == [(1, "one", 10), (2, "two", 20), (2, "two", 99), (3, "three", 30)]


def test_delete_insert_puts_all_rows_of_a_key_in_place_of_all_it_had(session: Session, table: Any) -> None:
    how = Increment("delete+insert", ("id",))
    increment(session, "silver.t", "select 2 as id, 'a' as name, 1 as n union all select 2, 'b', 2", how)
    assert table() == [(1, "one", 10), (2, "a", 1), (2, "b", 2), (3, "three", 30)]
    increment(session, "silver.t", "select 2 as id, 'c' as name, 3 as n", how)
    assert table() == [(1, "one", 10), (2, "c", 3), (3, "three", 30)]


def test_delete_insert_of_a_null_key_adds_the_row_and_deletes_none(session: Session, table: Any) -> None:
    how = Increment("delete+insert", ("id",))
    for _ in range(2):
        increment(session, "silver.t", "select cast(null as integer) as id, 'x' as name, 1 as n", how)
    assert len(table()) == 5


def test_several_columns_make_a_key(session: Session, table: Any) -> None:
    how = Increment("merge", ("id", "name"))
    increment(session, "silver.t", "select 2 as id, 'two' as name, 0 as n union all select 2, 'zwei', 1", how)
    assert table() == [(1, "one", 10), (2, "two", 0), (2, "zwei", 1), (3, "three", 30)]


def test_no_rows_change_nothing(session: Session, table: Any) -> None:
    before = session.pin().tables["silver.t"]
    for strategy in ("append", "merge", "delete+insert"):
        assert increment(session, "silver.t", f"{START} where false", Increment(strategy, ("id",))).rows == 0
    assert session.pin().tables["silver.t"] == before
    assert len(table()) == 3


def test_a_model_reads_its_own_table_while_it_is_written(session: Session, table: Any) -> None:
    increment(session, "silver.t", "select id + 10 as id, name, n from silver.t", Increment("append"))
    assert [row[0] for row in table()] == [1, 2, 3, 11, 12, 13]


def test_the_default_is_merge_with_a_key_and_append_without() -> None:
    assert Increment.read({"unique_key": "id"}).effective == "merge"
    assert Increment.read({"unique_key": ["a", "b"]}).unique_key == ("a", "b")
    assert Increment.read({}).effective == "append"
    assert Increment.read({"incremental_strategy": "merge"}).effective == "append"
    assert Increment.read({"unique_key": ""}).effective == "append"


def test_two_rows_for_one_key_are_refused_and_the_error_shows_the_first(session: Session, table: Any) -> None:
    with pytest.raises(DuplicateKey, match=r"1 key found more than once .* `silver\.t`; the first is id = 5"):
        increment(session, "silver.t", "select 5 as id, 'x' as name, 1 as n union all select 5, 'y', 2", KEYED)
    assert len(table()) == 3


def test_rows_without_a_key_are_refused(session: Session, table: Any) -> None:
    with pytest.raises(NullKey, match=r"1 row to merge into `silver\.t` without id"):
        increment(session, "silver.t", "select cast(null as integer) as id, 'x' as name, 1 as n", KEYED)
    assert len(table()) == 3


def test_merge_can_update_some_columns_only(session: Session, table: Any) -> None:
    rows = "select 2 as id, 'zwei' as name, 21 as n union all select 4, 'four', 40"
    increment(session, "silver.t", rows, Increment("merge", ("id",), update_columns=("n",)))
    assert table()[1:] == [(2, "two", 21), (3, "three", 30), (4, "four", 40)]


def test_merge_can_leave_some_columns_alone(session: Session, table: Any) -> None:
    rows = "select 2 as id, 'zwei' as name, 21 as n union all select 4, 'four', 40"
    increment(session, "silver.t", rows, Increment("merge", ("id",), exclude_columns=("n",)))
    assert table()[1:] == [(2, "zwei", 20), (3, "three", 30), (4, "four", 40)]


def test_a_stored_null_is_kept_where_its_column_is_not_updated(session: Session, table: Any) -> None:
    increment(session, "silver.t", "select 4 as id, cast(null as varchar) as name, 40 as n", KEYED)
    increment(
        session, "silver.t", "select 4 as id, 'x' as name, 41 as n", Increment("merge", ("id",), update_columns=("n",))
    )
    assert table()[-1] == (4, None, 41)


# ── changed columns ──────────────────────────────────────────────────────────────────────────────────────

MORE = "select 4 as id, 'four' as name, 40 as n, true as new"
FEWER = "select 4 as id, 'four' as name"


def policy(name: str) -> Increment:
    return Increment("append", on_schema_change=name)


def test_ignore_drops_a_new_column(session: Session, table: Any) -> None:
    increment(session, "silver.t", MORE, policy("ignore"))
    assert table()[-1] == (4, "four", 40)


def test_ignore_refuses_a_column_that_went_missing(session: Session, table: Any) -> None:
    with pytest.raises(ModelColumnsChanged, match="gone: `n`"):
        increment(session, "silver.t", FEWER, policy("ignore"))
    assert len(table()) == 3


@pytest.mark.parametrize("strategy", ["append", "merge", "delete+insert"])
def test_append_new_columns_adds_one_that_is_null_for_older_rows(session: Session, table: Any, strategy: str) -> None:
    increment(session, "silver.t", MORE, Increment(strategy, ("id",), on_schema_change="append_new_columns"))
    assert table() == [(1, "one", 10, None), (2, "two", 20, None), (3, "three", 30, None), (4, "four", 40, True)]


def test_append_new_columns_keeps_one_that_went_missing(session: Session, table: Any) -> None:
    increment(session, "silver.t", FEWER, policy("append_new_columns"))
    assert table()[-1] == (4, "four", None)


def test_sync_all_columns_adds_and_drops(session: Session, table: Any) -> None:
    increment(session, "silver.t", "select 4 as id, 40 as n, true as new", policy("sync_all_columns"))
    assert [name for name, _ in columns(session, "silver.t")] == ["id", "n", "new"]
    assert table()[-2:] == [(3, 30, None), (4, 40, True)]


@pytest.mark.parametrize("changed", [MORE, FEWER, "select '4' as id, 'four' as name, 40 as n"])
def test_fail_refuses_any_change_and_says_which(session: Session, table: Any, changed: str) -> None:
    with pytest.raises(ModelColumnsChanged, match=r"new: `new`|gone: `n`|`id` was integer and is varchar"):
        increment(session, "silver.t", changed, policy("fail"))
    assert len(table()) == 3


def test_a_number_that_became_wider_widens_the_table(session: Session, table: Any) -> None:
    increment(session, "silver.t", "select 4 as id, 'four' as name, 3000000000 as n", policy("ignore"))
    assert dict(columns(session, "silver.t"))["n"] == "bigint"
    assert table()[-1] == (4, "four", 3_000_000_000)


def test_a_type_that_does_not_fit_is_refused(session: Session, table: Any) -> None:
    with pytest.raises(SchemaMismatch, match="`n`"):
        increment(session, "silver.t", "select 4 as id, 'four' as name, 'forty' as n", policy("append_new_columns"))
    assert len(table()) == 3


# ── config ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_strategy_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(
        InvalidModelConfig, match=r"there is no strategy `delete_insert`; did you mean `delete\+insert`"
    ) as caught:
        Increment.read({"incremental_strategy": "delete_insert"})
    assert caught.value.next_step == "the strategies are append, merge, delete+insert, microbatch"


def test_predicates_are_refused_rather_than_left_out() -> None:
    with pytest.raises(InvalidModelConfig, match="`incremental_predicates`"):
        Increment.read({"unique_key": "id", "incremental_predicates": ["DBT_INTERNAL_DEST.id > 3"]})


EVENTS = """select * from (values
  (1, timestamp '2024-01-20 23:59:59.999999'), (2, timestamp '2024-01-21 00:00:00'),
  (3, timestamp '2024-01-21 23:59:59'), (4, timestamp '2024-01-22 00:00:00'),
  (5, cast(null as timestamp))) as t (id, at)
"""
DAY = Increment("microbatch", event_time="at", start=dt.datetime(2024, 1, 21, tzinfo=dt.UTC),
                end=dt.datetime(2024, 1, 22, tzinfo=dt.UTC))  # fmt: skip


@pytest.mark.parametrize("kind", ["timestamp(6)", "timestamp(6) with time zone", "date"])
def test_a_microbatch_puts_its_rows_in_place_of_all_in_its_span(session: Session, rows: Rows, kind: str) -> None:
    replace_table(session, "silver.t", f"select id, cast(at as {kind}) as at from ({EVENTS})")
    built = increment(
        session, "silver.t", f"select 9 as id, cast(timestamp '2024-01-21 12:00:00' as {kind}) as at", DAY
    )
    assert built.rows == 1
    assert [row["id"] for row in rows("select id from silver.t order by id")] == [1, 4, 5, 9]


def files(session: Session, name: str) -> set[str]:
    """The table's data files."""
    return {task.file.file_path for task in session.catalog.load(name, session.ref).scan().plan_files()}


@pytest.mark.parametrize(
    "how", [DAY, Increment("delete+insert", unique_key=("id",))], ids=["microbatch", "delete+insert"]
)
def test_a_batch_that_replaces_no_row_is_added_and_rewrites_no_file(
    session: Session, rows: Rows, how: Increment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phlo.iceberg.rewrite.SMALL_FILE", 0)  # no file is so small that it is written again
    replace_table(session, "silver.t", "select 1 as id, timestamp '2024-01-20 12:00:00' as at")
    before = files(session, "silver.t")
    assert increment(session, "silver.t", "select 9 as id, timestamp '2024-01-21 00:00:00' as at", how).rows == 1
    assert before < files(session, "silver.t")
    increment(session, "silver.t", "select 9 as id, timestamp '2024-01-21 23:59:59' as at", how)
    assert rows("select id, cast(at as varchar) as at from silver.t order by id") == [
        {"id": 1, "at": "2024-01-20 12:00:00.000000"},
        {"id": 9, "at": "2024-01-21 23:59:59.000000"},
    ]


def test_a_batch_of_nothing_where_nothing_is_writes_nothing(session: Session) -> None:
    replace_table(session, "silver.t", "select 1 as id, timestamp '2024-01-20 12:00:00' as at")
    before = session.pin().tables
    increment(session, "silver.t", "select 9 as id, timestamp '2024-01-21 00:00:00' as at where false", DAY)
    assert session.pin().tables == before


def test_a_microbatch_without_rows_empties_its_span(session: Session, rows: Rows) -> None:
    replace_table(session, "silver.t", EVENTS)
    increment(session, "silver.t", f"select * from ({EVENTS}) where false", DAY)
    assert [row["id"] for row in rows("select id from silver.t order by id")] == [1, 4, 5]


@pytest.mark.slow  # it imports dbt
@pytest.mark.parametrize(
    ("start", "end", "filtered"),
    [
        (
            DAY.start,
            DAY.end,
            "at >= TIMESTAMP '2024-01-21 00:00:00+00:00' and at < TIMESTAMP '2024-01-22 00:00:00+00:00'",
        ),
        (DAY.start, None, "at >= TIMESTAMP '2024-01-21 00:00:00+00:00'"),
        (None, DAY.end, "at < TIMESTAMP '2024-01-22 00:00:00+00:00'"),
        (None, None, None),
    ],
)
def test_a_batch_of_a_source_is_cut_out_by_times(start: Any, end: Any, filtered: str | None) -> None:
    from dbt.adapters.base.relation import EventTimeFilter

    from phlo.transform.adapter.relation import PhloRelation

    batch = EventTimeFilter("at", start, end)
    relation = PhloRelation.create(schema="silver", identifier="t", event_time_filter=batch)
    wanted = '"silver"."t"' if filtered is None else f'(select * from "silver"."t" where {filtered})'
    assert str(relation) == wanted
