"""What a materialization leaves on the ref."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import AmbiguousColumn, QueryFailed, UnknownTable, UntypedColumn
from phlo.protocols import View
from phlo.transform.write import columns, create_scratch, create_view, drop, replace_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.profiles import Lake
    from phlo.transform.session import Session

    Rows = Callable[[str], list[dict[str, Any]]]

READINGS = "select _id as entry_id, sgv from raw.glucose_entries"


def test_a_table_holds_the_query_s_rows_on_the_ref_and_main_does_not_have_it(
    session: Session, rows: Rows, shared_lake: Lake
) -> None:
    built = replace_table(session, "bronze.stg", f"{READINGS} where sgv < 63")
    assert built.rows == 6
    assert [row["entry_id"] for row in rows("select * from bronze.stg order by entry_id")] == [
        "r000", "r001", "r002", "r200", "r201", "r202",
    ]  # fmt: skip
    assert "bronze.stg" not in shared_lake.catalog.pin().tables


def test_the_same_rows_again_make_no_new_state(session: Session) -> None:
    replace_table(session, "bronze.stg", READINGS)
    before = session.pin().tables["bronze.stg"]
    replace_table(session, "bronze.stg", READINGS)
    assert session.pin().tables["bronze.stg"] == before


def test_other_rows_replace_the_table_in_place_and_its_history_goes_on(session: Session, rows: Rows) -> None:
    replace_table(session, "bronze.stg", READINGS)
    replace_table(session, "bronze.stg", f"{READINGS} where sgv = 61")
    assert rows("select count(*) as n from bronze.stg") == [{"n": 2}]
    assert len(session.catalog.load("bronze.stg", session.ref).history()) == 2


@pytest.mark.parametrize(
    "changed",
    [
        "select cast(sgv as varchar) as sgv, _id as entry_id from raw.glucose_entries",
        "select _id as entry_id from raw.glucose_entries",
        "select _id as entry_id, sgv, device from raw.glucose_entries",
    ],
    ids=["types", "fewer", "more"],
)
def test_a_table_whose_columns_changed_is_made_anew(session: Session, rows: Rows, changed: str) -> None:
    replace_table(session, "bronze.stg", READINGS)
    replace_table(session, "bronze.stg", changed)
    assert list(rows("select * from bronze.stg limit 1")[0]) == [name for name, _ in columns(session, "bronze.stg")]
    assert rows("select count(*) as n from bronze.stg") == [{"n": 288}]


def test_an_empty_query_makes_an_empty_table_with_its_columns(session: Session, rows: Rows) -> None:
    assert replace_table(session, "bronze.none", f"{READINGS} where false").rows == 0
    assert rows("select * from bronze.none") == []
    assert columns(session, "bronze.none") == (("entry_id", "varchar"), ("sgv", "bigint"))


def test_a_view_takes_a_table_s_place_and_a_table_a_view_s(session: Session, rows: Rows) -> None:
    replace_table(session, "gold.thing", READINGS)
    assert create_view(session, "gold.thing", READINGS).rows is None
    assert "gold.thing" in session.pin().views
    assert "gold.thing" not in session.pin().tables
    replace_table(session, "gold.thing", READINGS)
    assert "gold.thing" not in session.pin().views
    assert rows("select count(*) as n from gold.thing") == [{"n": 288}]


def test_a_view_keeps_its_sql_and_the_names_and_types_of_its_columns(session: Session) -> None:
    create_view(
        session,
        "gold.v",
        "select count(*) as n, max(date_trunc('day', from_unixtime(1))) as at from raw.glucose_entries",
    )
    assert session.pin().views["gold.v"].columns == (("n", "bigint"), ("at", "timestamp(6) with time zone"))
    assert columns(session, "gold.v") == session.pin().views["gold.v"].columns


def test_a_view_that_did_not_change_is_left_alone(session: Session, shared_lake: Lake, monkeypatch: Any) -> None:
    create_view(session, "gold.v", READINGS)
    monkeypatch.setattr(shared_lake.catalog, "put_view", lambda *_: pytest.fail("written again"))
    create_view(session, "gold.v", READINGS)


def test_a_view_that_does_not_run_is_refused_when_it_is_made(session: Session) -> None:
    with pytest.raises(QueryFailed, match="nope"):
        create_view(session, "gold.v", "select nope from raw.glucose_entries")
    assert "gold.v" not in session.pin().views


def test_a_table_that_is_not_there_is_an_error_with_the_nearest_name(session: Session) -> None:
    with pytest.raises(UnknownTable, match=r"raw\.glucose_entries"):
        replace_table(session, "bronze.stg", "select * from raw.glucose_entry")


def test_an_error_among_the_rows_leaves_the_table_as_it_was(session: Session, rows: Rows) -> None:
    replace_table(session, "bronze.stg", READINGS)
    with pytest.raises(QueryFailed, match=r"r000"):
        replace_table(
            session, "bronze.stg", "select _id as entry_id, cast(_id as bigint) as sgv from raw.glucose_entries"
        )
    assert rows("select count(*) as n from bronze.stg") == [{"n": 288}]


def test_only_the_tables_that_a_model_reads_are_in_the_read_set(session: Session, shared_lake: Lake) -> None:
    replace_table(session, "bronze.a", READINGS)
    replace_table(session, "bronze.b", "select 1 as one")
    replace_table(session, "silver.c", "select entry_id from bronze.a")
    with shared_lake.catalog.database.read() as connection:
        from phlo.iceberg.refs import reads

        assert sorted(reads(connection, session.ref)) == ["bronze.a", "raw.glucose_entries"]


def test_a_bare_null_is_refused_as_trino_refuses_it(session: Session) -> None:
    with pytest.raises(UntypedColumn, match="`device` is a bare NULL") as caught:
        replace_table(session, "bronze.stg", "select 1 as one, null as device")
    assert caught.value.next_step == "give it a type, such as cast(null as varchar) as device"


def test_two_columns_of_one_name_are_refused(session: Session) -> None:
    with pytest.raises(AmbiguousColumn):
        replace_table(session, "bronze.stg", "select 1 as one, 2 as ONE")


def test_a_partitioned_table_is_asked_for_in_the_config(session: Session) -> None:
    replace_table(session, "bronze.stg", "select date '2024-01-20' as d, 1 as n", partition_by="month(d)")
    spec = session.catalog.load("bronze.stg", session.ref).spec()
    assert [str(field.transform) for field in spec.fields] == ["month"]


def test_a_scratch_relation_is_seen_by_its_session_alone_and_never_published(
    session: Session, shared_lake: Lake
) -> None:
    create_scratch(session, "bronze.tmp", READINGS)
    assert columns(session, "bronze.tmp") == (("entry_id", "varchar"), ("sgv", "bigint"))
    replace_table(session, "bronze.stg", "select * from bronze.tmp where sgv = 60")
    assert shared_lake.catalog.pin(session.ref).views == {}
    drop(session, "bronze.tmp")
    assert columns(session, "bronze.tmp") == ()
    assert sorted(session.pin().tables) == ["bronze.stg", "raw.glucose_entries"]


def test_drop_takes_tables_and_views_and_minds_nothing_missing(session: Session) -> None:
    replace_table(session, "bronze.t", READINGS)
    create_view(session, "bronze.v", READINGS)
    for name in ("bronze.t", "bronze.v", "bronze.never"):
        drop(session, name)
    assert sorted((*session.pin().tables, *session.pin().views)) == ["raw.glucose_entries"]


def test_names_in_any_script_and_values_with_quotes_come_through(session: Session, rows: Rows) -> None:
    replace_table(session, "bronze.stg", """select 'it''s; "x" -- 日本' as "größe", 1 as "select" """)
    assert rows("select * from bronze.stg") == [{"größe": """it's; "x" -- 日本""", "select": 1}]


def test_many_rows_stream_in_batches(session: Session, rows: Rows) -> None:
    million = (
        "select a.sgv * 1000 + b.sgv as n, b._id as id from raw.glucose_entries a cross join raw.glucose_entries b"
    )
    assert replace_table(session, "silver.many", million).rows == 288 * 288
    assert rows("select count(*) as n, count(distinct n) as d from silver.many") == [{"n": 82944, "d": 200 * 200}]


def test_two_models_are_written_at_once(session: Session, rows: Rows) -> None:
    errors: list[BaseException] = []

    def build(number: int) -> None:
        try:
            replace_table(session, f"silver.t{number}", f"{READINGS} where sgv > {number}")
        except BaseException as error:  # noqa: BLE001  the test itself says what it was
            errors.append(error)

    threads = [threading.Thread(target=build, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [rows(f"select count(*) as n from silver.t{number}")[0]["n"] for number in range(4)] == [288] * 4


def test_views_are_stored_as_they_are_written(session: Session) -> None:
    create_view(session, "gold.v", "select day_of_week(date '2024-01-20') as d")
    assert session.pin().views["gold.v"] == View("select day_of_week(date '2024-01-20') as d", (("d", "bigint"),))
