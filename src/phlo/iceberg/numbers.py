"""Numbers for values: equal rows of some columns have one number, so that they are found by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Numbers:
    """Numbers, from 0 on, for rows that differ; NULLs are equal.

    >>> numbers, numbered = Numbers.of([pa.chunked_array([["a", "b", "a"]]), pa.chunked_array([[1, 1, None]])])
    >>> numbered.tolist(), numbers.count
    ([0, 2, 1], 3)
    >>> numbers.find([pa.chunked_array([["b", "b"]]), pa.chunked_array([[1, 2]])]).tolist()
    [2, -1]
    """

    values: Sequence[pa.Array]
    """The different values of each column."""
    pairs: Sequence[NDArray[np.int64]]
    """For each column but the first what occurs with what is before it, in order."""

    @classmethod
    def of(cls, columns: Sequence[pa.ChunkedArray]) -> tuple[Numbers, NDArray[np.int64]]:
        """Number rows of one column or more; return each row's number too."""
        values: list[pa.Array] = []
        pairs: list[NDArray[np.int64]] = []
        for column in columns:
            values.append(pc.unique(column))
            place = _places(column, values[-1])
            if len(values) == 1:
                found = place
            else:
                pairs.append(np.unique(found * len(values[-1]) + place))
                found = np.searchsorted(pairs[-1], found * len(values[-1]) + place)
        return cls(values, pairs), found

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.pairs[-1]) if self.pairs else len(self.values[0])

    def find(self, columns: Sequence[pa.ChunkedArray]) -> NDArray[np.int64]:
        """Return the number of each of other rows; -1 for one that has none."""
        found = _places(columns[0], self.values[0])
        for column, values, pairs in zip(columns[1:], self.values[1:], self.pairs, strict=True):
            place = _places(column, values)
            pair = np.where((found < 0) | (place < 0), -1, found * len(values) + place)
            near = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
            found = np.where(pairs[near] == pair, near, -1)
        return found

    def one_each(self, numbered: NDArray[np.int64], *, first: bool) -> NDArray[np.int64]:
        """Return the places, in order, of the last row of each number, or of the first."""
        places = np.arange(len(numbered))
        kept = np.empty(self.count, dtype=np.int64)
        step = -1 if first else 1
        kept[numbered[::step]] = places[::step]  # of what is written to one place, the last stays
        return np.sort(kept)


def _places(column: pa.ChunkedArray, values: pa.Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = pc.index_in(column, value_set=values).cast(pa.int64()).fill_null(-1).to_numpy()
    return found
