"""Judges rows in memory: what ``execute`` of the built-in checks does, in runs, tests and notebooks."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from phlo.errors import UnknownColumn, nearest
from phlo.quality.protocol import SHOWN, Outcome, Scope, within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa

    from phlo.quality.checks import SchemaCheck
    from phlo.quality.protocol import SQLCheck
    from phlo.schemas.model import TableSchema

RELATION = "checked_rows"

BATCH = 50_000
"""Rows that Pandera sees at once."""


def measure_frame(check: SQLCheck, rows: pd.DataFrame | pa.Table) -> Outcome:
    """Judge rows with the SQL of a check, in the engine that runs it on tables."""
    from phlo.engine.memory import query_arrow

    tables = {RELATION: as_arrow(rows)}
    for column in check.columns:
        insist_on_column(column, tables[RELATION].column_names, "the rows")
    measure = check.measure(Scope(RELATION))
    found = query_arrow(f"SELECT count(*) AS total, {measure.value} AS value_0 FROM {RELATION}", tables).to_pylist()[0]
    outcome = check.judge(found["value_0"], int(found["total"]))
    if not (outcome.violations and measure.rows):
        return outcome
    shown = query_arrow(f"SELECT * FROM ({measure.rows}) LIMIT {SHOWN}", tables).to_pylist()
    return Outcome(outcome.passed, outcome.violations, outcome.total, outcome.message, tuple(shown))


def validate_frame(check: SchemaCheck, rows: pd.DataFrame | pa.Table) -> Outcome:
    """Judge rows with a Pandera model, as a load does: cast first, then Pandera's checks, in batches.

    Raises ``UnknownColumn`` for a column that the model needs and the rows don't have.
    """
    import pyarrow as pa

    from phlo.declarations import SilentReporter
    from phlo.load.rows import decode
    from phlo.load.spool import Spool
    from phlo.load.validate import Judge
    from phlo.schemas.converter import arrow_schema
    from phlo.schemas.model import read_model

    class Discard(Spool):
        def append(self, table: pa.Table) -> None:
            """Good rows are counted, not kept."""

    schema = read_model(check.schema)
    schema_columns(check, rows.column_names if isinstance(rows, pa.Table) else list(rows.columns), "the rows")
    judge = Judge(schema, (), SilentReporter(), merging=False)
    text = pa.schema([(name, pa.string()) for name in ("reason", "column", "row")])
    with Discard(arrow_schema(schema)) as good, Spool(text) as bad:
        for batch in _batches(rows):
            judge.take(batch, good, bad, {})
        wrong = list(islice((row for batch in bad.contents() for row in batch.to_pylist()), SHOWN))
    found = judge.found
    shown = tuple({"reason": row["reason"], **decode(row["row"])} for row in wrong)
    passed = within(found.rejected, found.read, check.tolerance)
    return Outcome(
        passed, found.rejected, found.read, _complaint(found.rejected, found.read, found.reasons, schema), shown
    )


def schema_columns(check: SchemaCheck, columns: Sequence[str], table: str) -> list[str]:
    """Pick the columns that a model looks at; raise ``UnknownColumn`` for one that it needs and the table lacks."""
    from phlo.schemas.model import read_model

    wanted = read_model(check.schema).columns
    for column in wanted:
        if not column.nullable and column.name not in columns:
            insist_on_column(column.name, columns, table)
    return [column.name for column in wanted if column.name in columns]


def insist_on_column(name: str, columns: Sequence[str], table: str) -> None:
    """Raise for an unknown column, naming those that come near it; all, when none does: there is no other clue."""
    if name.lower() in (column.lower() for column in columns):
        return
    near = nearest(name, columns)
    if near == ".":
        near = "; its columns are " + ", ".join(f"`{column}`" for column in columns)
    raise UnknownColumn(name=name, table=table, nearest=near)


def as_arrow(rows: Any) -> pa.Table:
    """Turn a DataFrame into an Arrow table; leave an Arrow table as it is."""
    import pyarrow as pa

    return rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)


def _batches(rows: Any) -> Iterator[Any]:
    """Cut rows into Arrow batches; a DataFrame whose columns mix types into lists of JSON rows."""
    import pyarrow as pa

    from phlo.load.rows import encode

    try:
        table = as_arrow(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        records = [encode(row) for row in rows.to_dict("records")]
        yield from (records[start : start + BATCH] for start in range(0, len(records), BATCH))
    else:
        yield from table.to_batches(max_chunksize=BATCH)


def _complaint(rejected: int, total: int, reasons: Any, schema: TableSchema) -> str:
    if not rejected:
        return f"{total:,} rows"
    listed = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
    return f"{rejected:,} of {total:,} rows do not fit {schema.name}: {listed}"
