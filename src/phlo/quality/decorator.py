"""``@phlo.quality``: the decorator that declares checks of a table.

It only writes a ``Quality`` record; the checks run on a run's ref, before it is published.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Literal, Never, NoReturn, Required, TypedDict, TypeVar, Unpack

from phlo.declarations import (
    Check,
    Quality,
    Source,
    declared,
    reject_other_choices,
    reject_positional,
    reject_unknown_options,
)
from phlo.errors import InvalidDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Function = TypeVar("Function", bound="Callable[..., Any]")

NAME = "@phlo.quality"

SCOPES = ("changed", "table")


class QualityOptions(TypedDict, total=False):
    """What ``@phlo.quality`` takes; ``table`` and ``checks`` are needed."""

    table: Required[str]
    checks: Required[Sequence[Check]]
    group: str
    blocking: bool
    scope: Literal["changed", "table"]
    description: str


def phlo_quality(*misplaced: Never, **options: Unpack[QualityOptions]) -> Callable[[Function], Function]:
    """Declare checks of a table; the function gives them a name and a place, its body is not run.

    ``blocking`` checks (the default) must pass before a run is published; others warn. ``scope`` "changed" looks at
    the partitions that the run wrote (the default in ``raw``), "table" at all rows (the default elsewhere).

    Raises ``InvalidDeclaration`` at import for an argument that is wrong.

    >>> from phlo.quality import NullCheck
    >>> @phlo_quality(table="raw.readings", checks=[NullCheck(columns=["id"])])
    ... def readings_quality():
    ...     pass
    """

    def declare(function: Function) -> Function:
        example = 'table="raw.readings", checks=[NullCheck(columns=["id"])]'
        reject_positional(NAME, misplaced, example, Source.of(function))
        declared.append(_record(function, dict(options)))
        return function

    first: Any = misplaced[0] if misplaced else None
    return declare(first) if callable(first) else declare


def _record(function: Callable[..., Any], options: dict[str, Any]) -> Quality:
    source = Source.of(function)
    reject_unknown_options(NAME, options, QualityOptions.__annotations__, source)
    return Quality(
        name=function.__name__,
        table=_table(options.get("table"), source),
        checks=_checks(options.get("checks"), source),
        source=source,
        group=_group(options.get("group", "default"), source),
        blocking=_blocking(options.get("blocking", True), source),
        scope=_scope(options.get("scope"), source),
        description=options.get("description") or inspect.getdoc(function) or "",
    )


def _wrong(source: Source, detail: str, fix: str) -> NoReturn:
    raise InvalidDeclaration(where=f"{NAME} in {source}", detail=detail, fix=fix)


def _table(value: object, source: Source) -> str:
    if value is None:
        _wrong(source, "the argument `table` is missing", 'write table="silver.fct_glucose_readings"')
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_]\w*\.[A-Za-z_]\w*", value, re.ASCII):
        _wrong(source, f"table=`{value}` is not schema.table", 'write table="silver.fct_glucose_readings"')
    return value


def _checks(value: object, source: Source) -> tuple[Check, ...]:
    example = 'write checks=[NullCheck(columns=["sgv"])]'
    if value is None:
        _wrong(source, "the argument `checks` is missing", example)
    if not isinstance(value, (list, tuple)) or not value:
        _wrong(source, f"checks=`{value}` is not a list of checks", example)
    for i, check in enumerate(value):
        if isinstance(check, type):
            _wrong(source, f"checks[{i}] is the class `{check.__name__}`", f"call it: {check.__name__}(…)")
        if not isinstance(check, Check):
            _wrong(source, f"checks[{i}]=`{check!r}` is not a check: it has no `execute`", example)
    return tuple(value)


def _group(value: object, source: Source) -> str:
    if not isinstance(value, str) or not value:
        _wrong(source, f"group=`{value}` is not a name", 'write group="nightscout"')
    return value


def _blocking(value: object, source: Source) -> bool:
    if not isinstance(value, bool):
        _wrong(source, f"blocking=`{value}` is neither True nor False", "write blocking=True or blocking=False")
    return value


def _scope(value: Any, source: Source) -> Literal["changed", "table"] | None:
    reject_other_choices(NAME, "scope", value, SCOPES, source)
    return value  # type: ignore[no-any-return]
