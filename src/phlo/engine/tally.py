"""Counts over more rows than memory should hold: DuckDB does them, and spills what is beyond its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from phlo.iceberg.tables import Connection


def last_by(con: Connection, rows: pa.RecordBatchReader, keys: Sequence[str], by: str) -> dict[str, int]:
    """Count rows by a column's values; of rows with equal keys the last alone.

    >>> import duckdb, pyarrow as pa
    >>> rows = pa.table({"id": [1, 2, 1], "load": ["a", "a", "b"]})
    >>> last_by(duckdb.connect(), rows.to_reader(), ["id"], "load")
    {'a': 1, 'b': 1}
    """
    # Names of its own: a key may be called as DuckDB calls the numbers of rows.
    named = ", ".join(f"{quoted(name)} AS {key}" for name, key in zip(keys, _keys(keys), strict=True))
    con.register("arrived", rows)
    con.execute(f"CREATE TABLE tally AS SELECT {named}, {quoted(by)} AS value FROM arrived")
    con.unregister("arrived")
    last = f"SELECT arg_max(value, rowid) AS value FROM tally GROUP BY {', '.join(_keys(keys))}"
    return _counted(con, f"({last})")


def known_by(con: Connection, rows: str, known: str, keys: Sequence[str], by: str) -> dict[str, int]:
    """Count the rows of one SELECT whose key another one has, by a column's values.

    >>> import duckdb
    >>> known_by(duckdb.connect(), "SELECT 1 AS id, 'a' AS load", "SELECT unnest([1, 1, 2]) AS id", ["id"], "load")
    {'a': 1}
    """
    using = ", ".join(map(quoted, keys))
    return _counted(con, f"(SELECT {quoted(by)} AS value FROM ({rows}) SEMI JOIN ({known}) USING ({using}))")


def _keys(keys: Sequence[str]) -> list[str]:
    return [f"k{number}" for number in range(len(keys))]


def _counted(con: Connection, rows: str) -> dict[str, int]:
    return dict(con.execute(f"SELECT value, count(*) FROM {rows} GROUP BY value ORDER BY value").fetchall())
