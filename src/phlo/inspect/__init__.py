"""What `phlo catalog` and `phlo rejected` show, as records; every function reads one pinned state."""

from phlo.inspect.tables import ColumnInfo, Description, Snapshot, TableInfo, describe, history, tables

__all__ = ["ColumnInfo", "Description", "Snapshot", "TableInfo", "describe", "history", "tables"]
