"""Which files of a table can hold a batch's keys, by the bounds that the manifests keep."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual

from phlo.iceberg.types import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import FileScanTask, Table

    from phlo.iceberg.tables import Connection

EXACT = 100_000
"""Up to so many distinct values each is looked for; beyond, only the range counts."""


@dataclass(frozen=True)
class BatchKeys:
    """What the keys of ``batch`` are like, asked for once."""

    rows: int
    distinct: int
    """Rows that differ in their keys."""
    ranges: Mapping[str, KeyRange]
    values: Callable[[str], pa.Array | None]
    """The different values of a key column that are not NULL, in order; ``None`` where they are too many."""

    @classmethod
    def read(cls, con: Connection, table: Table, keys: Sequence[str]) -> BatchKeys:
        """Read it off the batch."""
        names = ", ".join(map(quoted, keys))
        asked = ", ".join(f"count({quoted(key)}), {_ends(table, key)}" for key in keys)
        rows, distinct, *found = con.execute(
            f"SELECT count(*), (SELECT count(*) FROM (SELECT {names} FROM batch GROUP BY ALL)), {asked} FROM batch"
        ).fetchall()[0]
        ranges = {
            key: KeyRange(found[place] < rows, found[place + 1], found[place + 2])
            for key, place in zip(keys, range(0, len(found), 3), strict=True)
        }
        return cls(rows, distinct, ranges, partial(_values, con, table, names, rows, distinct))


@dataclass(frozen=True)
class KeyRange:
    """The values of a key column: whether some are NULL, and the ends of the others, where the type's are compared."""

    nulls: bool
    low: Any
    high: Any


def may_hold(table: Table, tasks: Sequence[FileScanTask], batch: BatchKeys) -> list[FileScanTask]:
    """Keep the files in which, for every key column, some value of the batch lies within the bounds."""
    for key, found in batch.ranges.items():
        field = table.schema().find_field(key)
        if type(field.field_type) in _COMPARABLE:
            ends = _Wanted([found.low, found.high], False, found.nulls)
            tasks = [task for task in tasks if _holds(task.file, field, ends)]
            if len(tasks) > 1:
                each = batch.values(key)
                wanted = _Wanted(_Values(each), True, found.nulls) if each is not None else ends
                tasks = [task for task in tasks if _holds(task.file, field, wanted)]
    return list(tasks)


def key_range(table: Table, batch: BatchKeys) -> BooleanExpression:
    """Describe the rows with which a merge of the batch conflicts: those whose keys lie within its range."""
    at_least: Callable[..., BooleanExpression] = GreaterThanOrEqual
    at_most: Callable[..., BooleanExpression] = LessThanOrEqual
    found: BooleanExpression = AlwaysTrue()
    for key, ends in batch.ranges.items():
        plain = type(table.schema().find_type(key)) in (ice.IntegerType, ice.LongType, ice.StringType)
        if plain and not ends.nulls:
            found = And(found, at_least(key, ends.low), at_most(key, ends.high))
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

    values: Sequence[Any]
    exact: bool
    nulls: bool

    def within(self, low: Any, high: Any) -> bool:
        """Whether any of them lies between two bounds."""
        if not self.exact:
            return self.values[0] is not None and bool(self.values[0] <= high and low <= self.values[1])
        position = bisect_left(self.values, low)
        return position < len(self.values) and bool(self.values[position] <= high)


class _Values(Sequence[Any]):
    """Values of Arrow's, of which a search in order looks at few: to make all of them Python's takes longer."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: Any) -> Any:
        return self._values[place].as_py()


def _values(con: Connection, table: Table, keys: str, rows: int, distinct: int, key: str) -> pa.Array | None:
    value = _COMPARABLE[type(table.schema().find_type(key))].format(column=quoted(key))
    if distinct > EXACT:
        counted = con.execute(f"SELECT approx_count_distinct({value}) FROM batch").fetchall()
        if counted[0][0] > EXACT:
            return None
    unique = "" if keys == quoted(key) and distinct == rows else "DISTINCT"
    select = f"SELECT {unique} {value} AS v FROM batch WHERE {value} IS NOT NULL ORDER BY v"
    return con.sql(select).to_arrow_table()["v"].combine_chunks()


def _ends(table: Table, key: str) -> str:
    value = _COMPARABLE.get(type(table.schema().find_type(key)), "NULL").format(column=quoted(key))
    return f"min({value}), max({value})"


def _holds(file: DataFile, field: ice.NestedField, wanted: _Wanted) -> bool:
    low, high = ((part or {}).get(field.field_id) for part in (file.lower_bounds, file.upper_bounds))
    if wanted.nulls or low is None or high is None:
        nulls = (file.null_value_counts or {}).get(field.field_id)
        if wanted.nulls and nulls != 0:
            return True
        if low is None or high is None:
            return nulls != file.record_count
    return wanted.within(_decode(low, field.field_type), _decode(high, field.field_type))


def _decode(bound: bytes, kind: ice.IcebergType) -> Any:
    """Read a bound; an integer's may be of the width that its column had before it was widened."""
    return bound.decode() if isinstance(kind, ice.StringType) else int.from_bytes(bound, "little", signed=True)
