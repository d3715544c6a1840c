"""dbt's cross-database macros: dbt-trino writes them in Trino's SQL, and the dialect gives them Trino's results."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from phlo.transform.run import run_models

if TYPE_CHECKING:
    from phlo.profiles import Lake

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

MACROS: dict[str, tuple[str, Any]] = {
    "dateadd_day": ("dateadd('day', 40, 'd')", dt.date(2024, 2, 29)),
    "dateadd_month": ("dateadd('month', 1, \"date '2024-01-31'\")", dt.date(2024, 2, 29)),
    "dateadd_hour": ("dateadd('hour', -4, 'at')", dt.datetime(2024, 1, 19, 23, 4, 5)),
    "datediff_day": ("datediff('d', \"date '2024-03-01'\", 'day')", 41),
    "datediff_hour": ("datediff('at', \"timestamp '2024-01-21 00:00:00'\", 'hour')", 21),
    "datediff_minute": ("datediff('at', \"timestamp '2024-01-20 04:03:00'\", 'minute')", 59),
    "datediff_second": ("datediff('at', \"timestamp '2024-01-20 03:04:07'\", 'second')", 2),
    "datediff_month": ("datediff('d', \"date '2024-03-01'\", 'month')", 2),
    "datediff_year": ("datediff('d', \"date '2023-12-31'\", 'year')", -1),
    "datediff_week": ("datediff('d', \"date '2024-02-03'\", 'week')", 2),
    "date_trunc_month": ("date_trunc('month', 'd')", dt.date(2024, 1, 1)),
    "date_trunc_hour": ("date_trunc('hour', 'at')", dt.datetime(2024, 1, 20, 3)),
    "date_trunc_week": ("date_trunc('week', 'd')", dt.date(2024, 1, 15)),
    "last_day_month": ("last_day('d', 'month')", dt.date(2024, 1, 31)),
    "last_day_quarter": ("last_day('d', 'quarter')", dt.date(2024, 3, 31)),
    "date": ("date(2024, 2, 29)", dt.date(2024, 2, 29)),
    "concat": ("concat(['s', \"'-'\", 's'])", "a,b,c-a,b,c"),
    "hash": ("hash('s')", "a44c56c8177e32d3613988f4dba7962e"),
    "hash_of_null": ("hash('cast(null as varchar)')", None),
    "length": ("length('s')", 5),
    "replace": ("replace('s', \"','\", \"'; '\")", "a; b; c"),
    "right": ("right('s', 3)", "b,c"),
    "position": ("position(\"'b'\", 's')", 3),
    "position_of_none": ("position(\"'x'\", 's')", 0),
    "split_part": ("split_part('s', \"','\", 2)", "b"),
    "split_part_past_the_end": ("split_part('s', \"','\", 9)", None),
    "string_literal": ('string_literal(escape_single_quotes("it\'s"))', "it's"),
    "safe_cast": ("safe_cast(\"'12'\", type_int())", 12),
    "safe_cast_of_nonsense": ("safe_cast(\"'twelve'\", type_int())", None),
    "cast": ("cast(\"'12'\", type_bigint())", 12),
    "cast_bool_to_text": ("cast_bool_to_text('true')", "true"),
    "type_numeric": ("cast('n', type_numeric())", Decimal("3.000000")),
    "type_float": ("cast('n', type_float())", 3.0),
    "type_timestamp": ("cast('d', type_timestamp())", dt.datetime(2024, 1, 20)),
    "type_boolean": ("cast(\"'true'\", type_boolean())", True),
    "type_string": ("cast('n', type_string())", "3"),
    "array_construct": ("array_construct([1, 2])", [1, 2]),
    "array_append": ("array_append('array[1, 2]', '3')", [1, 2, 3]),
    "array_concat": ("array_concat('array[1, 2]', 'array[3]')", [1, 2, 3]),
}

AGGREGATES: dict[str, tuple[str, Any]] = {
    "any_value": ("any_value('s')", "a,b,c"),
    "bool_or": ("bool_or('n > 1')", True),
    "listagg": ("listagg('s', \"' | '\", 'order by n')", "a,b,c | z"),
    "listagg_limited": ("listagg('s', \"' | '\", 'order by n', 1)", "a,b,c"),
}

ROW = "(select 3 as n, date '2024-01-20' as d, timestamp '2024-01-20 03:04:05' as at, 'a,b,c' as s) t"
ROWS = "(values (1, 'a,b,c'), (2, 'z'), (3, cast(null as varchar))) t (n, s)"

SETS = """
select 'date_spine' as name, count(*) as n
from ({{ dbt.date_spine('day', "date '2024-01-28'", "date '2024-02-03'") }}) x
union all
select 'generate_series', count(*) from ({{ dbt.generate_series(5) }}) x
union all
select 'except', count(*) from (select n from (values 1, 2, 3) a (n) {{ dbt.except() }} select 2) x
union all
select 'intersect', count(*) from (select n from (values 1, 2, 3) a (n) {{ dbt.intersect() }} select 2) x
"""


def model(macros: dict[str, tuple[str, Any]], source: str) -> str:
    columns = ",\n".join(f"{{{{ dbt.{call} }}}} as {name}" for name, (call, _) in macros.items())
    # A call inside a call is a macro of dbt's too.
    for inner in ("type_int", "type_bigint", "type_numeric", "type_float", "type_timestamp", "type_boolean"):
        columns = columns.replace(f" {inner}(", f" dbt.{inner}(")
    columns = columns.replace(" type_string(", " dbt.type_string(").replace("(escape_single", "(dbt.escape_single")
    return f"{{{{ config(materialized='table') }}}}\nselect\n{columns}\nfrom {source}"


@pytest.fixture(scope="module")
def results(shared_lake: Lake) -> Any:
    """One run of models made of macros alone."""
    folder = shared_lake.project.dbt / "models" / "silver"
    files = {
        folder / "macros_of_rows.sql": model(MACROS, ROW),
        folder / "macros_of_groups.sql": model(AGGREGATES, ROWS),
        folder / "macros_of_sets.sql": f"{{{{ config(materialized='table') }}}}\n{SETS}",
    }
    for file, text in files.items():
        file.write_text(text)
    shared_lake.catalog.create_ref("run-macros")
    try:
        run_models(shared_lake, "run-macros", [file.stem for file in files])
    finally:
        for file in files:
            file.unlink()
    pin = shared_lake.catalog.pin("run-macros")
    rows = shared_lake.engine.query("select * from silver.macros_of_rows", pin).to_pylist()[0]
    groups = shared_lake.engine.query("select * from silver.macros_of_groups", pin).to_pylist()[0]
    sets = shared_lake.engine.query("select * from silver.macros_of_sets", pin).to_pylist()
    shared_lake.catalog.drop_ref("run-macros")
    return {**rows, **groups, **{row["name"]: row["n"] for row in sets}}


@pytest.mark.parametrize("name", [*MACROS, *AGGREGATES])
def test_a_macro_gives_what_trino_gives(results: dict[str, Any], name: str) -> None:
    expected = {**MACROS, **AGGREGATES}[name][1]
    assert results[name] == expected
    assert type(results[name]) is type(expected)


@pytest.mark.parametrize(("name", "rows"), [("date_spine", 6), ("generate_series", 5), ("except", 2), ("intersect", 1)])
def test_a_macro_that_makes_rows_makes_as_many(results: dict[str, Any], name: str, rows: int) -> None:
    assert results[name] == rows
