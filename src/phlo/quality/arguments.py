"""Arguments of checks: what is wrong is said where the check is made, naming its class and the nearest right name."""

from __future__ import annotations

import functools
import inspect
import math
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform

from phlo.errors import InvalidDeclaration, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

Class = TypeVar("Class", bound="type[Any]")

HERE = str(Path(__file__).parent)


@dataclass_transform(frozen_default=True)
def built_in(cls: Class) -> Class:
    """Make a frozen dataclass whose wrong arguments are ``InvalidDeclaration``s instead of ``TypeError``s."""
    made: Any = dataclass(frozen=True)(cls)
    plain_init = made.__init__
    signature = inspect.signature(plain_init)
    names = list(signature.parameters)[1:]

    @functools.wraps(plain_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in names:
                wrong(self, f"there is no argument `{name}`{nearest(name, names)}", _listed(names))
        try:
            signature.bind(self, *args, **kwargs)
        except TypeError as error:
            wrong(self, str(error), _listed(names))
        plain_init(self, *args, **kwargs)

    made.__init__ = init
    return made  # type: ignore[no-any-return]


def wrong(check: object, detail: str, fix: str) -> NoReturn:
    """Raise for an argument of a check, naming its class and the line that made it."""
    raise InvalidDeclaration(where=f"{type(check).__name__} at {_caller()}", detail=detail, fix=fix)


def read_columns(check: object, value: object, argument: str = "columns") -> tuple[str, ...]:
    """Read one column or a list of columns."""
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        wrong(check, f"{argument}=`{value}` is not a list of columns", f'write {argument}=["_id"]')
    if len(set(names)) < len(names):
        wrong(check, f"{argument}=`{value}` names a column twice", "name each column once")
    return names


def read_column(check: object, value: object) -> None:
    """Insist on one column's name."""
    if not isinstance(value, str) or not value:
        wrong(check, f"column=`{value}` is not the name of a column", 'write column="sgv"')


def read_share(check: object, value: object) -> None:
    """Insist on a tolerance from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        wrong(check, f"tolerance=`{value}` is not a share from 0 to 1", "write tolerance=0.05 for 5 %")


def read_pattern(check: object, value: object) -> None:
    """Insist on a regular expression."""
    try:
        re.compile(value if isinstance(value, str) else "(")
    except re.error as error:
        detail = f"pattern=`{value}` is not a regular expression: {error}"
        wrong(check, detail, r'write a string such as r"^\d{4}-\d{2}$"')


def read_number(check: object, argument: str, value: object, *, whole: bool = False) -> None:
    """Insist on a finite number, or None."""
    number = isinstance(value, int if whole else (int, float, Decimal)) and not isinstance(value, bool)
    if value is not None and not (number and math.isfinite(value)):  # type: ignore[arg-type]
        wrong(check, f"{argument}=`{value}` is not a {'whole ' if whole else ''}number", f"write {argument}=20")


def read_order(check: object, low: tuple[str, Any], high: tuple[str, Any]) -> None:
    """Insist on at least one bound, and on the lower one being lower."""
    if low[1] is None and high[1] is None:
        wrong(check, f"neither {low[0]} nor {high[0]} is given", "give at least one of them")
    if low[1] is not None and high[1] is not None and low[1] > high[1]:
        wrong(check, f"{low[0]}=`{low[1]}` is above {high[0]}=`{high[1]}`", "exchange them")


def _listed(names: Sequence[str]) -> str:
    return f"its arguments are {', '.join(names)}"


def _caller() -> str:
    """Name the file and line outside this package that is making a check."""
    frame = sys._getframe(1)
    # Generated methods of dataclasses have a file name in angle brackets.
    while frame.f_back and frame.f_code.co_filename.startswith((HERE, "<string>")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
