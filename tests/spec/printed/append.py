@phlo.ingestion(
    table_name="glucose_entries",
    unique_key="_id",
    merge_strategy="append",  # Insert-only, no deduplication
    ...
)
