"""Rows on their way through validation, a batch at a time, and the second pass over several of them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from phlo.load.checks import run_checks
from phlo.load.rows import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from phlo.declarations import Reporter
    from phlo.load.reasons import Reason
    from phlo.schemas.model import TableSchema


@dataclass
class Batch:
    """Some rows on their way: the schema's columns as cast, the reasons so far, and the rows as they came."""

    table: pa.Table
    reasons: dict[int, list[Reason]]
    source: Sequence[str] | pa.RecordBatch

    @property
    def sound(self) -> Sequence[int]:
        """The numbers of the rows with no reason so far."""
        count = self.table.num_rows
        return [row for row in range(count) if row not in self.reasons] if self.reasons else range(count)

    def take(self, numbers: Sequence[int]) -> pa.Table:
        """Some of the rows, ascending."""
        import pyarrow as pa

        if len(numbers) == self.table.num_rows:
            return self.table
        return self.table.take(pa.array(numbers, pa.int64()))

    def rows(self, numbers: list[int]) -> list[str]:
        """Some rows as JSON, with every field the source gave them."""
        import pyarrow as pa

        if isinstance(self.source, list):
            return [self.source[number] for number in numbers]
        taken = pa.table(self.source).take(pa.array(numbers, pa.int64()))
        return [encode(row) for row in taken.to_pylist()]


def check(batches: Sequence[Batch], schema: TableSchema, reporter: Reporter) -> None:
    """Run the schema's checks once on the sound rows of all batches, and give each batch the reasons of its own rows.

    Several at once are for checks that look at each row by itself (``checks.row_by_row``); 288 rows a day cost as much
    to begin with as 20,000.
    """
    import pyarrow as pa

    sound = [batch.sound for batch in batches]
    rows = pa.concat_tables([batch.take(numbers) for batch, numbers in zip(batches, sound, strict=True)])
    parsed, reasons = run_checks(schema, rows, reporter)
    starts = list(accumulate(map(len, sound), initial=0))
    for position, why in reasons.items():
        which = bisect_right(starts, position) - 1
        row = sound[which][position - starts[which]]
        batches[which].reasons.setdefault(row, []).extend(why)
    if parsed is not rows:
        for batch, numbers, start in zip(batches, sound, starts, strict=False):
            batch.table = _overlay(batch.table, parsed.slice(start, len(numbers)), numbers)


def _overlay(table: pa.Table, parsed: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """Put parsed rows back among those that the first pass rejected."""
    import pyarrow as pa

    take = [None] * table.num_rows
    for position, row in enumerate(numbers):
        take[row] = position  # type: ignore[call-overload]
    return parsed.take(pa.array(take, pa.int64()))
