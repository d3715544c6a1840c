"""``@phlo.ingestion``: the decorator that turns a function into an ingested table.

It only writes an ``Ingestion`` record; nothing runs, and no heavy library is imported, until the table is loaded.
"""

from __future__ import annotations

import datetime as dt
import inspect
import re
from typing import TYPE_CHECKING, Any, Literal, Never, NoReturn, TypedDict, TypeVar, Unpack, get_args

from phlo.declarations import (
    SYSTEM_COLUMNS,
    Deduplication,
    Ingestion,
    MergeStrategy,
    OnInvalid,
    Source,
    declared,
    parse_partition,
    reject_other_choices,
    reject_positional,
    reject_unknown_options,
)
from phlo.errors import InvalidDate, InvalidDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Function = TypeVar("Function", bound="Callable[..., Any]")

NAME = "@phlo.ingestion"

CRON_FIELDS = {
    "minute": range(60),
    "hour": range(24),
    "day of the month": range(1, 32),
    "month": range(1, 13),
    "day of the week": range(8),
}
"""What the five fields of a cron line may hold; both 0 and 7 are Sunday."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class MergeConfig(TypedDict, total=False):
    """How duplicates inside one load are settled."""

    deduplication_method: Literal["last", "first", "hash"]


class IngestionOptions(TypedDict, total=False):
    """What ``@phlo.ingestion`` takes; every argument has a default."""

    table_name: str
    unique_key: str | Sequence[str]
    validation_schema: type[Any]
    group: str
    cron: str
    freshness_hours: tuple[float, float]
    merge_strategy: MergeStrategy
    merge_config: MergeConfig
    max_rejected: float
    on_invalid: OnInvalid
    partition_start: str | dt.date
    description: str


def phlo_ingestion(*misplaced: Never, **options: Unpack[IngestionOptions]) -> Callable[[Function], Function]:
    """Declare that a function delivers the rows of a table, a UTC day at a time.

    The function takes ``partition_date: str`` (YYYY-MM-DD), or nothing for a table without partitions, and returns
    a dlt source or resource, an iterable of dicts, an Arrow table or reader, a DataFrame, or None for no rows.

    ``table_name`` defaults to the function's name and ``merge_strategy`` to "merge" with a ``unique_key``, else to
    "append". ``freshness_hours`` is (warn, fail); ``max_rejected`` the share of rejected rows (0 to 1) above which
    a load of at least 20 rows fails; of fewer all may be rejected, but for ``max_rejected=0``, which lets none pass.
    ``on_invalid`` "reject" keeps good rows and files bad ones, "fail" fails the load.

    Raises ``InvalidDeclaration`` at import for an argument that is wrong.

    >>> @phlo_ingestion(unique_key="id")
    ... def readings(partition_date: str):
    ...     return [{"id": 1, "day": partition_date}]
    >>> readings("2024-01-20")
    [{'id': 1, 'day': '2024-01-20'}]
    """

    def declare(function: Function) -> Function:
        reject_positional(NAME, misplaced, 'unique_key="id"', Source.of(function))
        declared.append(_record(function, dict(options)))
        return function

    first: Any = misplaced[0] if misplaced else None
    return declare(first) if callable(first) else declare


def _record(function: Callable[..., Any], options: dict[str, Any]) -> Ingestion:
    source = Source.of(function)
    reject_unknown_options(NAME, options, IngestionOptions.__annotations__, source)
    partitioned = _takes_partition(function, source)
    keys = _keys(options.get("unique_key"), source, partitioned=partitioned)
    _check_choices(options, source)
    _check_schema(options.get("validation_schema"), source)
    return Ingestion(
        table_name=_table_name(options.get("table_name", function.__name__), source),
        function=function,
        source=source,
        unique_key=keys,
        validation_schema=options.get("validation_schema"),
        group=options.get("group", "default"),
        cron=check_cron(options.get("cron"), source),
        freshness_hours=_freshness(options.get("freshness_hours"), source),
        merge_strategy=_strategy(options.get("merge_strategy"), keys, source),
        deduplication=options.get("merge_config", {}).get("deduplication_method", "last"),
        max_rejected=_share(options.get("max_rejected", 0.5), source),
        on_invalid=options.get("on_invalid", "reject"),
        partition_start=_day(options.get("partition_start"), source),
        partitioned=partitioned,
        description=options.get("description") or inspect.getdoc(function) or "",
    )


def _wrong(source: Source, detail: str, fix: str) -> NoReturn:
    raise InvalidDeclaration(where=f"{NAME} in {source}", detail=detail, fix=fix)


def _table_name(name: object, source: Source) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # `@` and `#` would make Trino write to another branch; a dot would name another namespace.
        _wrong(source, f"table_name=`{name}` is not a table name", "use letters, digits and underscores")
    return name


def _keys(value: object, source: Source, *, partitioned: bool) -> tuple[str, ...]:
    keys = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if value is not None and (not keys or not all(isinstance(key, str) and key for key in keys)):
        _wrong(source, f"unique_key=`{value}` is not a column or a list of columns", 'write unique_key="_id"')
    if len(set(keys)) < len(keys):
        _wrong(source, f"unique_key=`{value}` names a column twice", "name each column once")
    for key in keys:
        # A field of the source by such a name is left out; the day tells rows of partitioned tables apart.
        if key in SYSTEM_COLUMNS[1 if partitioned else 0 :]:
            _wrong(source, f"unique_key=`{key}` is a column that Phlo adds itself", "name a column of the source")
    return keys


def _check_choices(options: dict[str, Any], source: Source) -> None:
    merge_config = options.get("merge_config", {})
    if not isinstance(merge_config, dict):
        _wrong(source, f"merge_config=`{merge_config}` is not a dict", 'write {"deduplication_method": "last"}')
    reject_unknown_options(f"merge_config of {NAME}", merge_config, MergeConfig.__annotations__, source)
    choices = (
        ("merge_strategy", options.get("merge_strategy"), get_args(MergeStrategy)),
        ("deduplication_method", merge_config.get("deduplication_method"), get_args(Deduplication)),
        ("on_invalid", options.get("on_invalid"), get_args(OnInvalid)),
    )
    for name, value, allowed in choices:
        reject_other_choices(NAME, name, value, allowed, source)


def _check_schema(schema: object, source: Source) -> None:
    if schema is not None and not hasattr(schema, "to_schema"):
        detail = f"validation_schema=`{schema!r}` is not a Pandera model"
        _wrong(source, detail, "pass the class: a subclass of pandera's DataFrameModel")


def _strategy(value: MergeStrategy | None, keys: tuple[str, ...], source: Source) -> MergeStrategy:
    if value == "merge" and not keys:
        _wrong(source, 'merge_strategy="merge" needs a unique_key', 'add unique_key="…", or use "append"')
    return value or ("merge" if keys else "append")


def check_cron(value: object, source: Source) -> str | None:
    """Return a schedule; raise ``InvalidDeclaration`` for one that cron does not know or that never comes."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value.split()) != len(CRON_FIELDS):
        detail = f"cron=`{value}` is not five fields ({', '.join(CRON_FIELDS)})"
        _wrong(source, detail, 'write cron="0 */1 * * *" for every hour')
    found: dict[str, set[int]] = {}
    for (name, allowed), text in zip(CRON_FIELDS.items(), value.split(), strict=True):
        try:
            found[name] = {number for part in text.split(",") for number in _cron_part(part, name, allowed)}
        except ValueError:
            fix = f"write a number from {allowed[0]} to {allowed[-1]}, a range of them such as 1-5, * or */2"
            _wrong(source, f"cron=`{value}`: `{text}` is no {name}", fix)
    earliest, every_weekday = min(found["day of the month"]), value.split()[-1].startswith("*")
    if every_weekday and not any(earliest <= LONGEST[month - 1] for month in found["month"]):
        _wrong(source, f"cron=`{value}` never comes: no such month has {earliest} days", "name another day or month")
    return value


def _cron_part(text: str, field: str, allowed: range) -> range:
    """Read one part of a cron field as the numbers it stands for; raise ``ValueError`` for what is no such part."""
    listed = MONTHS if field == "month" else WEEKDAYS if field == "day of the week" else ()
    names = dict(zip(listed, map(str, allowed), strict=False))
    found = re.fullmatch(r"(\*|[a-z]+|\d+)(?:-([a-z]+|\d+))?(?:/(\d+))?", text.lower())
    first, last, step = found.groups() if found else ("", None, None)
    low = allowed[0] if first == "*" else int(names.get(first, first))
    high = int(names.get(last, last)) if last else allowed[-1] if first == "*" or step else low
    numbers = range(low, high + 1, int(step or 1))
    if not numbers or low not in allowed or high not in allowed or (first == "*" and last):
        raise ValueError(text)
    return numbers


def _freshness(value: object, source: Source) -> tuple[float, float] | None:
    if value is None:
        return None
    pair = tuple(value) if isinstance(value, (list, tuple)) else ()
    numbers = len(pair) == 2 and all(isinstance(hours, (int, float)) and hours > 0 for hours in pair)
    if not numbers or pair[0] > pair[1]:
        _wrong(source, f"freshness_hours=`{value}` is not (warn, fail) in hours", "write freshness_hours=(1, 24)")
    return float(pair[0]), float(pair[1])


def _share(value: object, source: Source) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        _wrong(source, f"max_rejected=`{value}` is not a share from 0 to 1", "write max_rejected=0.05 for 5 %")
    return float(value)


def _day(value: object, source: Source) -> dt.date | None:
    if value is None or type(value) is dt.date:
        return value
    try:
        return parse_partition(str(value))
    except InvalidDate as error:
        raise InvalidDeclaration(
            where=f"{NAME} in {source}", detail=f"partition_start: {error}", fix=error.next_step
        ) from error


def _takes_partition(function: Callable[..., Any], source: Source) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    if needed not in ([], ["partition_date"]):
        detail = f"the function takes `{', '.join(needed)}`, but its only argument must be named `partition_date`"
        _wrong(source, detail, "let it take partition_date: str, or nothing")
    return any(parameter.name == "partition_date" for parameter in parameters)
