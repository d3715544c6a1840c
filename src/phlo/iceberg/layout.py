"""The catalog's SQL tables.

``iceberg_tables`` is PyIceberg's own (its ``catalog_name`` is the ref), so that any Iceberg tool that speaks the JDBC
catalog reads main from it; all that PyIceberg does not know is in tables named ``phlo_*``. Times are ISO 8601 texts
in UTC of one width, so that they sort as text on every database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text

FORMAT = 1
"""Raised by a change that an older Phlo can not read."""

metadata = MetaData()

iceberg_tables = Table(
    "iceberg_tables",
    metadata,
    Column("catalog_name", String(255), primary_key=True),
    Column("table_namespace", String(255), primary_key=True),
    Column("table_name", String(255), primary_key=True),
    Column("metadata_location", String(1000)),
    Column("previous_metadata_location", String(1000)),
    Column("iceberg_type", String(5)),
)

iceberg_namespace_properties = Table(
    "iceberg_namespace_properties",
    metadata,
    Column("catalog_name", String(255), primary_key=True),
    Column("namespace", String(255), primary_key=True),
    Column("property_key", String(255), primary_key=True),
    Column("property_value", String(1000), nullable=False),
)
"""Unused here; PyIceberg looks whether it exists."""

meta = Table("phlo_meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

refs = Table(
    "phlo_refs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("base_seq", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("blocked", Boolean, nullable=False),
)

bases = Table(
    "phlo_ref_bases",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("pointer", Text, nullable=False),
)
"""Where main was when the ref branched off."""

reads = Table(
    "phlo_ref_reads",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("name", Text, primary_key=True),
)

views = Table(
    "phlo_views",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("definition", Text, nullable=False),
)
"""A view's pointer is its definition: JSON of its SQL and its columns."""

publishes = Table(
    "phlo_publishes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at_utc", Text, nullable=False, index=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("ref", Text, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("restores", Integer),
)

changes = Table(
    "phlo_changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("before", Text),
    Column("after", Text),
)

COUNTS = ("rows_read", "rows_written", "rows_updated", "rows_unchanged", "rows_rejected")

ref_loads = Table(
    "phlo_ref_loads",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    Column("load_id", Text, nullable=False),
    *(Column(count, BigInteger, nullable=False) for count in COUNTS),
)
"""Loads of refs that are not published; the empty partition is that of an unpartitioned table."""

loads = Table(
    "phlo_loads",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    Column("load_id", Text, nullable=False),
    *(Column(count, BigInteger, nullable=False) for count in COUNTS),
)

leases = Table(
    "phlo_leases",
    metadata,
    Column("table_name", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("heartbeat_at", Text, nullable=False),
)
