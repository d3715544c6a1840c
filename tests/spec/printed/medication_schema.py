class RawMedicationEntries(pa.DataFrameModel):
    """YOUR medication schema."""
    _id: Series[str] = pa.Field(nullable=False)
    insulin_type: Series[str] = pa.Field()
    units: Series[float] = pa.Field(ge=0)
    timestamp: Series[str] = pa.Field()
