"""Memory does not grow with a load: three times the rows, the same peak."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

STREAM = Path(__file__).resolve().parents[2] / "benchmarks" / "stream.py"
NOISE_MB = 150
"""What two million more rows may add; held in memory they would be 300."""


def stream() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_stream", STREAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_three_times_the_rows_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHLO_MEMORY_LIMIT", "150MB")
    measure = stream().measure
    few, many = (measure(rows, "merge")["peak_mb"] for rows in (1_000_000, 3_000_000))
    assert many < few + NOISE_MB


DAYS = """
import numpy as np
import pandera.pandas as pan
import phlo
import pyarrow as pa


class Reading(pan.DataFrameModel):
    id: str
    value: float = pan.Field(ge=0)


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def readings(partition_date: str):
    rng = np.random.default_rng(int(partition_date[-2:]))
    ids = [f"{a:016x}{b:016x}" for a, b in rng.integers(0, 2**62, size=(ROWS // 31, 2))]
    return pa.table({"id": [*ids, ids[0]], "value": rng.random(len(ids) + 1) + MORE})
"""

PEAK = """
import resource, sys
from phlo.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("peak MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def peak_of_backfills(shop: Shop, rows: int) -> int:
    """A month with a key twice in each day, and the month again with half of its days changed."""
    peaks = []
    for more in ("0", "int(partition_date[-2:]) % 2"):
        text = DAYS.replace("ROWS", str(rows)).replace("MORE", more)
        (shop.root / "workflows" / "ingestion" / "shop.py").write_text(text)
        days = ["--start-date", "2024-01-01", "--end-date", "2024-01-31", "--force"]
        command = [sys.executable, "-c", PEAK, "--project", str(shop.root), "backfill", "readings", *days]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.rpartition("peak MB ")[2]))
    counted = shop.read("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM raw.readings")
    assert counted == [{"n": rows // 31 * 31, "ids": rows // 31 * 31}]
    return max(peaks)


@pytest.mark.slow
def test_days_that_are_written_together_take_no_more_memory_than_few(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHLO_MEMORY_LIMIT", "150MB")
    few, many = (peak_of_backfills(shop, rows) for rows in (310_000, 1_860_000))
    assert many < few + NOISE_MB
