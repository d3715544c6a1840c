"""``phlo.testing.validate`` sorts rows as a load does."""

from __future__ import annotations

import pandera.pandas as pa
import pytest

from phlo.errors import SchemaError
from phlo.testing import RejectedRow, Validation, validate


class RawGlucoseEntries(pa.DataFrameModel):
    """The schema of the spec, in short."""

    _id: str = pa.Field(description="Unique identifier for deduplication", nullable=False)
    sgv: int = pa.Field(ge=1, le=1000)
    direction: str = pa.Field(isin=["Flat", "NONE"], nullable=True)

    class Config:
        strict = True
        coerce = True


GOOD = {"_id": "a", "sgv": 110, "direction": "Flat"}


def test_good_rows_have_the_columns_of_the_model_and_their_types() -> None:
    result = validate(RawGlucoseEntries, [{**GOOD, "sgv": "110", "noise": 1}, {"_id": "b", "sgv": 5.0}])
    assert result == Validation([GOOD, {"_id": "b", "sgv": 5, "direction": None}], [])


def test_rejected_rows_say_why_and_stay_as_they_were() -> None:
    bad = {"_id": None, "sgv": 5.5, "direction": "Up", "noise": 1}
    (rejected,) = validate(RawGlucoseEntries, [bad]).rejected
    assert isinstance(rejected, RejectedRow)
    assert rejected.row == bad
    assert rejected.columns == ("_id", "sgv")
    assert "`_id` is null" in rejected.reason
    assert "`sgv` = `5.5` is not a whole number" in rejected.reason


@pytest.mark.parametrize("key", ["direction", ["direction"], ("_id", "direction")])
def test_a_null_in_the_unique_key_is_rejected_although_the_model_allows_it(key: object) -> None:
    row = {**GOOD, "direction": None}
    assert validate(RawGlucoseEntries, [row]).rejected == []
    (rejected,) = validate(RawGlucoseEntries, [row], unique_key=key).rejected  # type: ignore[arg-type]
    assert rejected.reason == "`direction` is null, and it is the unique key"


def test_no_rows_are_no_rows() -> None:
    assert validate(RawGlucoseEntries, []) == Validation([], [])


def test_a_generator_of_rows_will_do() -> None:
    assert len(validate(RawGlucoseEntries, (GOOD for _ in range(3))).good) == 3


def test_what_is_no_model_is_an_error() -> None:
    with pytest.raises(SchemaError, match="it is not a Pandera model"):
        validate(dict, [GOOD])


def test_a_row_with_nothing_but_a_null_key_is_rejected() -> None:
    result = validate(RawGlucoseEntries, [dict.fromkeys(["_id"])])
    assert len(result.rejected) == 1
