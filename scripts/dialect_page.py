"""Write docs/reference/dialect.md: the functions that are available, and how Trino's documentation fares.

    python scripts/dialect_page.py

The figures come from what a live Trino answered (tests/engine/trino_*.json) and from the list of what is refused here.
"""

# ruff: noqa: E501 - the page’s sentences
from __future__ import annotations

import collections
import json
import textwrap
from pathlib import Path

from phlo.engine.dialect import known_functions

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "dialect.md"
RECORDED = ROOT / "tests" / "engine"

OWN_GRAMMAR = (
    "`ARRAY[…]` `AT TIME ZONE` `BETWEEN` `CASE` `CAST` `CORRESPONDING` `CUBE` `EXTRACT` `FETCH FIRST … WITH TIES` `FILTER` "
    "`GROUPING SETS` `IF` `IGNORE NULLS` `INTERVAL` `JSON_ARRAY` `JSON_EXISTS` `JSON_OBJECT` `JSON_QUERY` `JSON_TABLE` "
    "`JSON_VALUE` `LATERAL` `listagg … WITHIN GROUP` `POSITION` `ROLLUP` `(row).*` `SUBSTRING` `TABLESAMPLE` `TRIM` "
    "`TRY_CAST` `UNNEST … WITH ORDINALITY` `VALUES` `WINDOW` `WITH RECURSIVE` `x -> …` `> ALL (…)` `U&'…' UESCAPE`"
)

MISSING = {
    "nanos": ("times of more than six digits of a second", ("nanos", "(12)", ".123456789")),
    "digests": ("set digests as values", ("set_digest", "setdigest")),
}
"""Families that DuckDB or Iceberg has no type for, and what their examples have in them."""


def page() -> str:
    """Make the page."""
    documented = json.loads((RECORDED / "trino_documented.json").read_text())
    refused = set((RECORDED / "trino_refused.txt").read_text().splitlines())
    return HEAD + functions() + CLAUSES + figures(documented, refused) + own(refused) + TAIL


def functions() -> str:
    """List the functions."""
    names = " ".join(f"`{name}`" for name in sorted(known_functions()))
    return textwrap.fill(names, 120, break_on_hyphens=False) + "\n"


def figures(documented: list[dict[str, str]], refused: set[str]) -> str:
    """Count the documentation's examples by page."""
    by_page: dict[str, collections.Counter[bool]] = collections.defaultdict(collections.Counter)
    for entry in documented:
        by_page[entry["page"]][_line(entry["sql"]) in refused] += 1
    total, missing = len(documented), [e["sql"] for e in documented if _line(e["sql"]) in refused]
    typeless = [sql for sql in missing if _family(sql)]
    rest = total - len([e for e in documented if _family(e["sql"])])
    rows = "\n".join(f"| {name} | {sum(n.values())} | {n[False]} | {n[True] or ''} |" for name, n in by_page.items())
    same = total - len(missing)
    listed = "\n".join(f"- `{_line(sql)[:110]}`" + (f" — {_family(sql)}" if _family(sql) else "") for sql in missing)
    told = (
        f"Of the {total} examples with a result in Trino 476's documentation {same} ({same / total:.1%}) give that value here, "
        f"with Trino's type (`json_array_get`: see below); {len(missing)} are refused by name, and none gives another value. "
        f"{len(typeless)} of the refused ones need a type that DuckDB or Iceberg has not; without these families "
        f"{rest - len(missing) + len(typeless)} of {rest} ({(rest - len(missing) + len(typeless)) / rest:.1%}) run. Each was "
        "evaluated on a live Trino 476 and is checked in CI."
    )
    return f"""
## Trino's documentation, example by example

{textwrap.fill(told, 120)}

| page | examples | same | refused |
|---|---|---|---|
{rows}

Refused:

{listed}
"""


def own(refused: set[str]) -> str:
    """Count the statements of ours."""
    entries = [e for name in ("recorded", "edges") for e in json.loads((RECORDED / f"trino_{name}.json").read_text())]
    values = [entry for entry in entries if "error" not in entry]
    accepted = len((RECORDED / "trino_accepted.txt").read_text().splitlines())
    missing = sum(_line(entry["sql"]) in refused for entry in values)
    errors = len(entries) - len(values)
    told = (
        f"Beside them stand {len(values)} statements of ours about edges (NULLs, negative numbers, Unicode, changes of the "
        f"clock, ends of months, overflows, empty arrays): {len(values) - missing} give what Trino gave, {missing} are refused "
        f"by name. Of {errors} that Trino refuses {errors - accepted} are refused here."
    )
    return f"\n{textwrap.fill(told, 120)}\n"


def _line(sql: str) -> str:
    return " ".join(sql.split())


def _family(sql: str) -> str:
    return next((words for words, marks in MISSING.values() if any(mark in sql.lower() for mark in marks)), "")


HEAD = """# The dialect

<!-- written by scripts/dialect_page.py -->

Queries, models and SQL checks are written in Trino's SQL. On the embedded profile DuckDB runs them, with the results
that Trino has; what it has no equal of is refused by name, with the line. Queries only read.

## Functions

"""
CLAUSES = f"""
{textwrap.fill(f"Beside these: {OWN_GRAMMAR}.", 120, break_on_hyphens=False)}

A few run in Python, which costs about a microsecond for each row: hashes that DuckDB has not, `normalize`, `soundex`,
`levenshtein_distance`, `hamming_distance`, `from_utf8`, base 32, IEEE 754, the normal distribution, numbers with a fraction in
`json_extract_scalar`, and all of SQL/JSON (`json_query` and the
like). A query that names none of them pays nothing.

## What a literal must be

The unit of `date_trunc`, `date_add` and `date_diff`; the pattern of `date_format`, `date_parse`, `format_datetime` and
`parse_datetime`; the pattern and the replacement of `regexp_…`; the path of `json_extract…` and of SQL/JSON; the keys of
`JSON_OBJECT`; the template of `format`; a time zone.
"""
TAIL = """
## What is known to differ

- In columns NaN is equal to itself and larger than all numbers, also for `max` and `min`. A comparison with `nan()`
  itself is refused.
- `approx_distinct` and `approx_percentile` are exact where Trino estimates.
- `json_array_get` gives text, since what Trino calls JSON there is none.
- Times have at most six digits of a second, and columns of times with a zone are in UTC.
- The text of a view's `timestamp(3)` has six digits of a second.
- The product of two decimals of up to 18 digits has 18 digits; one that needs more is an error.
- Types are compared where the statement or the tables that it reads say them: `partition_date = '2024-01-01'` is
  refused as in Trino. Fields of rows and elements of arrays are brought to what they are compared with.
"""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
