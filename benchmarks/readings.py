"""Readings of a glucose sensor, one every five minutes, made by DuckDB.

"Time-local" keys grow with time and a batch is the newest, as with a source that is asked for each day; "random" keys
spread a batch over the whole table.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

KEYS = ("time-local", "random")
TABLE = "raw.readings"
STEP = 300
"""Seconds between readings."""


def deliver(folder: str, rows: int, keys: str, batch: int) -> None:
    """Write the rows of a table, and two batches for it, of which half updates and half is new."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    half = batch // 2
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        _write(con, f"{folder}/source.parquet", f"range({rows}) t(n)", keys, 0)
        for number in range(2):
            first = rows + number * (batch - half)
            old = f"range({first - half}, {first})"
            if keys == "random":
                old = f"(SELECT n * {max(1, rows // half)} + {number} AS n FROM range({half}) t(n))"
            new = f"range({first}, {first + batch - half})"
            numbers = f"(SELECT n, true AS old FROM {old} t(n) UNION ALL SELECT n, false FROM {new} t(n))"
            _write(con, f"{folder}/batch-{number}.parquet", numbers, keys, number + 1)


def _write(con: duckdb.DuckDBPyConnection, file: str, numbers: str, keys: str, load: int) -> None:
    hashed = "md5(n::VARCHAR)"
    key = f"printf('%08x', s) || {hashed}[:16]" if keys == "time-local" else f"{hashed}[:24]"
    corrected = f" + CASE WHEN old THEN {load} ELSE 0 END" if load else ""
    con.execute(f"""
        COPY (
            SELECT {key} AS _id, 60 + (n * 7919) % 200{corrected} AS sgv, s * 1000 AS date,
                strftime(make_timestamp(s * 1000000), '%Y-%m-%dT%H:%M:%S.000Z') AS "dateString",
                CAST(n % 7 AS INTEGER) AS trend,
                ['Flat', 'FortyFiveUp', 'SingleUp', 'FortyFiveDown'][1 + n % 4] AS direction,
                'share2' AS device, 'sgv' AS type, CAST(make_timestamp(s * 1000000) AS DATE) AS partition_date,
                '{load}' AS _phlo_load_id, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS _phlo_loaded_at
            FROM (SELECT *, 1400000000 + n * {STEP} AS s FROM {numbers})
        ) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
    """)
