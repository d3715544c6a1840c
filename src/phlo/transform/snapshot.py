"""dbt snapshots: the changes of a source's rows, brought into the table that keeps their history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.engine.failure import explained
from phlo.iceberg.types import quoted
from phlo.transform.columns import storable
from phlo.transform.increment import BATCH, check_keys
from phlo.transform.session import tables_of
from phlo.transform.write import Built, Counted
from phlo.transform.write import columns as columns_of_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phlo.transform.session import Session

CHANGES = "phlo_changes"


def snapshot(session: Session, name: str, sql: str, columns: Mapping[str, str]) -> Built:
    """Merge what dbt's staging query says: new versions of rows, and the end of the versions before them.

    ``columns`` are the names of dbt's own columns in the table (``dbt_scd_id`` and the like).
    """
    version, until = quoted(columns["dbt_scd_id"]), quoted(columns["dbt_valid_to"])
    table = ".".join(map(quoted, name.split(".")))
    with session.reading(dict.fromkeys([*tables_of(sql, session.dialect), name])) as con, explained(sql):
        staged = storable(con.sql(session.duckdb(sql, con)))
        kept = ", ".join(quoted(column) for column in staged.columns if not _is_staging(column))
        _in_utc(staged, dict(columns_of_table(session, name)), columns).create(CHANGES)
        con.sql(
            f"SELECT {kept} FROM {CHANGES} WHERE dbt_change_type = 'insert' UNION ALL BY NAME "
            f"SELECT t.* REPLACE (c.{until} AS {until}) FROM {table} t JOIN {CHANGES} c ON t.{version} = c.{version} "
            "WHERE c.dbt_change_type IN ('update', 'delete')"
        ).create(BATCH)
        check_keys(con, name, [columns["dbt_scd_id"]])
        rows = Counted(con.table(BATCH))
        session.engine.write(name, rows.reader(), session.ref, mode="merge", keys=[columns["dbt_scd_id"]])
    return Built(rows.rows)


def _in_utc(staged: Any, there: Mapping[str, str], columns: Mapping[str, str]) -> Any:
    """Give dbt's own times the type that they have in the table: of a deleted row they are the present, with a zone."""
    own = {columns[name] for name in ("dbt_updated_at", "dbt_valid_from", "dbt_valid_to")}
    casts = [
        f"{quoted(name)} AT TIME ZONE 'UTC' AS {quoted(name)}"
        for name, kind in zip(staged.columns, staged.types, strict=True)
        if name in own and str(kind.id) == "timestamp with time zone" and there.get(name) == "timestamp(6)"
    ]
    return staged.project(f"* REPLACE ({', '.join(casts)})") if casts else staged


def _is_staging(column: str) -> bool:
    return column.lower() == "dbt_change_type" or column.lower().startswith("dbt_unique_key")
