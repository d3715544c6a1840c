"""Errors of compiled SQL, shown in the files that users wrote."""

from __future__ import annotations

import pytest

from phlo.errors import PhloError, QueryFailed, QuerySyntax, UnknownTable, UnsupportedFunction, UntypedColumn
from phlo.transform.excerpt import Source, find, told

MODEL = Source(
    "models/gold/per_hour.sql",
    """\

{{ config(
    materialized='table',
) }}
with readings as (
  select * from {{ ref('fct_glucose_readings') }}
  {% if is_incremental() %}
  where at > (select max(at) from {{ this }})
  {% endif %}
)
select
  hour_of_day,\tdate_trunk('day', at) as größe,
  {{ dbt.datediff('at', 'until', 'hour') }} as hours,
  sgv
from readings""",
)
COMPILED = """\
with readings as (
  select * from "silver"."fct_glucose_readings"

)
select
  hour_of_day,\tdate_trunk('day', at) as größe,
  date_diff('hour', cast(at as timestamp), cast(until as timestamp)) as hours,
  sgv
from readings"""


def failed(line: int, column: int) -> QueryFailed:
    return QueryFailed(detail="it does not fit", where="there", line=line, column=column, text="")


@pytest.mark.parametrize(
    ("line", "column", "place"),
    [
        (8, 3, "models/gold/per_hour.sql:14:3"),
        (6, 16, "models/gold/per_hour.sql:12:16"),
        (7, 26, "models/gold/per_hour.sql:13:20"),
        (2, 17, "models/gold/per_hour.sql:6"),
        (1, 1, "models/gold/per_hour.sql:5:1"),
    ],
    ids=["a line as it was", "after a tab", "a macro's own words", "the name of a ref", "the first line"],
)
def test_a_line_of_compiled_sql_is_found_in_the_model_s_file(line: int, column: int, place: str) -> None:
    assert str(find(failed(line, column), COMPILED, [MODEL])) == place


def test_the_lines_around_are_shown_with_a_caret_below_the_word() -> None:
    assert told(failed(6, 16), COMPILED, [MODEL]).split("\n") == [
        "it does not fit",
        "models/gold/per_hour.sql:12:16",
        "  10 | )",
        "  11 | select",
        "> 12 |   hour_of_day,\tdate_trunk('day', at) as größe,",
        "     |               \t^",
        "  13 |   {{ dbt.datediff('at', 'until', 'hour') }} as hours,",
        "  14 |   sgv",
    ]


@pytest.mark.parametrize(
    ("error", "first", "place", "last"),
    [
        (
            QuerySyntax(line=9, column=6, detail="expected `)`", text="from readings"),
            "expected `)`",
            "models/gold/per_hour.sql:15:6",
            "hint: the project's SQL is Trino's, unless [tool.phlo] sets dialect",
        ),
        (
            UnsupportedFunction(name="date_trunk", line=6, nearest="; did you mean `date_trunc`?", fix="see the list"),
            "`date_trunk` is not available on the embedded engine; did you mean `date_trunc`?",
            "models/gold/per_hour.sql:12:16",
            "hint: see the list",
        ),
        (
            UnknownTable(name="silver.fct_glucose_readings", ref="run-1", nearest="."),
            "There is no table `silver.fct_glucose_readings` on `run-1`.",
            "models/gold/per_hour.sql:6",
            "hint: `phlo catalog tables` lists the tables",
        ),
        (
            UntypedColumn(column="sgv", given="a bare NULL"),
            "The column `sgv` is a bare NULL, which a table can not hold",
            "models/gold/per_hour.sql:14:3",
            "hint: give it a type, such as cast(null as varchar) as sgv",
        ),
    ],
    ids=["syntax", "function", "table", "column"],
)
def test_each_kind_of_error_has_its_sentence_its_place_and_one_hint(
    error: PhloError, first: str, place: str, last: str
) -> None:
    lines = told(error, COMPILED, [MODEL]).split("\n")
    assert (lines[0], lines[1], lines[-1]) == (first, place, last)
    assert [line.startswith("hint:") for line in lines].count(True) == 1


def test_sql_of_an_ephemeral_model_is_shown_in_its_own_file() -> None:
    inner = Source("models/inner.sql", "select\n  nope as n\nfrom raw.readings")
    compiled = (
        "with  __dbt__cte__inner as (\nselect\n  nope as n\nfrom raw.readings\n) select n\nfrom __dbt__cte__inner"
    )
    outer = Source("models/outer.sql", "select n\nfrom {{ ref('inner') }}")
    assert str(find(failed(3, 3), compiled, [outer, inner])) == "models/inner.sql:2:3"
    assert str(find(failed(6, 1), compiled, [outer, inner])) == "models/outer.sql:2:1"


@pytest.mark.parametrize(
    ("line", "sources"), [(0, [MODEL]), (99, [MODEL]), (2, [])], ids=["no line", "too far", "none"]
)
def test_what_has_no_place_is_told_without(line: int, sources: list[Source]) -> None:
    assert told(failed(line, 0), COMPILED, sources) == "it does not fit"
