from typing import Any

import pandera.pandas as pa
import pytest

from phlo.load.checks import row_by_row
from phlo.schemas.model import read_model


class OneByOne(pa.DataFrameModel):
    sgv: int = pa.Field(ge=1, le=600, nullable=True)
    kind: str = pa.Field(isin=["a", "b"], str_length={"max_value": 3})

    @pa.check("sgv", element_wise=True)
    def even(cls, value: int) -> bool:  # noqa: N805
        return value % 2 == 0


class WithAMean(pa.DataFrameModel):
    sgv: int

    @pa.check("sgv")
    def near_the_mean(cls, values: Any) -> Any:  # noqa: N805
        return (values - values.mean()).abs() < 100


class WithAName(pa.DataFrameModel):
    sgv: int

    @pa.check("sgv", name="isin")
    def takes_a_built_in_name(cls, values: Any) -> Any:  # noqa: N805
        return values > values.min()


class WithAllValues(pa.DataFrameModel):
    kind: str = pa.Field(unique_values_eq=["a", "b"])


class WithWholeRows(pa.DataFrameModel):
    sgv: int

    @pa.dataframe_check
    def rises(cls, rows: Any) -> Any:  # noqa: N805
        return rows["sgv"].is_monotonic_increasing


class WithAParser(pa.DataFrameModel):
    sgv: int = pa.Field(ge=1)

    @pa.parser("sgv")
    def centred(cls, values: Any) -> Any:  # noqa: N805
        return values - values.mean()


class WithGroups(pa.DataFrameModel):
    sgv: int
    kind: str

    @pa.check("sgv", groupby="kind")
    def alike(cls, groups: Any) -> bool:  # noqa: N805
        return len(groups) < 3


class WithoutChecks(pa.DataFrameModel):
    sgv: int


@pytest.mark.parametrize("model", [OneByOne, WithoutChecks])
def test_values_that_are_judged_one_by_one_may_be_judged_with_any_others(model: type) -> None:
    assert row_by_row(read_model(model))


@pytest.mark.parametrize("model", [WithAMean, WithAName, WithAllValues, WithWholeRows, WithAParser, WithGroups])
def test_a_check_that_may_look_at_several_rows_is_not_given_those_of_other_loads(model: type) -> None:
    assert not row_by_row(read_model(model))
