"""A row made from a model is one that the model takes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal  # noqa: TC003  pandera reads annotations at run time
from typing import TYPE_CHECKING, Any

import pandera.pandas as pa
import pytest
from pandera.typing import Series  # noqa: TC002

from phlo.testing import example_row, validate

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wide(pa.DataFrameModel):
    _id: Series[str] = pa.Field(nullable=False)
    above: int = pa.Field(gt=1)
    below: int = pa.Field(lt=1)
    least: float = pa.Field(ge=70)
    most: float = pa.Field(le=0.5)
    between: int = pa.Field(in_range={"min_value": 20, "max_value": 600})
    inside: int = pa.Field(in_range={"min_value": 1, "max_value": 3, "include_min": False, "include_max": False})
    exactly: int = pa.Field(eq=42)
    choice: str = pa.Field(isin=["in_range", "out_of_range"])
    long: str = pa.Field(str_length={"min_value": 3, "max_value": 9})
    flag: bool
    day: pa.Date = pa.Field(gt=dt.date(2024, 6, 1))
    at: pa.DateTime
    price: Decimal
    maybe: str = pa.Field(nullable=True)

    class Config:
        strict = True
        coerce = True


def test_the_model_takes_its_example() -> None:
    result = validate(Wide, [example_row(Wide)])
    assert result.rejected == []
    assert list(result.good[0]) == list(example_row(Wide))


@pytest.mark.parametrize(
    ("column", "value"),
    [("_id", "a"), ("above", 2), ("below", 0), ("least", 70), ("between", 20), ("inside", 2), ("exactly", 42)],
)
def test_values_are_the_simplest_that_fit(column: str, value: Any) -> None:
    row: Mapping[str, Any] = example_row(Wide)
    assert row[column] == value


def test_what_it_can_not_meet_is_a_guess() -> None:
    class Patterned(pa.DataFrameModel):
        code: str = pa.Field(str_matches=r"^[A-Z]{3}$")

    assert example_row(Patterned) == {"code": "a"}
    assert len(validate(Patterned, [example_row(Patterned)]).rejected) == 1
