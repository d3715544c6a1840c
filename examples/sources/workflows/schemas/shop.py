"""The rows of a shop."""

from __future__ import annotations

import pandera.pandas as pa


class Order(pa.DataFrameModel):
    """An order, as the API gives it."""

    id: int = pa.Field(unique=True)
    customer: str
    placed_at: pa.DateTime
    amount: float = pa.Field(ge=0)
    lines: str = pa.Field(nullable=True, description="The order's lines, as JSON text.")


class Customer(pa.DataFrameModel):
    """A customer, as the database has it."""

    id: int
    name: str
    updated_at: pa.DateTime
    credit: float = pa.Field(nullable=True, ge=0)


class Reading(pa.DataFrameModel):
    """A reading of a meter, whatever the file it came in."""

    meter: str
    at: pa.DateTime
    value: float
