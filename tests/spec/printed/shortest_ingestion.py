# Import framework from installed package
from phlo.ingestion import phlo_ingestion  # <- Phlo package

# Import your code from your project
from workflows.schemas.nightscout import RawGlucoseEntries  # <- Your code

# Use framework decorator on your function
@phlo_ingestion(  # <- Framework
    validation_schema=RawGlucoseEntries,  # <- Your schema
)
def glucose_entries(partition_date: str):  # <- Your logic
    # Your code here
    pass
