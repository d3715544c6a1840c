"""What `phlo catalog` and `phlo rejected` show, as records; every function reads one pinned state."""

from phlo.inspect.rejected import RejectedRow, RejectedTable, rejected_rows, rejected_summary
from phlo.inspect.tables import ColumnInfo, Description, Snapshot, TableInfo, describe, history, rows_of, tables

__all__ = [
    "ColumnInfo",
    "Description",
    "RejectedRow",
    "RejectedTable",
    "Snapshot",
    "TableInfo",
    "describe",
    "history",
    "rejected_rows",
    "rejected_summary",
    "rows_of",
    "tables",
]
