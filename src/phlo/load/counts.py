"""What a write did to each load's rows, in numbers: for the ledger and the summary.

A write says what became of all its rows together. Which load they belong to, and whether an earlier attempt of the
same run had written them already, is read off the table: every row carries the load that last changed it.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from phlo.declarations import SYSTEM_COLUMNS
from phlo.protocols import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from phlo.declarations import Ingestion
    from phlo.load.spool import Spool
    from phlo.protocols import Catalog, Engine, Pin, Written

PARTITION, LOAD_ID, _ = SYSTEM_COLUMNS

KEYS_AT_ONCE = 1_000
"""Keys that one query asks for."""


@dataclass(frozen=True)
class Counts:
    """What became of one load's good rows; those that another row of the same key replaced are in none of these."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class Wrote:
    """A write that has just happened: where, of what, and the state before it."""

    ingestion: Ingestion
    engine: Engine
    catalog: Catalog
    ref: str
    before: Pin
    load_ids: Sequence[str]
    good: Sequence[int]
    """Good rows of each load."""
    rows: Spool
    written: Written

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns by which rows were merged; none where they were not."""
        return self.ingestion.unique_key if self.ingestion.merge_strategy == "merge" else ()


def count(wrote: Wrote) -> list[Counts]:
    """Share out what a write did among its loads."""
    written = wrote.written
    table = wrote.ingestion.table
    # Only where the ref has the table otherwise than main may an earlier attempt of this run have written it.
    untouched = wrote.before.tables.get(table) == wrote.catalog.pin(MAIN).tables.get(table)
    if untouched and sum(rows > 0 for rows in wrote.good) <= 1:
        whole = Counts(written.inserted, written.updated, written.unchanged)
        return [whole if rows else Counts() for rows in wrote.good]
    if untouched and not (written.inserted or written.updated):
        changed = [0] * len(wrote.good)
    elif untouched and sum(wrote.good) == written.inserted + written.updated:
        changed = list(wrote.good)
    else:
        changed = _changed(wrote)
    survivors = changed if untouched and not written.unchanged else _survivors(wrote)
    updated = _updated(wrote, changed, earlier=sum(changed) > written.inserted + written.updated)
    return [
        Counts(inserted=new - old, updated=old, unchanged=max(left - new, 0))
        for new, old, left in zip(changed, updated, survivors, strict=True)
    ]


def stored(keys: Sequence[pa.Table], table: str, engine: Engine, pin: Pin) -> list[int]:
    """Count, for each of several tables of keys, the rows whose key is in a table; all are asked for together."""
    filled = [each for each in keys if each.num_rows]
    if not filled or table not in pin.tables:
        return [0] * len(keys)
    schema = filled[0].schema
    columns = ", ".join(_quoted(name) for name in schema.names)
    wanted = [_tuples(each) for each in keys]
    distinct = list(dict.fromkeys(key for each in wanted for key in each))
    found: set[tuple[Any, ...]] = set()
    for start in range(0, len(distinct), KEYS_AT_ONCE):
        among = _among(schema.names, distinct[start : start + KEYS_AT_ONCE])
        rows = engine.query(f"SELECT {columns} FROM {_table(table)} WHERE {among}", pin)
        found.update(_tuples(rows.cast(schema)))
    return [sum(key in found for key in each) for each in wanted]


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _changed(wrote: Wrote) -> list[int]:
    """Rows in the table that each load was the last to change."""
    ids = _listed(wrote.load_ids)
    sql = f"SELECT {LOAD_ID}, count(*) AS n FROM {_table(wrote.ingestion.table)} WHERE {LOAD_ID} IN ({ids}) GROUP BY 1"
    rows = wrote.engine.query(sql, wrote.catalog.pin(wrote.ref))
    counted = dict(zip(rows[LOAD_ID].to_pylist(), rows["n"].to_pylist(), strict=True))
    return [int(counted.get(load_id, 0)) for load_id in wrote.load_ids]


def _updated(wrote: Wrote, changed: Sequence[int], *, earlier: bool) -> list[int]:
    """How many of each load's changed rows were in the table before.

    Where an earlier attempt wrote some of them, "before" is main.
    """
    if not wrote.keys or (not earlier and not wrote.written.updated):
        return [0] * len(changed)
    if not earlier and not wrote.written.inserted:
        return list(changed)
    before = wrote.catalog.pin(MAIN) if earlier else wrote.before
    if wrote.ingestion.table not in before.tables:
        return [0] * len(changed)
    table, now = wrote.ingestion.table, wrote.catalog.pin(wrote.ref)
    counted = wrote.engine.known_by(table, now, before, wrote.keys, LOAD_ID)
    return [counted.get(load_id, 0) for load_id in wrote.load_ids]


def _survivors(wrote: Wrote) -> list[int]:
    """Rows of each load that are left when of equal keys the last one counts."""
    written = wrote.written
    if not wrote.keys or sum(wrote.good) == written.inserted + written.updated + written.unchanged:
        return list(wrote.good)
    left = wrote.engine.last_by(wrote.ingestion.table, wrote.rows.contents(), wrote.keys, LOAD_ID)
    return [left.get(load_id, 0) for load_id in wrote.load_ids]


def _among(columns: Sequence[str], keys: Sequence[tuple[Any, ...]]) -> str:
    """Ask for rows that have some keys, column by column: of several columns that is a few rows more than wanted.

    A thousand keys joined by OR would be nested deeper than SQL parsers go.
    """
    values = zip(columns, zip(*keys, strict=True), strict=True)
    each = (f"{_quoted(name)} IN ({_listed(dict.fromkeys(column))})" for name, column in values)
    return " AND ".join(each)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(_literal(value) for value in values)


def _table(name: str) -> str:
    return ".".join(_quoted(part) for part in name.split("."))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    """Write a value as both dialects read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        zone = " UTC" if value.tzinfo else ""
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}{zone}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return f"{value:.17e}" if math.isfinite(value) else f"CAST('{'-' * (value < 0)}Infinity' AS DOUBLE)"
    if isinstance(value, (int, Decimal)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
