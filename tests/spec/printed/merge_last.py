@phlo.ingestion(
    table_name="glucose_entries",
    unique_key="_id",
    merge_strategy="merge",     # Upsert mode
    merge_config={"deduplication_method": "last"},  # Keep most recent reading
    ...
)
