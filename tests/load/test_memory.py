"""Memory does not grow with a load: three times the rows, the same peak."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

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
