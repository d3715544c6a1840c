@phlo_ingestion(  # <- Framework
    table_name="medication_entries",
    unique_key="_id",
    validation_schema=RawMedicationEntries,  # <- Your schema
    group="nightscout",
)
def medication_entries(partition_date: str):  # <- Your logic
    # YOUR API configuration
    source = rest_api({...})
    return source
