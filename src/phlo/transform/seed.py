"""dbt seeds: the rows of a CSV file as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from phlo.iceberg.types import quoted
from phlo.transform.write import Built, replace_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phlo.transform.session import Session

ROWS = "phlo_seed"


def seed(session: Session, name: str, _sql: str, rows: Any, types: Mapping[str, str]) -> Built:
    """Replace a table by the rows that dbt has read, cast to the types named in the project's dialect."""
    texts = pa.table(
        {
            column: pa.array((None if value is None else str(value) for value in rows.columns[column]), pa.string())
            for column in rows.column_names
        }
    )
    casts = ", ".join(f"CAST({quoted(column)} AS {kind}) AS {quoted(column)}" for column, kind in types.items())
    with session.reading([]) as con:
        con.register(ROWS, texts)
        return replace_by(session, name, con.sql(session.duckdb(f"SELECT {casts} FROM {ROWS}", con)))
