"""Iceberg tables, the catalog of refs that names them, and the one way from a ref to main."""
