"""
Nightscout glucose entries ingestion asset.

This is YOUR ingestion logic - uses @phlo_ingestion from installed package.
"""

from dlt.sources.rest_api import rest_api
from phlo.ingestion import phlo_ingestion  # <- Import from installed package
from workflows.schemas.nightscout import RawGlucoseEntries  # <- Your schema


@phlo_ingestion(  # <- Decorator from phlo package
    table_name="glucose_entries",
    unique_key="_id",
    validation_schema=RawGlucoseEntries,  # <- Your schema class
    group="nightscout",
    cron="0 */1 * * *",
    freshness_hours=(1, 24),
)
def glucose_entries(partition_date: str):
    """
    YOUR ingestion logic for glucose data.

    The @phlo_ingestion decorator (from phlo package) handles:
    - Schema generation
    - Validation
    - Iceberg operations
    - Branch management

    You only define the data source!
    """
    start_time = f"{partition_date}T00:00:00.000Z"
    end_time = f"{partition_date}T23:59:59.999Z"

    # YOUR API configuration
    source = rest_api({
        "client": {
            "base_url": "https://gwp-diabetes.fly.dev/api/v1",
        },
        "resources": [{
            "name": "entries",
            "endpoint": {
                "path": "entries.json",
                "params": {
                    "count": 10000,
                    "find[dateString][$gte]": start_time,
                    "find[dateString][$lt]": end_time,
                },
            },
        }],
    })

    return source
