from __future__ import annotations

import pandera.pandas as pa
import pyarrow as arrow
import pytest

from phlo.schemas.converter import arrow_schema, storage_type
from phlo.schemas.model import read_model


def test_the_arrow_schema_has_the_models_columns_in_order_all_optional() -> None:
    class Model(pa.DataFrameModel):
        _id: str = pa.Field(nullable=False)
        sgv: int

    schema = arrow_schema(read_model(Model))
    assert schema == arrow.schema([("_id", arrow.string()), ("sgv", arrow.int64())])
    assert all(field.nullable for field in schema)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (arrow.int8(), arrow.int32()),
        (arrow.int64(), arrow.int64()),
        (arrow.uint16(), arrow.int32()),
        (arrow.uint64(), arrow.int64()),
        (arrow.float16(), arrow.float32()),
        (arrow.float64(), arrow.float64()),
        (arrow.large_string(), arrow.string()),
        (arrow.dictionary(arrow.int8(), arrow.string()), arrow.string()),
        (arrow.timestamp("ns", "Europe/Paris"), arrow.timestamp("us", "UTC")),
        (arrow.timestamp("s"), arrow.timestamp("us")),
        (arrow.date64(), arrow.date32()),
        (arrow.decimal256(50, 3), arrow.decimal128(38, 3)),
        (arrow.duration("s"), arrow.string()),
        (arrow.list_(arrow.int8()), arrow.list_(arrow.int8())),
    ],
)
def test_an_arrow_type_is_fitted_to_what_tables_hold(given: arrow.DataType, kept: arrow.DataType) -> None:
    assert storage_type(given).arrow == kept


def test_an_unsigned_long_keeps_what_a_table_can_count() -> None:
    assert storage_type(arrow.uint64()).bounds == (0, 2**63 - 1)
