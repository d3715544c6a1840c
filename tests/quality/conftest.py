"""A lake of real Iceberg tables, with one open ref to check."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.config import Settings
from phlo.declarations import Quality, Source
from phlo.engine.duckdb import DuckDBEngine
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.quality.runner import CheckResult, run_checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from phlo.quality import Check

REF = "run-1"
FIRST, SECOND, THIRD = (dt.date(2024, 1, day) for day in (20, 21, 25))

READINGS = pa.schema(
    [
        ("_id", pa.string()),
        ("sgv", pa.int64()),
        ("noise", pa.float64()),
        ("dateString", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("partition_date", pa.date32()),
    ]
)


@dataclass
class Lake:
    """What the tests write to and check."""

    catalog: SqlRefCatalog
    engine: DuckDBEngine

    def put(self, table: str, rows: Iterable[Mapping[str, Any]], schema: pa.Schema = READINGS) -> None:
        """Add rows to a table on the ref."""
        full = [dict.fromkeys(schema.names) | dict(row) for row in rows]
        self.engine.write(table, pa.Table.from_pylist(full, schema), REF, mode="append")

    def check(self, table: str, *checks: Check, changed: Iterable[dt.date] = (), **options: Any) -> list[CheckResult]:
        """Run checks of one table."""
        written = {table: set(changed)} if changed else {}
        return run_checks([quality(table, *checks, **options)], self.engine, self.catalog.pin(REF), written)

    def one(self, table: str, check: Check, **options: Any) -> CheckResult:
        """Run one check."""
        (result,) = self.check(table, check, **options)
        return result


def quality(table: str, *checks: Check, **options: Any) -> Quality:
    """A declaration as the decorator writes it."""
    return Quality("readings_quality", table, checks, Source("quality.py", 1, "readings_quality"), **options)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref(REF)
    return Lake(catalog, DuckDBEngine(catalog, Settings(), tmp_path / "temp"))


@pytest.fixture
def readings(lake: Lake) -> Lake:
    """``raw.readings``: five rows in two partitions, each wrong in its own way but the first."""
    lake.put(
        "raw.readings",
        [
            {"_id": "a", "sgv": 110, "noise": 0.5, "dateString": "2024-01-20T10:00:00Z", "partition_date": FIRST},
            {"_id": "b", "sgv": 700, "noise": float("nan"), "dateString": "yesterday", "partition_date": FIRST},
            {"_id": "b", "sgv": None, "noise": None, "dateString": None, "partition_date": FIRST},
            {"_id": None, "sgv": 5, "noise": -1.0, "dateString": "2024-01-21T10:00:00Z", "partition_date": SECOND},
            {"_id": None, "sgv": 120, "noise": 1e300, "dateString": "2024-01-21", "partition_date": SECOND},
        ],
    )
    return lake
