"""What a check is: anything that judges a table's rows, as data (``execute``) or, for speed, as SQL as well.

A plugin needs ``execute`` alone. A check that can also say itself in SQL is measured where the data lies, together
with the other checks of its table, and never brings the rows into Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from phlo.declarations import Check

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd


SHOWN = 5
"""How many violating rows a result carries."""


@dataclass(frozen=True)
class Scope:
    """The rows that a check looks at."""

    relation: str
    """What stands after FROM: a table's quoted name, or a subquery of some of its partitions."""
    partitions: tuple[dt.date, ...] = ()
    """The partitions it is limited to; empty: the whole table."""


@dataclass(frozen=True)
class Measure:
    """A check in the project's SQL."""

    value: str
    """An expression over the relation's rows (an aggregate) or a scalar subquery; usually the count of violations."""
    rows: str = ""
    """A SELECT of the violating rows; empty where there are none to show."""


@dataclass(frozen=True)
class Outcome(Mapping[str, Any]):
    """What a check found; reads like the dict that ``Check.execute`` returns.

    >>> Outcome(passed=False, violations=3, total=288)["violations"]
    3
    """

    passed: bool
    violations: int
    total: int
    message: str = ""
    rows: tuple[Mapping[str, Any], ...] = ()

    def __getitem__(self, key: str) -> Any:
        if key not in self.__dataclass_fields__:
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Any:
        return iter(self.__dataclass_fields__)

    def __len__(self) -> int:
        return len(self.__dataclass_fields__)


@runtime_checkable
class SQLCheck(Check, Protocol):
    """A check that the engine can measure."""

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it needs; they are looked for before it runs."""

    @property
    def whole_table(self) -> bool:
        """Whether it always looks at the whole table, as uniqueness must."""

    def measure(self, scope: Scope) -> Measure:
        """Say itself in the project's SQL."""

    def judge(self, value: Any, total: int) -> Outcome:
        """Turn the measured value, over ``total`` rows, into an outcome."""


class MeasuredCheck:
    """What the built-in checks that speak SQL share."""

    whole_table: ClassVar[bool] = False

    def execute(self, df: pd.DataFrame) -> Outcome:
        """Judge the rows of a DataFrame (or Arrow table) with the same SQL that runs on a table."""
        from phlo.quality.frames import measure_frame

        return measure_frame(self, df)  # type: ignore[arg-type]


def within(violations: int, total: int, tolerance: float) -> bool:
    """Say whether a share of violating rows is tolerated.

    >>> within(29, 100, 0.29), within(30, 100, 0.29), within(0, 0, 0.0)
    (True, False, True)
    """
    # Dividing, not multiplying: 0.29 * 100 is 28.999999999999996.
    return violations == 0 or (total > 0 and violations / total <= tolerance)
