"""What computes: DuckDB in process, the SQL dialect it is spoken to in, and the guard of queries."""
