"""Which files of a table can hold a batch's keys, by the bounds that the manifests keep."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual

from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.tables import Connection

EXACT = 100_000
"""Up to so many distinct values each is looked for; beyond, only the range counts."""


def may_hold(con: Connection, table: Table, tasks: Sequence[FileScanTask], keys: Sequence[str]) -> list[FileScanTask]:
    """Keep the files in which, for every key column, some value of ``batch`` lies within the bounds."""
    for key in keys:
        field = table.schema().find_field(key)
        if type(field.field_type) in _COMPARABLE and tasks:
            wanted = _Wanted.read(con, key, field.field_type)
            tasks = [task for task in tasks if _holds(task.file, field, wanted)]
    return list(tasks)


def key_range(con: Connection, table: Table, keys: Sequence[str]) -> BooleanExpression:
    """Describe the rows with which a merge of ``batch`` conflicts: those whose keys lie within its range."""
    at_least: Callable[..., BooleanExpression] = GreaterThanOrEqual
    at_most: Callable[..., BooleanExpression] = LessThanOrEqual
    found: BooleanExpression = AlwaysTrue()
    for key in keys:
        if type(table.schema().find_type(key)) not in (ice.IntegerType, ice.LongType, ice.StringType):
            continue
        column = quoted(key)
        low, high, nulls = con.execute(
            f"SELECT min({column}), max({column}), count(*) > count({column}) FROM batch"
        ).fetchall()[0]
        if not nulls:
            found = And(found, at_least(key, low), at_most(key, high))
    return found


_COMPARABLE: dict[type[ice.IcebergType], str] = {
    ice.IntegerType: "{column}",
    ice.LongType: "{column}",
    ice.StringType: "{column}",
    ice.DateType: "{column} - DATE '1970-01-01'",
    ice.TimestampType: "epoch_us({column})",
    ice.TimestamptzType: "epoch_us({column})",
}
"""How a batch's value is spelled in the terms of the bounds, whose order is then the same."""


@dataclass(frozen=True)
class _Wanted:
    """The values that a key column of the batch has: each in order, or the ends of their range."""

    values: list[Any]
    exact: bool
    nulls: bool

    @classmethod
    def read(cls, con: Connection, key: str, kind: ice.IcebergType) -> _Wanted:
        """Read them off the batch."""
        value = _COMPARABLE[type(kind)].format(column=quoted(key))
        distinct, nulls, low, high = con.execute(
            f"SELECT approx_count_distinct({value}), count(*) > count({value}), min({value}), max({value}) FROM batch"
        ).fetchall()[0]
        if distinct > EXACT:
            return cls([low, high], False, nulls)
        # One list, not a row for each: 10,000 tuples set off Python's garbage collector, which takes 0.1 s here.
        ((values,),) = con.execute(
            f"SELECT list(v ORDER BY v) FROM (SELECT DISTINCT {value} AS v FROM batch WHERE {value} IS NOT NULL)"
        ).fetchall()
        return cls(values or [], True, nulls)

    def within(self, low: Any, high: Any) -> bool:
        """Whether any of them lies between two bounds."""
        if not self.exact:
            return bool(self.values[0] <= high and low <= self.values[1])
        position = bisect_left(self.values, low)
        return position < len(self.values) and bool(self.values[position] <= high)


def _holds(file: DataFile, field: ice.NestedField, wanted: _Wanted) -> bool:
    nulls = (file.null_value_counts or {}).get(field.field_id)
    if wanted.nulls and nulls != 0:
        return True
    low, high = ((part or {}).get(field.field_id) for part in (file.lower_bounds, file.upper_bounds))
    if low is None or high is None:
        return nulls != file.record_count
    return wanted.within(_decode(low, field.field_type), _decode(high, field.field_type))


def _decode(bound: bytes, kind: ice.IcebergType) -> Any:
    """Read a bound; an integer's may be of the width that its column had before it was widened."""
    return bound.decode() if isinstance(kind, ice.StringType) else int.from_bytes(bound, "little", signed=True)
