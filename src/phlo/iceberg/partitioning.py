"""Which physical partition a row belongs to, as SQL and in Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg import types as ice
from pyiceberg.transforms import DayTransform, IdentityTransform, MonthTransform, Transform, YearTransform
from pyiceberg.typedef import Record

from phlo.errors import UnsupportedPartitioning
from phlo.iceberg.numbers import Numbers
from phlo.iceberg.types import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyiceberg.partitioning import PartitionField
    from pyiceberg.table import Table

    from phlo.iceberg.tables import Connection


@dataclass(frozen=True)
class Partitioning:
    """How rows of a table map to physical partitions."""

    fields: Sequence[_Field]

    @classmethod
    def of(cls, table: Table) -> Partitioning:
        """Read it off the table's spec; raise ``UnsupportedPartitioning`` for transforms Phlo does not write."""
        return cls(tuple(_field(table, field) for field in table.spec().fields))

    @property
    def expressions(self) -> list[str]:
        """The values of a partition, as SQL."""
        return [field.sql for field in self.fields]

    def counts(self, con: Connection, relation: str) -> dict[Record, int]:
        """Count the rows of a relation by the partition that they belong to, in the partitions' order."""
        columns = ", ".join([*self.expressions, "count(*) AS n"])
        rows = con.execute(f"SELECT {columns} FROM {relation} GROUP BY ALL ORDER BY ALL").fetchall()
        return {Record(*values): count for *values, count in rows}

    def condition(self, partition: Record) -> str:
        """Return the condition for a row to belong to a partition."""
        tests = (
            f"({expression}) IS NOT DISTINCT FROM {_sql_value(partition[position])}"
            for position, expression in enumerate(self.expressions)
        )
        return " AND ".join(tests) or "true"

    def split(self, rows: pa.Table) -> dict[Record, pa.Table]:
        """Part rows by the partition that they belong to, in the order they are in."""
        if not rows.num_rows or not self.fields:
            return {Record(): rows} if rows.num_rows else {}
        values = [field.arrow(rows[field.column]) for field in self.fields]
        numbers, numbered = Numbers.of(values)
        order = np.argsort(numbered, kind="stable")
        starts = np.searchsorted(numbered[order], np.arange(numbers.count + 1)).tolist()
        ordered = rows.take(pa.array(order))
        return {
            Record(*(column[int(order[start])].as_py() for column in values)): ordered.slice(start, end - start)
            for start, end in pairwise(starts)
        }


@dataclass(frozen=True)
class _Field:
    column: str
    sql: str
    arrow: Callable[[pa.ChunkedArray], pa.ChunkedArray]


def _field(table: Table, field: PartitionField) -> _Field:
    source = table.schema().find_field(field.source_id)
    column = quoted(source.name)
    if isinstance(field.transform, IdentityTransform) and isinstance(source.field_type, _PLAIN):
        return _Field(source.name, column, lambda values: values)
    for transform, (sql, arrow) in _TRANSFORMS.items():
        if isinstance(field.transform, transform) and isinstance(source.field_type, _TIMES):
            return _Field(source.name, sql.format(column=column), arrow)
    raise UnsupportedPartitioning(table=".".join(table.name()), transform=f"{field.transform}({source.name})")


def _years(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.subtract(pc.year(times), 1970)


def _months(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.add(pc.multiply(_years(times), 12), pc.subtract(pc.month(times), 1))


def _days(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Rounds towards the past, as the cast of a time in UTC does."""
    dates = times if pa.types.is_date(times.type) else pc.floor_temporal(times, unit="day").cast(pa.date32())
    return dates.cast(pa.int32())


_PLAIN = (ice.BooleanType, ice.IntegerType, ice.LongType, ice.StringType)
_TIMES = (ice.DateType, ice.TimestampType, ice.TimestamptzType)
_TRANSFORMS: dict[type[Transform[Any, Any]], tuple[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]] = {
    YearTransform: ("CAST(year({column}) - 1970 AS INTEGER)", _years),
    MonthTransform: ("CAST((year({column}) - 1970) * 12 + month({column}) - 1 AS INTEGER)", _months),
    DayTransform: ("CAST(CAST({column} AS DATE) - DATE '1970-01-01' AS INTEGER)", _days),
}


def _sql_value(value: Any) -> str:
    if value is None:
        return "NULL"
    return literal(value) if isinstance(value, str) else repr(value)
