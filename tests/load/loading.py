"""Ways to load rows into a lake of real files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from phlo.declarations import Ingestion, SilentReporter, Source
from phlo.load.stage import stage
from phlo.load.write import Loaded, load_id, write_loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phlo.engine.duckdb import DuckDBEngine
    from phlo.iceberg.catalog import SqlRefCatalog
    from phlo.load.stage import Staged

DAY = dt.date(2024, 1, 20)


def ingestion(function: Callable[..., Any] | None = None, rows: Any = None, **options: Any) -> Ingestion:
    """Declare an ingestion that delivers ``rows`` (by day, if a dict of days), or what ``function`` does."""

    def deliver(partition_date: str = "") -> Any:
        return rows[partition_date] if isinstance(rows, dict) else rows

    chosen = function or deliver
    record = Ingestion("readings", chosen, Source.of(chosen))
    if options.get("unique_key") and "merge_strategy" not in options:
        options["merge_strategy"] = "merge"
    return replace(record, **options)


@dataclass
class Lake:
    """A catalog and an engine in a folder, and one ref that is open at a time."""

    folder: Path
    catalog: SqlRefCatalog
    engine: DuckDBEngine
    reporter: SilentReporter = field(default_factory=SilentReporter)
    run: str = ""

    @property
    def ref(self) -> str:
        return f"run-{self.run}"

    def open(self, run: str) -> None:
        self.run = run
        self.catalog.create_ref(self.ref, run_id=run)

    def stage(self, what: Ingestion, *days: dt.date | None) -> list[Staged]:
        folder = self.folder / "staging" / self.run / what.table_name
        return [
            stage(what, day, folder / str(day or "all"), load_id(self.run, what.table, day), self.reporter)
            for day in days
        ]

    def write(self, what: Ingestion, *days: dt.date | None) -> list[Loaded]:
        staged = self.stage(what, *(days or (DAY,)))
        return write_loads(what, staged, self.engine, self.catalog, self.ref, self.reporter)

    def load(self, run: str, what: Ingestion, *days: dt.date | None) -> list[Loaded]:
        """One whole run: open, load, publish."""
        with self.catalog.lease([what.table], run):
            self.open(run)
            loads = self.write(what, *days)
            self.catalog.publish(self.ref)
        return loads

    def rows(self, name: str, *columns: str, ref: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of a table, sorted."""
        table = self.engine.read(name, self.catalog.pin(ref or "main"), columns=columns)
        return sorted(
            zip(*(table[name].to_pylist() for name in columns), strict=True), key=lambda row: tuple(map(str, row))
        )


def make_lake(folder: Path) -> Lake:
    """An empty catalog on SQLite and DuckDB over it."""
    from phlo.config import Settings
    from phlo.engine.duckdb import DuckDBEngine
    from phlo.iceberg.catalog import SqlRefCatalog

    catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", folder / "warehouse")
    return Lake(folder, catalog, DuckDBEngine(catalog, Settings(), folder / "temp"))
