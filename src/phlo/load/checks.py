"""The second pass: Pandera's checks on rows whose types and nulls are already settled."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from phlo.errors import SchemaError
from phlo.load.reasons import Reason, quote
from phlo.schemas.rules import failure, is_built_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

    from phlo.declarations import Reporter
    from phlo.schemas.model import TableSchema


def run_checks(schema: TableSchema, table: pa.Table, reporter: Reporter) -> tuple[pa.Table, dict[int, list[Reason]]]:
    """Give the rows as the schema's parsers leave them, and the reasons of those that fail a check, by row number.

    Raises ``SchemaError`` for a check that fails without saying in which row, or that raises an exception.
    """
    if schema.checks is None or not table.num_rows:
        return table, {}
    frame = _frame(table.select(_needed(schema, table)))
    parsed, reasons = _validate(schema, frame, table, reporter)
    if not _parsers(schema):
        return table, reasons
    if parsed is None:
        sound = [row for row in range(table.num_rows) if row not in reasons]
        parsed, _ = _validate(schema, frame.iloc[sound], table, reporter)
    return _put_back(parsed, table, schema), reasons


def row_by_row(schema: TableSchema) -> bool:
    """Whether the checks look at each value by itself, so that it does not matter which rows they are given together.

    Pandera's built-in ones do, and those that are declared ``element_wise``; any other may take a mean, and a parser
    may too.

    >>> from pandera.pandas import DataFrameModel, Field, check
    >>> from phlo.schemas.model import read_model
    >>> class Reading(DataFrameModel):
    ...     sgv: int = Field(ge=1)
    >>> class Spread(Reading):
    ...     @check("sgv")
    ...     def near_the_mean(cls, values):
    ...         return (values - values.mean()).abs() < 100
    >>> row_by_row(read_model(Reading)), row_by_row(read_model(Spread))
    (True, False)
    """
    if schema.checks is None:
        return True
    if schema.checks.checks or _parsers(schema):
        return False
    checks = [each for column in schema.checks.columns.values() for each in column.checks]
    return all((each.element_wise or is_built_in(each)) and each.groupby is None for each in checks)


def _validate(
    schema: TableSchema, frame: pd.DataFrame, table: pa.Table, reporter: Reporter
) -> tuple[pd.DataFrame | None, dict[int, list[Reason]]]:
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    assert schema.checks is not None
    # A setting of the environment must not switch validation off.
    depth = ValidationDepth.SCHEMA_AND_DATA
    with warnings.catch_warnings(record=True) as warned, config_context(True, depth):
        warnings.simplefilter("always")
        try:
            return schema.checks.validate(frame, lazy=True), {}
        except SchemaErrors as errors:
            return None, _reasons(errors, schema, table)
        except Exception as error:
            raise _unusable(schema, f"{type(error).__name__}: {error}") from error
        finally:
            for text in dict.fromkeys(str(each.message) for each in warned if "Schema" in each.category.__name__):
                reporter.warn(f"`{schema.name}`: {text.splitlines()[0]}")


def _reasons(errors: Any, schema: TableSchema, table: pa.Table) -> dict[int, list[Reason]]:
    from pandera.pandas import Column

    reasons: dict[int, list[Reason]] = {}
    for error in errors.schema_errors:
        column = str(error.schema.name) if isinstance(error.schema, Column) else ""
        rows, complaint = _rows(error, schema), failure(error.check)
        for row, value in zip(rows, _values(table, column, rows), strict=True):
            reasons.setdefault(row, []).append(Reason(column, complaint, value))
    return reasons


def _rows(error: Any, schema: TableSchema) -> list[int]:
    """The rows in which a check failed."""
    cases = error.failure_cases
    index = getattr(cases, "get", lambda _: None)("index")
    if index is None or index.isna().any():
        raise _unusable(schema, f"{error}".splitlines()[0])
    return sorted({int(row) for row in index})


def _values(table: pa.Table, column: str, rows: list[int]) -> list[str]:
    """Quote the values that a column has in some rows."""
    import pyarrow as pa

    if column not in table.column_names:
        return [""] * len(rows)
    values = table[column].take(pa.array(rows, pa.int64())).to_pylist()
    return ["null" if value is None else quote(value) for value in values]


def _needed(schema: TableSchema, table: pa.Table) -> list[str]:
    """Columns that the checks look at: those that have some, or all when a check looks at whole rows."""
    assert schema.checks is not None
    own = [check for column in schema.checks.columns.values() for check in column.checks]
    if schema.checks.checks or schema.checks.parsers or any(check.groupby is not None for check in own):
        return list(table.column_names)
    return [name for name in table.column_names if name in schema.checks.columns]


def _frame(table: pa.Table) -> pd.DataFrame:
    """Turn rows into a frame in which whole numbers stay whole beside nulls."""
    import pandas as pd
    import pyarrow as pa

    nullable: Mapping[Any, Any] = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    return pd.DataFrame(
        {
            name: table[name].to_pandas(types_mapper=nullable.get if table[name].null_count else None)
            for name in table.column_names
        }
    )


def _parsers(schema: TableSchema) -> bool:
    checks = schema.checks
    return checks is not None and bool(checks.parsers or any(column.parsers for column in checks.columns.values()))


def _put_back(frame: pd.DataFrame | None, table: pa.Table, schema: TableSchema) -> pa.Table:
    """Take the parsed columns over into the rows they came from."""
    import pyarrow as pa

    if frame is None:
        return table
    positions = pa.array(range(len(frame)), pa.int64())
    where = dict(zip(frame.index.tolist(), positions.to_pylist(), strict=True))
    take = pa.array([where.get(row) for row in range(table.num_rows)], pa.int64())
    for column in schema.columns:
        if column.name in frame.columns:
            try:
                parsed = pa.Array.from_pandas(frame[column.name], type=column.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise _unusable(
                    schema, f"its parser does not leave `{column.name}` a {column.type}: {error}"
                ) from error
            table = table.set_column(table.column_names.index(column.name), column.name, parsed.take(take))
    return table


def _unusable(schema: TableSchema, detail: str) -> SchemaError:
    return SchemaError(schema=schema.name, detail=detail, fix="mend the check; it must say true or false for each row")
