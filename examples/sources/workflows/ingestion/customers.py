"""A database, through SQLAlchemy: one table, filtered by the day, or as a whole."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from dlt.sources.sql_database import sql_table

import phlo
from workflows.schemas.shop import Customer


@phlo.ingestion(unique_key="id", validation_schema=Customer, group="shop")
def customers(partition_date: str):
    """Customers that changed on a day."""
    day = datetime.fromisoformat(partition_date)

    def of_that_day(select, table):
        return select.where(table.c.updated_at >= day, table.c.updated_at < day + timedelta(days=1))

    return sql_table(os.environ["SHOP_DATABASE_URL"], "customers", query_adapter_callback=of_that_day)


@phlo.ingestion(unique_key="id", validation_schema=Customer, merge_strategy="replace", group="shop")
def all_customers():
    """The whole table each time: without ``partition_date`` it has no partitions, and deleted rows go."""
    return sql_table(os.environ["SHOP_DATABASE_URL"], "customers", chunk_size=10_000)
