"""Rows that are equal have one number, and others never the same."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from phlo.iceberg.numbers import Numbers

ROWS = st.lists(st.tuples(st.sampled_from(["", "a", "é", "a\x00", None]), st.integers(-2, 2) | st.none()), min_size=1)


def columns(rows: list[tuple[str | None, int | None]], chunk: int) -> list[pa.ChunkedArray]:
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.int64())}
    )
    return pa.Table.from_batches(table.to_batches(max_chunksize=chunk), table.schema).columns


@given(rows=ROWS, others=ROWS, chunk=st.integers(1, 4), width=st.integers(1, 2), first=st.booleans())
def test_rows_are_found_by_their_values_as_in_a_dictionary(
    rows: list[tuple[str | None, int | None]],
    others: list[tuple[str | None, int | None]],
    chunk: int,
    width: int,
    *,
    first: bool,
) -> None:
    numbers, numbered = Numbers.of(columns(rows, chunk)[:width])
    number_of = dict(zip([row[:width] for row in rows], numbered.tolist(), strict=True))
    assert sorted(number_of.values()) == list(range(numbers.count))
    assert [number_of[row[:width]] for row in rows] == numbered.tolist()
    found = numbers.find(columns(others, chunk)[:width]).tolist()
    assert found == [number_of.get(row[:width], -1) for row in others]
    kept = {row[:width]: place for place, row in (reversed if first else list)(list(enumerate(rows)))}  # type: ignore[operator]
    assert numbers.one_each(numbered, first=first).tolist() == sorted(kept.values())
