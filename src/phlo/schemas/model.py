"""Reads a Pandera model the way its author means it: every annotated field is a column, ``_id`` too.

Pandera passes over annotations that begin with an underscore without a word, so that a strict model with ``_id``
rejects every row. ``read_model`` lets Pandera read a twin of the model in which such a field has a public name and
its own name as ``alias``: checks, inheritance and configuration then work on it as on any other.
"""

from __future__ import annotations

import copy
import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from phlo.declarations import SYSTEM_COLUMNS
from phlo.errors import SchemaError
from phlo.schemas.converter import table_type
from phlo.schemas.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from pandera.api.pandas.container import DataFrameSchema

TWIN = "phlo_field"


@dataclass(frozen=True)
class Column:
    """One column of a table: its name and type there, and what its values must be."""

    name: str
    type: pa.DataType
    nullable: bool = True
    unique: bool = False
    description: str = ""
    rules: tuple[str, ...] = ()
    """What its checks ask, for people: ``1-1000``, ``IN(Flat, …)``."""
    bounds: tuple[int, int] | None = None
    """The range of a whole number whose Pandera type is narrower than the table's."""
    default: Any = None
    """What stands in for a null."""
    optional: bool = False
    """Whether the model lets rows go without the field, and not only without a value in it."""


@dataclass(frozen=True)
class TableSchema:
    """A model as Phlo uses it: columns to cast to, and a Pandera schema with the checks alone."""

    name: str
    columns: tuple[Column, ...]
    strict: bool = False
    """Whether the model forbids other columns; Phlo leaves those out and counts them, strict or not."""
    checks: DataFrameSchema | None = None
    """The second pass: checks (and parsers) without types and nullability, or None where there are none."""
    unique: tuple[tuple[str, ...], ...] = ()
    """Sets of columns whose values may occur once."""
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)


def read_model(model: type[Any]) -> TableSchema:
    """Read a Pandera ``DataFrameModel`` into columns and checks.

    Annotated fields that begin with an underscore are columns; ``alias=`` names a column otherwise. Columns that
    Phlo adds itself (``partition_date``, …) are left out. Raises ``SchemaError`` for what can't define a table.

    >>> import pandera.pandas as pa
    >>> class Entries(pa.DataFrameModel):
    ...     _id: str = pa.Field(nullable=False)
    ...     sgv: int = pa.Field(ge=1, le=1000)
    >>> [(column.name, str(column.type), column.rules) for column in read_model(Entries).columns]
    [('_id', 'string', ()), ('sgv', 'int64', ('1-1000',))]
    """
    hashable: Any = model
    return _read(hashable)


def refuse_names(names: Iterable[str], schema: str, fix: str) -> None:
    """Raise ``SchemaError`` where a column is called what SQL has no way to write: nothing, or what is no text.

    >>> refuse_names(["a b", 'q"uote', "é"], "Entries", "")
    """
    for name in names:
        if not name or "\0" in name or not _encodes(name):
            raise SchemaError(schema=schema, detail=f"no column can have the name `{name!a}`", fix=fix)


def _encodes(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=256)
def _read(model: Any) -> TableSchema:
    schema = _pandera_schema(model)
    columns = tuple(_column(schema.columns[name], model) for name in _order(model, schema))
    keep = tuple(column for column in columns if column.name not in SYSTEM_COLUMNS)
    if not keep:
        _wrong(model, "it names no column", "annotate a field for each column, such as `id: str`")
    refuse_names([column.name for column in keep], model.__name__, "give it another one with alias=")
    return TableSchema(
        name=model.__name__,
        columns=keep,
        strict=bool(schema.strict),
        checks=_checks_alone(schema, [column.name for column in keep]),
        unique=_unique_sets(schema, keep),
        description=(model.__doc__ or "").strip(),
    )


def _pandera_schema(model: type[Any]) -> DataFrameSchema:
    from pandera.api.pandas.model import DataFrameModel
    from pandera.errors import SchemaInitError

    if not (isinstance(model, type) and issubclass(model, DataFrameModel)):
        _wrong(model, "it is not a Pandera model for pandas", "derive it from pandera.pandas.DataFrameModel")
    try:
        schema: DataFrameSchema = _twin(model).to_schema()
    except (SchemaInitError, TypeError, NameError, ValueError) as error:
        _wrong(model, f"Pandera can't read it: {error}", "see the model's annotations and fields")
    if schema.index is not None:
        _wrong(model, "it declares an Index, which no table has", "declare the field as Series[…]")
    for name, column in schema.columns.items():
        if column.regex:
            _wrong(model, f"`{name}` is a pattern (regex=True), not a column", "declare each column by its name")
    return schema


def _twin(model: type[Any]) -> type[Any]:
    """Derive a model in which the underscored fields have public names, and their own as alias."""
    hidden = _hidden_fields(model)
    if not hidden:
        return model
    from pandera.api.pandas.model import DataFrameModel
    from pandera.pandas import Field

    body: dict[str, Any] = {"__annotations__": {}, "__module__": model.__module__, "__doc__": model.__doc__}
    attributes = _attributes(model, DataFrameModel)
    for name, annotation in hidden.items():
        field = copy.copy(attributes[name]) if name in attributes else Field()
        field.alias = field.alias or _as_written(name, model)
        body[f"{TWIN}{name}"] = field
        body["__annotations__"][f"{TWIN}{name}"] = annotation
    return type(model.__name__, (model,), body)


def _hidden_fields(model: type[Any]) -> dict[str, Any]:
    """Find the annotated fields that Pandera passes over: ``_x`` without a value, or with a ``Field``."""
    from pandera.api.dataframe.model_components import FieldInfo
    from pandera.api.pandas.model import DataFrameModel

    attributes = _attributes(model, DataFrameModel)
    hints = typing.get_type_hints(model, include_extras=True)
    return {
        name: annotation
        for name, annotation in hints.items()
        if name.startswith("_")
        and not name.startswith("__")
        and f"{TWIN}{name}" not in hints
        and typing.get_origin(annotation) is not typing.ClassVar
        and isinstance(attributes.get(name, FieldInfo()), FieldInfo)
    }


def _as_written(name: str, model: type[Any]) -> str:
    """Undo what Python does to names with two underscores: `__v` of class Post is kept as `_Post__v`."""
    prefixes = (f"_{each.__name__.lstrip('_')}" for each in model.__mro__)
    return next((name.removeprefix(p) for p in prefixes if name.startswith(f"{p}__")), name)


def _attributes(model: type[Any], base: type[Any]) -> dict[str, Any]:
    """The class attributes as written, without the descriptors that turn a ``Field`` into its name."""
    found: dict[str, Any] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, base) and each is not base:
            found.update(vars(each))
    return found


def _order(model: type[Any], schema: DataFrameSchema) -> list[str]:
    """Order columns as the model's author wrote them, those of base classes first."""
    from pandera.api.dataframe.model_components import FieldInfo
    from pandera.api.pandas.model import DataFrameModel

    attributes = _attributes(model, DataFrameModel)
    written: list[str] = []
    for name in typing.get_type_hints(model):
        field = attributes.get(name)
        alias = field.alias if isinstance(field, FieldInfo) else None
        written.append(alias or _as_written(name, model))
    return sorted(schema.columns, key=lambda name: written.index(name) if name in written else len(written))


def _column(column: Any, model: type[Any]) -> Column:
    kind = table_type(column.dtype, column.name, model.__name__)
    return Column(
        name=str(column.name),
        type=kind.arrow,
        # A field that may be absent has no value in the rows where it is.
        nullable=column.nullable or not column.required,
        optional=not column.required,
        unique=column.unique,
        description=column.description or column.title or "",
        rules=rules_of(column.checks),
        bounds=kind.bounds,
        default=column.default,
    )


def _checks_alone(schema: DataFrameSchema, names: list[str]) -> DataFrameSchema | None:
    """Keep what the cast does not settle: types, nullability and uniqueness are judged elsewhere."""
    from pandera.pandas import Column as PanderaColumn
    from pandera.pandas import DataFrameSchema as PanderaSchema

    own = [check for column in schema.columns.values() for check in column.checks]
    groups = {name for check in own if isinstance(check.groupby, list) for name in check.groupby}
    columns = {
        name: PanderaColumn(checks=_all_cases(column.checks), parsers=column.parsers, nullable=True, name=name)
        for name, column in schema.columns.items()
        if name in names and (column.checks or column.parsers or name in groups)
    }
    if not (columns or schema.checks or schema.parsers):
        return None
    return PanderaSchema(columns, checks=_all_cases(schema.checks), parsers=schema.parsers, name=schema.name)


def _all_cases(checks: Any) -> list[Any]:
    """Let checks report every failing row: a check that reports the first few would let the others pass."""
    copies = [copy.copy(check) for check in checks]
    for each in copies:
        each.n_failure_cases = None
    return copies


def _unique_sets(schema: DataFrameSchema, columns: tuple[Column, ...]) -> tuple[tuple[str, ...], ...]:
    single = [(column.name,) for column in columns if column.unique]
    several = schema.unique or []
    return tuple(dict.fromkeys([*single, *([tuple(several)] if several else [])]))


def _wrong(model: object, detail: str, fix: str) -> typing.NoReturn:
    raise SchemaError(schema=getattr(model, "__name__", repr(model)), detail=detail, fix=fix)
