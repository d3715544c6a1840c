"""What Trino 476 answered to its documentation's examples and to statements of ours, against what we answer.

Each statement has the same value here, or is refused by name and listed in ``trino_refused.txt``; a value that differs
in silence fails. ``scripts/record_trino.py`` records anew.
"""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.engine.trino_values import same, same_type

from phlo.engine.dialect import MACROS, to_duckdb
from phlo.errors import QuerySyntax, UnsupportedFunction

HERE = Path(__file__).parent
FILES = ("trino_documented.json", "trino_recorded.json")
RECORDED: list[dict[str, Any]] = [entry for file in FILES for entry in json.loads((HERE / file).read_text())]
DIFFERENT = {
    "select json_extract_scalar('{\"a\":1.50}','$.a')": "numbers of JSON come out in their shortest form",
    "select json_extract_scalar('{\"a\":1e2}', '$.a')": "numbers of JSON come out in their shortest form",
}
"""What is known to differ, and why; the reference page on the dialect says so."""
REFUSED = set((HERE / "trino_refused.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute(MACROS)
    return con


@pytest.mark.parametrize("entry", RECORDED, ids=lambda entry: entry["sql"][:80])
def test_a_statement_has_trinos_value_or_is_refused_by_name(
    entry: dict[str, Any], con: duckdb.DuckDBPyConnection
) -> None:
    if entry["sql"] in DIFFERENT:
        pytest.xfail(DIFFERENT[entry["sql"]])
    if entry["sql"] in REFUSED:
        with pytest.raises((UnsupportedFunction, QuerySyntax, duckdb.Error)):
            con.execute(to_duckdb(entry["sql"])).fetchall()
        return
    cursor = con.execute(to_duckdb(entry["sql"]))
    found, types = cursor.fetchall(), [str(column[1]) for column in cursor.description]
    expected, kinds = entry["rows"], entry["types"]
    assert _same_rows(found, expected, kinds, ordered="order by" in entry["sql"].lower()), (found, expected)
    assert [(a, b) for a, b in zip(types, kinds, strict=True) if not same_type(a, b)] == []


def test_the_list_of_refused_statements_names_only_recorded_ones() -> None:
    assert REFUSED - {entry["sql"] for entry in RECORDED} == set()


def test_most_of_the_documentation_runs() -> None:
    documented = [entry["sql"] for entry in RECORDED if "page" in entry]
    counts = collections.Counter(sql in REFUSED for sql in documented)
    assert counts[False] >= 270, f"{counts[False]} of {len(documented)} run"


def test_nothing_typical_of_models_is_refused() -> None:
    ours = [entry["sql"] for entry in RECORDED if "page" not in entry]
    assert len([sql for sql in ours if sql in REFUSED]) / len(ours) < 0.03


def _same_rows(found: list[Any], expected: list[Any], kinds: list[str], *, ordered: bool) -> bool:
    if not ordered:
        found, expected = sorted(found, key=_by_text), sorted(expected, key=_by_text)
    pairs = zip(found, expected, strict=False)
    return len(found) == len(expected) and all(
        all(same(a, b, kind) for a, b, kind in zip(row, other, kinds, strict=True)) for row, other in pairs
    )


def _by_text(row: Any) -> list[str]:
    return [str(cell) for cell in row]
