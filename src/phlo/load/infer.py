"""Columns for a table without a validation schema: those its rows have.

The rules are few, so that the next load comes to the same types: the union of all fields; a field is a whole
number, a number, true or false, or text; anything else, and any mixture but that of whole and other numbers, is text
(holding JSON where it was nested). Times in dicts are text. Arrow columns keep their type; nested ones are text. A
column that the table has already keeps the type it has there. A field that is null in every row is no column yet.
Python's decimals in a DataFrame are decimal(38, 9), where that holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phlo.declarations import SYSTEM_COLUMNS
from phlo.load.rows import decode
from phlo.load.validate import BATCH
from phlo.schemas.converter import storage_type
from phlo.schemas.model import Column, TableSchema, refuse_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from phlo.declarations import Ingestion
    from phlo.load.stage import Rows

INFINITE = ("Infinity", "-Infinity")
"""How rows are staged that hold one: JSON has no number for it."""


def infer_schema(ingestion: Ingestion, staged: Sequence[Rows], known: pa.Schema | None) -> TableSchema:
    """Infer the columns of staged loads together; ``known`` is the table's schema, if there is a table."""
    found: dict[str, pa.DataType] = {}
    for each in staged:
        for kind, batch in each.batches(BATCH):
            types = _of_rows(batch) if kind == "json" else _of_arrow(batch)
            for name, arrow in types.items():
                found[name] = _common(found.get(name, arrow), arrow)
    for field in known or ():
        found[field.name] = storage_type(field.type).arrow
    refuse_names(found, ingestion.table_name, "rename the field, or give a validation_schema, which leaves others out")
    columns = tuple(Column(name, arrow) for name, arrow in found.items() if name not in SYSTEM_COLUMNS)
    return TableSchema(name=ingestion.table_name, columns=columns)


def _of_rows(batch: pa.RecordBatch) -> dict[str, pa.DataType]:
    import pyarrow as pa

    kinds: dict[str, set[type]] = {}
    for text in batch["row"].to_pylist():
        for name, value in decode(text).items():
            kind = type(value)
            kinds.setdefault(name, set()).add(float if kind is str and value in INFINITE else kind)
    plain = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
    types: dict[str, pa.DataType] = {}
    for name, values in kinds.items():
        seen = values - {type(None)}
        if seen:
            each = [plain.get(kind, pa.string()) for kind in seen]
            types[name] = each[0]
            for other in each[1:]:
                types[name] = _common(types[name], other)
    return types


def _of_arrow(batch: pa.RecordBatch) -> dict[str, pa.DataType]:
    import pyarrow as pa

    types = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if len(column) > column.null_count:
            fitted = storage_type(field.type).arrow
            types[field.name] = pa.string() if pa.types.is_nested(fitted) else fitted
    return types


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if one == other:
        return one
    numbers = {pa.int32(), pa.int64(), pa.float32(), pa.float64()}
    if {one, other} <= numbers:
        return pa.int64() if {one, other} == {pa.int32(), pa.int64()} else pa.float64()
    return pa.string()
