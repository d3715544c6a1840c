"""Validates rows with a Pandera model the way a load does, without a lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa


@dataclass(frozen=True)
class RejectedRow:
    """A row that a load would not take, and why."""

    row: dict[str, Any]
    reason: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """Rows sorted by a model."""

    good: list[dict[str, Any]]
    """As the table would hold them: the model's columns, cast."""
    rejected: list[RejectedRow]


def validate(model: type[Any], rows: Iterable[Mapping[str, Any]], unique_key: str | Iterable[str] = ()) -> Validation:
    """Validate rows as they come from a source; a row whose ``unique_key`` is null is rejected.

    Fields that begin with an underscore count (Pandera alone passes over them), and columns that the model does not
    have are left out, strict or not. Raises ``SchemaError`` for a model that can't define a table.

    >>> import pandera.pandas as pa
    >>> class RawGlucoseEntries(pa.DataFrameModel):
    ...     _id: str
    ...     sgv: int = pa.Field(ge=1, le=1000)
    >>> result = validate(RawGlucoseEntries, [{"_id": "a", "sgv": "110", "noise": 1}, {"_id": "b", "sgv": 0}])
    >>> result.good
    [{'_id': 'a', 'sgv': 110}]
    >>> result.rejected[0].reason
    '`sgv` = `0` is not at least 1'
    """
    from phlo.load.validate import validate_rows
    from phlo.schemas.model import read_model

    keys = (unique_key,) if isinstance(unique_key, str) else tuple(unique_key)
    good, rejected = validate_rows(rows, read_model(model), keys)
    return Validation(good.to_pylist(), rejected_rows(rejected))


def rejected_rows(table: pa.Table) -> list[RejectedRow]:
    """Read what a table of rejected rows holds."""
    from phlo.load.rows import decode

    return [
        RejectedRow(decode(each["row"]), each["reason"], tuple(filter(None, (each["column"] or "").split(", "))))
        for each in table.to_pylist()
    ]
