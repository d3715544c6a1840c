"""dbt snapshots: the changes of a source's rows, brought into the table that keeps their history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phlo.engine.failure import explained
from phlo.iceberg.types import quoted
from phlo.transform.columns import storable
from phlo.transform.increment import BATCH, check_keys
from phlo.transform.session import tables_of
from phlo.transform.write import Built, Counted

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
        staged.create(CHANGES)
        con.sql(
            f"SELECT {kept} FROM {CHANGES} WHERE dbt_change_type = 'insert' UNION ALL BY NAME "
            f"SELECT t.* REPLACE (c.{until} AS {until}) FROM {table} t JOIN {CHANGES} c ON t.{version} = c.{version} "
            "WHERE c.dbt_change_type IN ('update', 'delete')"
        ).create(BATCH)
        check_keys(con, name, [columns["dbt_scd_id"]])
        rows = Counted(con.table(BATCH))
        session.engine.write(name, rows.reader(), session.ref, mode="merge", keys=[columns["dbt_scd_id"]])
    return Built(rows.rows)


def _is_staging(column: str) -> bool:
    return column.lower() == "dbt_change_type" or column.lower().startswith("dbt_unique_key")
