"""What Dagster shows of tables, loads, models and checks: metadata from what a run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import MetadataValue, TableColumn, TableSchema

from phlo.errors import PhloError
from phlo.inspect.tables import describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phlo.pipeline import Run
    from phlo.profiles import Lake
    from phlo.protocols import Load, Pin, Publish
    from phlo.quality.results import CheckResult
    from phlo.transform.models import Model
    from phlo.transform.results import NodeResult

ROWS = 5
WIDTH = 60


def table(lake: Lake, pin: Pin, name: str) -> dict[str, Any]:
    """Show a table as it is in a state: its snapshot, columns, number of rows and first rows."""
    if name not in pin.tables and name not in pin.views:
        return {}
    about = describe(lake.catalog, pin, name)
    columns = [TableColumn(each.name, each.type) for each in about.columns]
    found: dict[str, Any] = {"dagster/column_schema": TableSchema(columns)} if columns else {}
    if about.kind == "table":
        snapshot = about.snapshot
        found["snapshot id"] = str(snapshot.id) if snapshot else "none"  # larger than JSON's numbers
        if about.rows is not None:
            found["dagster/row_count"] = about.rows
    quoted = ".".join(f'"{word}"' for word in name.split("."))
    try:
        rows = lake.engine.query(f"SELECT * FROM {quoted} LIMIT {ROWS}", pin).to_pylist()
    except PhloError as error:  # a preview is no reason to fail
        return found | {"preview": f"not shown: {error}"}
    return found | {"preview": MetadataValue.md(markdown(rows))}


def on_ref(run: Run, name: str) -> dict[str, Any]:
    """Show a table as it is on the run's ref."""
    return table(run.lake, run.lake.catalog.pin(run.ref), name) | {"ref": run.ref}


def load(loaded: Load) -> dict[str, Any]:
    """Show one load: numbers that Dagster plots."""
    return {
        "rows read": loaded.rows_read,
        "rows written": loaded.rows_written,
        "rows updated": loaded.rows_updated,
        "rows unchanged": loaded.rows_unchanged,
        "rows rejected": loaded.rows_rejected,
        "load id": loaded.load_id,
    }


def model(run: Run, made: Model) -> dict[str, Any]:
    """Show what came of a model."""
    results = run.transformed.models if run.transformed else []
    found = next((each for each in results if each.table == made.table), None)
    return on_ref(run, made.table) | (numbers(found) if found else {})


def numbers(made: NodeResult) -> dict[str, Any]:
    """Show how long a model took, and the rows that its query returned."""
    return {"duration (s)": made.seconds} | ({} if made.rows is None else {"rows": made.rows})


def publish(published: Publish) -> dict[str, Any]:
    """Show the publish that brought it to main."""
    return {"publish": published.seq, "published at": MetadataValue.timestamp(published.at)}


def check(result: CheckResult) -> dict[str, Any]:
    """Show what a check found, with its failing rows."""
    found: dict[str, Any] = {"violations": result.violations, "rows checked": result.total}
    return found | ({"failing rows": MetadataValue.md(markdown(result.rows))} if result.rows else {})


def test(result: NodeResult) -> dict[str, Any]:
    """Show what a dbt test found, with its failing rows."""
    found: dict[str, Any] = {"duration (s)": result.seconds} | ({} if result.rows is None else {"failing": result.rows})
    return found | ({"failing rows": MetadataValue.md(markdown(result.failing))} if result.failing else {})


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Lay rows out as a table of Markdown.

    >>> print(markdown([{"day": "2024-01-20", "text": "a|b"}]))
    | day | text |
    |---|---|
    | 2024-01-20 | a\|b |
    """
    if not rows:
        return "no rows"
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "\n".join(f"|{'|'.join(line)}|" if line[0] == "---" else f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    text = "NULL" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
