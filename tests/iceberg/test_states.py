"""How two states of a ref differ, in plain values."""

from __future__ import annotations

import pytest

from phlo.iceberg.states import Entry, changes, definition, moves, shown, view
from phlo.protocols import Change, View

OLD, NEW = Entry("table", "/w/raw/g-1/metadata/1"), Entry("table", "/w/raw/g-1/metadata/2")
SEEN = Entry("view", definition(View("SELECT 1", (("a", "integer"),))))


def test_equal_states_do_not_differ() -> None:
    assert moves({}, {}) == []
    assert moves({"raw.g": OLD, "gold.v": SEEN}, {"gold.v": SEEN, "raw.g": OLD}) == []


def test_moves_are_listed_by_name() -> None:
    found = moves({"raw.b": OLD, "raw.a": OLD, "raw.same": OLD}, {"raw.b": NEW, "raw.c": NEW, "raw.same": OLD})
    assert [(move.name, move.before, move.after) for move in found] == [
        ("raw.a", OLD, None),
        ("raw.b", OLD, NEW),
        ("raw.c", None, NEW),
    ]


def test_a_name_that_changes_its_kind_is_two_changes() -> None:
    assert changes(moves({"x.y": OLD}, {"x.y": SEEN})) == (
        Change("x.y", "table", OLD.pointer, None),
        Change("x.y", "view", None, SEEN.pointer),
    )


def test_a_view_s_change_is_shown_as_sql_and_a_table_s_as_its_pointer() -> None:
    assert shown(Change("x.y", "view", None, SEEN.pointer)) == Change("x.y", "view", None, "SELECT 1")
    assert shown(Change("x.y", "view", SEEN.pointer, None)) == Change("x.y", "view", "SELECT 1", None)
    assert shown(Change("x.y", "table", "/a", "/b")) == Change("x.y", "table", "/a", "/b")


@pytest.mark.parametrize(
    "given",
    [
        View("SELECT 1"),
        View("", (("", ""),)),
        View("SELECT 'ß\n\"日本\"' -- \\ \x00", (('naïve "q"', "array(row(a integer))"), ("b", "varchar"))),
    ],
)
def test_a_view_is_read_back_as_it_was_put(given: View) -> None:
    assert view(definition(given)) == given


def test_a_view_whose_columns_alone_changed_has_moved() -> None:
    other = Entry("view", definition(View("SELECT 1", (("a", "bigint"),))))
    assert len(moves({"gold.v": SEEN}, {"gold.v": other})) == 1
