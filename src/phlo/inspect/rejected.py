"""Rows that validation refused: how many, why, and the rows themselves, from the ``rejected`` tables of a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.declarations import RAW, REJECTED, SYSTEM_COLUMNS
from phlo.errors import UnknownTable, nearest

if TYPE_CHECKING:
    import datetime as dt

    from phlo.protocols import Engine, Pin

PARTITION, LOAD_ID, LOADED_AT = SYSTEM_COLUMNS


@dataclass(frozen=True)
class RejectedTable:
    """The rejected rows of one ingested table, counted."""

    table: str
    """The table that they were meant for."""
    rows: int
    columns: tuple[tuple[str, int], ...]
    """Which columns are wrong in how many rows, the most frequent first; a row may have several that are."""
    example: str
    """The reason of one row."""
    partitions: int = 0
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True)
class RejectedRow:
    """One rejected row, as the source sent it."""

    partition: dt.date | None
    reason: str
    column: str
    row: dict[str, Any]
    load_id: str
    loaded_at: dt.datetime


def rejected_summary(engine: Engine, pin: Pin) -> list[RejectedTable]:
    """Count the rejected rows of every table that has some, by table."""
    names = sorted(name for name in pin.tables if name.startswith(f"{REJECTED}."))
    found = [_count(engine, pin, name) for name in names]
    return [each for each in found if each.rows]


def rejected_rows(
    engine: Engine, pin: Pin, table: str, *, limit: int | None = None, partition: dt.date | None = None
) -> list[RejectedRow]:
    """List a table's rejected rows, the newest partitions first.

    ``table`` is the ingested table (``raw.glucose_entries`` or ``glucose_entries``) or that of its rejected rows.
    Raises ``UnknownTable`` for a table that no load has written; one without rejected rows has none.
    """
    name = resolve_rejected(pin, table)
    if name not in pin.tables:
        return []
    dated = PARTITION in _columns(engine, pin, name)
    if partition is not None and not dated:
        return []
    where = f"WHERE {PARTITION} = DATE '{partition.isoformat()}'" if partition else ""
    first = f"{PARTITION} DESC, " if dated else ""
    cut = f"LIMIT {limit:d}" if limit is not None else ""
    sql = f'SELECT * FROM {_quoted(name)} {where} ORDER BY {first}{LOADED_AT} DESC, "column", "row" {cut}'
    return [_row(each) for each in engine.query(sql, pin).to_pylist()]


def resolve_rejected(pin: Pin, table: str) -> str:
    """Name the table of rejected rows that belongs to a table.

    >>> from phlo.protocols import Pin
    >>> resolve_rejected(Pin("main", {"raw.glucose_entries": "…"}), "glucose_entries")
    'rejected.glucose_entries'
    """
    loaded = {name.split(".", 1)[1] for name in pin.tables if name.startswith((f"{RAW}.", f"{REJECTED}."))}
    short = table.removeprefix(f"{RAW}.").removeprefix(f"{REJECTED}.")
    if short not in loaded:
        raise UnknownTable(name=table, ref=pin.ref, nearest=nearest(short, loaded))
    return f"{REJECTED}.{short}"


def _count(engine: Engine, pin: Pin, name: str) -> RejectedTable:
    dated = PARTITION in _columns(engine, pin, name)
    days = f"min({PARTITION}) AS first, max({PARTITION}) AS last, count(DISTINCT {PARTITION}) AS days" if dated else ""
    sql = f"SELECT count(*) AS n, min(reason) AS example{', ' + days if days else ''} FROM {_quoted(name)}"
    total = engine.query(sql, pin).to_pylist()[0]
    counts: dict[str, int] = {}
    by_column = f'SELECT "column" AS names, count(*) AS n FROM {_quoted(name)} GROUP BY "column"'
    for group in engine.query(by_column, pin).to_pylist():
        for column in (group["names"] or "").split(", "):
            counts[column] = counts.get(column, 0) + group["n"]
    return RejectedTable(
        table=f"{RAW}.{name.split('.', 1)[1]}",
        rows=total["n"],
        columns=tuple(sorted(((c, n) for c, n in counts.items() if c), key=lambda each: (-each[1], each[0]))),
        example=total["example"] or "",
        partitions=total.get("days", 0),
        first=total.get("first"),
        last=total.get("last"),
    )


def _row(row: dict[str, Any]) -> RejectedRow:
    from phlo.load.rows import decode

    return RejectedRow(
        partition=row.get(PARTITION),
        reason=row["reason"] or "",
        column=row["column"] or "",
        row=decode(row["row"]),
        load_id=row[LOAD_ID],
        loaded_at=row[LOADED_AT],
    )


def _columns(engine: Engine, pin: Pin, name: str) -> list[str]:
    names: list[str] = engine.query(f"SHOW COLUMNS FROM {_quoted(name)}", pin).column(0).to_pylist()
    return names


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))
