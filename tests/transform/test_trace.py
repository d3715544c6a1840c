"""Columns of queries, traced to the columns of the tables they read."""

from __future__ import annotations

import pytest

from phlo.transform.trace import Untraceable, trace

TABLES = {
    "raw.entries": (
        ("sgv", "bigint"),
        ("_id", "varchar"),
        ("dateString", "varchar"),
        ("tags", "array(varchar)"),
        ("more", "map(varchar, bigint)"),
        ("place", 'row("lat" double, "at" row("zone" varchar))'),
    ),
    "gold.devices": (("id", "integer"), ("name", "varchar")),
}


def traced(sql: str) -> dict[str, str]:
    """Each column with what it comes from, as one text: the tables' names are told by their columns alone."""
    return {column: " ".join(sorted(name for _, name in found)) for column, found in trace(sql, TABLES).items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT sgv + 1 AS a, 'x' AS b, count(*) AS n FROM raw.entries GROUP BY 1", {"a": "sgv", "b": "", "n": ""}),
        ("SELECT * FROM gold.devices d JOIN raw.entries e ON e._id = d.name WHERE sgv > 1 LIMIT 3",
         {"id": "id", "name": "name", "sgv": "sgv", "_id": "_id", "datestring": "dateString", "tags": "tags",
          "more": "more", "place": "place"}),
        ('SELECT "E".SGV AS "Mixed", DATESTRING FROM lake.RAW."Entries" AS e',
         {"mixed": "sgv", "datestring": "dateString"}),
        ("WITH a AS (SELECT sgv FROM raw.entries), b AS (SELECT * FROM a) SELECT avg(b.sgv) AS m FROM b", {"m": "sgv"}),
        ("WITH a(x, y) AS (SELECT id, name FROM gold.devices) SELECT y, x FROM a", {"y": "name", "x": "id"}),
        ("WITH b AS (SELECT sgv AS v FROM raw.entries), c AS (WITH b AS (SELECT id AS v FROM gold.devices) "
         "SELECT v FROM b) SELECT b.v AS outer_, c.v AS inner_ FROM b, c", {"outer_": "sgv", "inner_": "id"}),
        ("SELECT id AS v FROM gold.devices UNION ALL SELECT sgv FROM raw.entries UNION ALL VALUES 3", {"v": "id sgv"}),
        ("(SELECT sgv, _id FROM raw.entries) EXCEPT (SELECT id, name FROM gold.devices ORDER BY 1) LIMIT 3",
         {"sgv": "id sgv", "_id": "_id name"}),
        ("WITH RECURSIVE t(a, b) AS (SELECT id, name FROM gold.devices UNION ALL "
         "SELECT t.b, e._id FROM t JOIN raw.entries e ON e._id = t.b) SELECT a, b FROM t",
         {"a": "_id id name", "b": "_id name"}),
        ("SELECT row_number() OVER (PARTITION BY _id ORDER BY sgv) AS n FROM raw.entries", {"n": "_id sgv"}),
        ("SELECT lag(sgv) OVER w AS p FROM raw.entries WINDOW w AS (PARTITION BY _id)", {"p": "_id sgv"}),
        ("SELECT sum(sgv) FILTER (WHERE _id = 'x') AS s, array_agg(sgv ORDER BY _id) AS l FROM raw.entries",
         {"s": "_id sgv", "l": "_id sgv"}),
        ("SELECT t, o FROM raw.entries CROSS JOIN UNNEST(tags) WITH ORDINALITY AS u(t, o)", {"t": "tags", "o": ""}),
        ("SELECT u.a, u.b FROM raw.entries CROSS JOIN UNNEST(tags, ARRAY[sgv]) AS u(a, b)", {"a": "tags", "b": "sgv"}),
        ("SELECT k, v FROM raw.entries, UNNEST(more) AS u(k, v)", {"k": "more", "v": "more"}),
        ("SELECT l.d FROM raw.entries e CROSS JOIN LATERAL (SELECT e.sgv * 2 AS d) l", {"d": "sgv"}),
        ("SELECT x.b FROM raw.entries CROSS JOIN LATERAL (SELECT sgv, _id) AS x(a, b)", {"b": "_id"}),
        ("SELECT v.a FROM (VALUES (1, 2)) AS v(a, b)", {"a": ""}),
        ("SELECT (SELECT max(d.id + e.sgv) FROM gold.devices d WHERE d.name = e._id) AS m, "
         "EXISTS (SELECT name FROM gold.devices) AS x, sgv IN (SELECT id FROM gold.devices) AS i FROM raw.entries e",
         {"m": "id sgv", "x": "", "i": "id sgv"}),
        ("SELECT transform(tags, x -> x || _id) AS t, reduce(tags, 0, (s, x) -> s + length(x), s -> s) AS r "
         "FROM raw.entries", {"t": "_id tags", "r": "tags"}),
        ("SELECT e.place.lat, place.at.zone AS z, json_value(_id, 'lax $.a') AS j, sgv AT TIME ZONE 'UTC' AS u "
         "FROM raw.entries e", {"lat": "place", "z": "place", "j": "_id", "u": "sgv"}),
        ("SELECT _id, d.id FROM raw.entries LEFT JOIN (SELECT name AS _id, id FROM gold.devices) d USING (_id)",
         {"_id": "_id name", "id": "id"}),
        ("SELECT sgv AS _id, _id AS sgv FROM raw.entries ORDER BY _id", {"_id": "sgv", "sgv": "_id"}),
        ("TABLE gold.devices", {"id": "id", "name": "name"}),
        ("VALUES (1, 'a')", {}),
    ],
)  # fmt: skip
def test_each_column_is_told_with_what_it_is_computed_from(sql: str, expected: dict[str, str]) -> None:
    assert traced(sql) == expected


def test_columns_of_one_name_are_told_by_their_tables() -> None:
    tables = {"s.a": (("n", "bigint"),), "s.b": (("n", "bigint"),)}
    found = trace("SELECT a.n AS x, b.n AS y, a.n + b.n AS z FROM s.a CROSS JOIN s.b", tables)
    assert found == {
        "x": frozenset({("s.a", "n")}),
        "y": frozenset({("s.b", "n")}),
        "z": frozenset({("s.a", "n"), ("s.b", "n")}),
    }


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT nope FROM raw.entries", "column `nope` can not be resolved"),
        ("SELECT e.nope FROM raw.entries e", "Unknown column: nope"),
        ("SELECT place.* FROM raw.entries", r"the columns of a `\*` are not known"),
        ("SELECT * FROM raw.unknown", r"the columns of a `\*` are not known"),
    ],
)
def test_what_can_not_be_resolved_is_said_and_nothing_is_guessed(sql: str, reason: str) -> None:
    with pytest.raises(Untraceable, match=reason):
        trace(sql, TABLES)
