"""A REST API: page after page, with a token; a busy or failing server is asked again by dlt's client."""

from __future__ import annotations

import os

from dlt.sources.rest_api import rest_api_source

import phlo
from workflows.schemas.shop import Order


@phlo.ingestion(unique_key="id", validation_schema=Order, group="shop")
def orders(partition_date: str):
    """Orders that were placed on a day."""
    return rest_api_source(
        {
            "client": {
                "base_url": os.environ["SHOP_API_URL"],
                "auth": {"type": "bearer", "token": os.environ["SHOP_API_TOKEN"]},
                "paginator": {"type": "json_link", "next_url_path": "next"},
            },
            "resources": [
                {
                    "name": "orders",
                    "endpoint": {
                        "path": "orders",
                        "params": {"day": partition_date, "per_page": 100},
                        "data_selector": "orders",
                    },
                }
            ],
        }
    )
