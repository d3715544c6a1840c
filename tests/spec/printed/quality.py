from phlo.quality import NullCheck, RangeCheck
import phlo

@phlo.quality(
    table="silver.fct_glucose_readings",
    checks=[
        NullCheck(columns=["sgv", "reading_timestamp"]),
        RangeCheck(column="sgv", min_value=20, max_value=600),
    ],
    group="nightscout",
    blocking=True,
)
def glucose_quality():
    pass
