"""What the page of an asset says of it before it was ever made: where it is declared, its columns, its SQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import CodeReferencesMetadataValue, LocalFileCodeReference, MetadataValue, TableColumn, TableSchema
from dagster import TableColumnConstraints as Constraints

from phlo.declarations import relative
from phlo.errors import SchemaError
from phlo.orchestration.keys import word
from phlo.schemas.model import read_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phlo.declarations import Ingestion
    from phlo.profiles import Lake
    from phlo.transform.models import Model

SQL_SHOWN = 20_000
"""Characters of a model's SQL; a seed is data and has none."""


def ingestion(lake: Lake, declared: Ingestion) -> Mapping[str, Any]:
    """Describe an ingested table."""
    file, line = declared.source.file, declared.source.line
    about = {
        "dagster/table_name": declared.table,
        "dagster/code_references": _code(Path(file), line),
        "table": declared.table,
        "declared in": f"{relative(file, lake.project.root)}:{line}",
        "unique key": ", ".join(declared.unique_key) or "none",
        "merge strategy": declared.merge_strategy,
    }
    about |= {"cron": declared.cron} if declared.cron else {}
    columns = _schema_columns(declared)
    return about | ({"dagster/column_schema": columns} if columns else {})


def model(lake: Lake, made: Model) -> Mapping[str, Any]:
    """Describe a table or view that dbt makes; the types of its columns are known when it was built."""
    file = lake.project.root / made.path
    about = {
        "dagster/table_name": made.table,
        "dagster/code_references": _code(file),
        "table": made.table,
        "declared in": made.path,
        "materialization": made.materialization,
    }
    if file.suffix == ".sql" and file.is_file():
        about["SQL"] = MetadataValue.md(f"```sql\n{file.read_text(errors='replace')[:SQL_SHOWN].strip()}\n```")
    if made.columns:
        columns = [TableColumn(name, "", text or None) for name, text in made.columns.items()]
        about["dagster/column_schema"] = TableSchema(columns)
    return about


def owners(made: Model) -> list[str]:
    """Who a model's ``meta: owner`` names, where Dagster can show it: an address, or ``team:name``.

    >>> from phlo.transform.models import Model
    >>> owners(Model("m", "gold.m", "model.x.m", "model", "table", "m.sql", meta={"owner": "team:data"}))
    ['team:data']
    """
    named = made.meta.get("owner")
    listed = named if isinstance(named, list) else [named]
    return [each for each in listed if isinstance(each, str) and re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+\.\w+", each)]


def tags(made: Model) -> dict[str, str]:
    """A model's tags of dbt."""
    return {word(tag): "" for tag in made.tags}


def _code(file: Path, line: int = 1) -> CodeReferencesMetadataValue:
    return CodeReferencesMetadataValue(code_references=[LocalFileCodeReference(file_path=str(file), line_number=line)])


def _schema_columns(declared: Ingestion) -> TableSchema | None:
    if declared.validation_schema is None:
        return None
    try:
        read = read_model(declared.validation_schema)
    except SchemaError:  # loading it says so; its page is no reason to show nothing of the project
        return None
    return TableSchema(
        [
            TableColumn(
                column.name,
                str(column.type),
                column.description or None,
                Constraints(nullable=column.nullable, unique=column.unique, other=list(column.rules)),
            )
            for column in read.columns
        ]
    )
