"""Functions: what is not known is refused with the nearest names, and arguments are counted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from phlo.engine.dialect import known_functions, to_duckdb
from phlo.errors import UnsupportedFunction

if TYPE_CHECKING:
    from tests.engine.dialect.conftest import Ask


def test_an_unknown_function_is_named_with_its_line_and_the_nearest() -> None:
    with pytest.raises(UnsupportedFunction) as caught:
        to_duckdb("SELECT\n  sgv,\n  approx_distnct(sgv)\nFROM raw.t")
    assert str(caught.value).startswith(
        "`approx_distnct` (line 3) is not available on the embedded engine; did you mean `approx_distinct`"
    )
    assert caught.value.code == "unsupported-function"


@pytest.mark.parametrize(
    "name",
    ["read_csv", "getenv", "list_transform", "strftime", "trino_divide", "phlo_quotient", "epoch_ms", "struct_pack"],
)
def test_duckdbs_own_functions_are_not_passed_on(name: str) -> None:
    with pytest.raises(UnsupportedFunction):
        to_duckdb(f"SELECT {name}('x')")


@pytest.mark.parametrize(
    "call",
    ["abs()", "lower('a', 'b')", "substr('a')", "coalesce(1)", "date_add('day', 1)", "json_extract('x')",
     "transform(ARRAY[1])", "reduce(ARRAY[1], 0)", "concat('a')", "nullif(1)", "split_part('a', 'b')", "format()",
     "regexp_like('a')",
     "transform(ARRAY[1], 5)", "format('%s')", "format('%s', 1, 2)", "format('%q', 1)", "format(x, 1)"],
)  # fmt: skip
def test_a_wrong_number_of_arguments_is_refused(call: str) -> None:
    with pytest.raises(UnsupportedFunction):
        to_duckdb(f"SELECT {call} FROM raw.t")


def test_names_are_read_in_any_case(ask: Ask) -> None:
    assert ask("SELECT COUNT_IF(true), Lower('A'), Coalesce(NULL, 1)") == [(1, "a", 1)]


def test_the_list_of_known_functions_is_trinos() -> None:
    known = known_functions()
    assert {"approx_percentile", "date_diff", "day_of_week", "json_extract_scalar", "transform", "try"} <= known
    assert not [name for name in known if name.startswith(("phlo_", "trino_", "list_"))]


def test_a_window_function_keeps_its_nulls_clause(ask: Ask) -> None:
    sql = "SELECT lag(x) IGNORE NULLS OVER (ORDER BY y) FROM (VALUES (1, 1), (NULL, 2), (3, 3)) t(x, y) ORDER BY 1"
    assert ask(sql) == [(1,), (1,), (None,)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT sum(x), avg(x), count(x), max(x), count_if(x > 0), array_agg(x) FROM (VALUES 1) t(x) WHERE x > 1",
         [(None, None, 0, None, 0, None)]),
        ("SELECT sum(x) / count(*) FROM (VALUES 1, 2, 4) t(x)", [(2,)]),
        ("SELECT y FROM (VALUES (1, 'a'), (4, 'b')) t(x, y) GROUP BY y HAVING sum(x) / count(*) > 2", [("b",)]),
        ("SELECT listagg(x, '') WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 'a', NULL, 'b') t(x)", [("ba",)]),
        ("SELECT map_agg(k, v) FROM (VALUES ('a', 1), ('a', 2), (NULL, 3)) t(k, v)", [({"a": 1},)]),
        ("SELECT max_by(x, y) FROM (VALUES (NULL, 2), ('a', 1)) t(x, y)", [(None,)]),
    ],
)  # fmt: skip
def test_aggregates_over_the_edge(sql: str, rows: object, ask: Ask) -> None:
    assert ask(sql) == rows


def test_the_reference_page_lists_what_is_available() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "dialect.md").read_text()
    listed = page.partition("## Functions")[2].partition("Beside these")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == known_functions()
