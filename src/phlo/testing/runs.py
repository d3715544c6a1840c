"""Runs single declarations on rows: one ingestion, the checks of one table."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from phlo.declarations import SYSTEM_COLUMNS, Ingestion, Quality, SilentReporter, Source, declared, parse_partition
from phlo.errors import InvalidDeclaration
from phlo.testing.lakes import delivering, temporary_lake
from phlo.testing.schemas import RejectedRow, rejected_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa

    from phlo.load.write import Loaded
    from phlo.profiles import Lake
    from phlo.quality.results import CheckResult

Record = TypeVar("Record", Ingestion, Quality)

REF = "test"


@dataclass(frozen=True)
class Ingested:
    """What one load brought into its table."""

    rows: list[dict[str, Any]]
    """All rows of the table after it, without the columns that Phlo adds."""
    rejected: list[RejectedRow]
    """All that ``rejected.<table>`` holds after it."""
    load: Loaded
    """The counts: ``rows_read``, ``rows_written``, ``rows_updated``, ``rows_unchanged``, ``rows_rejected``."""


def run_ingestion(
    function: Callable[..., Any], partition_date: str = "2024-01-20", *, rows: Any = None, lake: Lake | None = None
) -> Ingested:
    """Load one day of a function decorated with ``@phlo.ingestion`` and publish it, in ``lake`` or a lake of its own.

    ``rows`` (dicts or an Arrow table) stand in for what the function would return. Give the same ``lake`` to several
    calls to test corrections and re-runs. Raises what the command would show: ``SourceError``, ``TooManyRejected``, …

    >>> import phlo
    >>> @phlo.ingestion(unique_key="id")
    ... def readings(partition_date: str):
    ...     return [{"id": 1, "day": partition_date}]
    >>> run_ingestion(readings, "2024-01-20").rows
    [{'id': 1, 'day': '2024-01-20'}]
    >>> run_ingestion(readings, rows=[{"id": None}, {"id": 2}]).rejected[0].reason
    '`id` is null, and it is the unique key'
    """
    from phlo.pipeline import execute
    from phlo.plan import Plan

    ingestion = _declaration(function, Ingestion, "@phlo.ingestion")
    ingestion = ingestion if rows is None else delivering(ingestion, rows)
    day = parse_partition(partition_date)
    with nullcontext(lake) if lake else temporary_lake() as where:
        run = execute(where, Plan(ingestion.table_name, (day,), (ingestion,)), SilentReporter())
        found = _rows(where, ingestion.table)
        plain = found.select([name for name in found.column_names if name not in SYSTEM_COLUMNS]).to_pylist()
        return Ingested(plain, rejected_rows(_rows(where, ingestion.rejected_table)), run.loads[0])


def check_rows(function: Callable[..., Any], rows: Iterable[Mapping[str, Any]] | pa.Table) -> list[CheckResult]:
    """Run the checks of a function decorated with ``@phlo.quality`` on rows, as if these were its table.

    >>> import phlo
    >>> from phlo.quality import RangeCheck
    >>> @phlo.quality(table="silver.readings", checks=[RangeCheck(column="sgv", min_value=20, max_value=600)])
    ... def readings_quality(): ...
    >>> [(result.passed, result.violations) for result in check_rows(readings_quality, [{"sgv": 110}, {"sgv": 7}])]
    [(False, 1)]
    """
    import pyarrow as pa

    from phlo.quality.runner import run_checks

    quality = _declaration(function, Quality, "@phlo.quality")
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist([dict(row) for row in rows])
    with temporary_lake() as lake:
        lake.catalog.create_ref(REF)
        lake.engine.write(quality.table, table, REF, mode="append")
        return run_checks([quality], lake.engine, lake.catalog.pin(REF), {})


def _declaration(function: Callable[..., Any], kind: type[Record], decorator: str) -> Record:
    """Find what the decorator wrote; after the project's files were imported again, by where the function stands."""
    source = Source.of(function)
    records = [record for record in declared if isinstance(record, kind)]
    for record in reversed(records):
        if getattr(record, "function", None) is function or record.source == source:
            return record
    raise InvalidDeclaration(
        where=str(source), detail=f"the function is not decorated with {decorator}", fix=f"put {decorator}(…) above it"
    )


def _rows(lake: Lake, name: str) -> pa.Table:
    import pyarrow as pa

    pin = lake.pin()
    return lake.engine.read(name, pin) if name in pin.tables else pa.table({})
