"""Functions that bring in data, decorated with @phlo.ingestion."""
