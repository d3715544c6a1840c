"""Where the columns of models come from, as runs keep it and commands read it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from phlo.errors import LineageUnreadable
from phlo.transform.lineage import FILE, Column, Lineage, Traced, keep_lineage, read_lineage
from phlo.transform.session import Compiled, Session
from phlo.transform.write import create_view, replace_table

if TYPE_CHECKING:
    from phlo.profiles import Lake

RAW = "raw.glucose_entries"


def note(lake: Lake, ref: str, *models: Compiled) -> str:
    """Build views and tables on a ref of their own, as dbt does."""
    if ref not in {each.name for each in lake.catalog.refs()}:
        lake.catalog.create_ref(ref)
    session = Session(lake.catalog, lake.engine, ref)
    for model in models:
        if model.language == "sql":
            create_view(session, model.table, model.code)
        session.built[model.table] = model
    return keep_lineage(session, lake.project.state)


def traced(lake: Lake) -> int:
    with sqlite3.connect(lake.project.state / FILE) as db:
        return int(db.execute("SELECT count(*) FROM traced").fetchone()[0])


def test_main_has_what_was_published_and_a_ref_its_own(lake: Lake) -> None:
    assert read_lineage(lake) == Lineage({})
    note(lake, "run-a", Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}"))
    assert read_lineage(lake) == Lineage({})
    lake.catalog.publish("run-a")
    note(lake, "run-b", Compiled("gold.v", f"SELECT date AS x FROM {RAW}"))
    assert read_lineage(lake).direct("gold.v", "x") == (Column(RAW, "sgv"),)
    assert read_lineage(lake, "run-b").direct("gold.v", "x") == (Column(RAW, "date"),)
    lake.catalog.publish("run-b")
    assert read_lineage(lake).direct("gold.v", "x") == (Column(RAW, "date"),)
    lake.catalog.undo()
    assert read_lineage(lake).direct("gold.v", "x") == (Column(RAW, "sgv"),)


def test_what_a_ref_builds_after_its_publish_is_not_main_s(lake: Lake) -> None:
    note(lake, "dev-ada", Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}"))
    lake.catalog.publish("dev-ada")
    note(lake, "dev-ada", Compiled("gold.v", f"SELECT date AS x FROM {RAW}"))
    assert read_lineage(lake).direct("gold.v", "x") == (Column(RAW, "sgv"),)


def test_a_name_that_is_used_again_is_another_ref(lake: Lake) -> None:
    note(lake, "dev-ada", Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}"))
    lake.catalog.publish("dev-ada")
    note(lake, "other", Compiled("gold.v", f"SELECT date AS x FROM {RAW}"))
    lake.catalog.publish("other")
    note(lake, "dev-ada", Compiled("gold.w", f"SELECT sgv AS x FROM {RAW}"))
    lake.catalog.publish("dev-ada")
    assert read_lineage(lake).direct("gold.v", "x") == (Column(RAW, "date"),)


def test_what_a_dropped_ref_had_built_is_not_published_with_the_next_of_its_name(lake: Lake) -> None:
    note(lake, "dev-ada", Compiled("gold.v", f"SELECT date AS x FROM {RAW}"))
    lake.catalog.drop_ref("dev-ada")
    note(lake, "dev-ada", Compiled("gold.w", f"SELECT sgv AS x FROM {RAW}"))
    assert read_lineage(lake, "dev-ada").models.keys() == {"gold.w"}
    lake.catalog.publish("dev-ada")
    assert read_lineage(lake).models.keys() == {"gold.w"}


def test_a_ref_that_is_gone_stops_no_run_and_is_said(lake: Lake) -> None:
    lake.catalog.create_ref("run-a")
    session = Session(lake.catalog, lake.engine, "run-a")
    session.built["gold.v"] = Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}")
    lake.catalog.drop_ref("run-a")
    assert "could not be kept" in keep_lineage(session, lake.project.state)


def test_a_model_is_looked_at_again_when_its_sql_or_its_parents_columns_change_and_not_for_a_value(lake: Lake) -> None:
    star, day = (
        Compiled("gold.v", f"SELECT * FROM {RAW}"),
        "SELECT sgv FROM {} WHERE partition_date > DATE '2024-01-{}'",
    )
    note(lake, "run-a", star, Compiled("gold.w", day.format(RAW, "01")))
    assert traced(lake) == 2
    note(lake, "run-b", star, Compiled("gold.w", day.format(RAW, "02")))
    assert traced(lake) == 2
    session = Session(lake.catalog, lake.engine, "run-b")
    replace_table(session, RAW, "SELECT 1 AS one")
    note(lake, "run-b", star)
    assert traced(lake) == 3
    assert set(read_lineage(lake, "run-b").models["gold.v"].columns) == {"one"}


def test_a_model_that_can_not_be_traced_has_its_parents_and_the_reason(lake: Lake) -> None:
    odd = f"SELECT j.* FROM {RAW}, JSON_TABLE(device, 'lax $' COLUMNS (a varchar PATH 'lax $.a')) AS j"
    python = Compiled("gold.p", "def model(dbt, session): ...", "python", (RAW,))
    assert note(lake, "run-a", Compiled("gold.v", odd), python) == ""
    found = read_lineage(lake, "run-a").models
    assert found["gold.p"] == Traced({}, (RAW,), "it is written in Python")
    assert found["gold.v"] == Traced({}, (RAW,), "the columns of a `*` are not known")


def test_a_column_of_a_model_that_can_not_be_traced_stands_for_what_is_behind_it() -> None:
    p, raw = Column("gold.p", "x"), Column("raw.r", "x")
    found = Lineage({"gold.p": Traced({}, ("raw.r",), "it is written in Python"), "gold.v": Traced({"y": (p, raw)})})
    assert found.origins("gold.v", "y") == (p, raw)


def test_a_model_that_reads_itself_comes_to_an_end() -> None:
    v, raw = Column("gold.v", "x"), Column("raw.r", "x")
    found = Lineage({"gold.v": Traced({"x": (v, raw)})})
    assert found.origins("gold.v", "x") == (raw,)
    assert found.uses("gold.v", "x") == ()


def test_a_file_that_can_not_be_written_stops_no_run_and_is_said(lake: Lake) -> None:
    (lake.project.state / FILE).mkdir()
    said = note(lake, "run-a", Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}"))
    assert "where columns come from could not be kept" in said and FILE in said


def test_a_file_that_is_something_else_is_said_when_it_is_read(lake: Lake) -> None:
    (lake.project.state / FILE).write_text("this is no database, however long it is" * 20)
    with pytest.raises(LineageUnreadable, match="file is not a database") as caught:
        read_lineage(lake)
    assert "remove the file" in caught.value.next_step
    assert "file is not a database" in note(lake, "run-a", Compiled("gold.v", f"SELECT sgv AS x FROM {RAW}"))


def test_old_builds_are_forgotten_with_what_they_were(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.transform.lineage.KEPT", 2)
    for column in ("sgv", "date", "device"):
        note(lake, "run-a", Compiled("gold.v", f"SELECT {column} AS x FROM {RAW}"))
    assert traced(lake) == 2
    assert read_lineage(lake, "run-a").direct("gold.v", "x") == (Column(RAW, "device"),)
