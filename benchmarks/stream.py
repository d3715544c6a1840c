"""How much memory a large load takes: rows from an Arrow reader through a whole run, each size in its own process.

The source is a RecordBatchReader of synthetic readings (a text key, a time, a device, two numbers); a schema checks
each row, 1 in 10,000 is rejected, and 1 in 1,000 comes twice.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measure import Table

WORKFLOW = """
import os

import numpy as np
import pandera.pandas as pa
import pyarrow

import phlo

ROWS, BATCH = int(os.environ["STREAM_ROWS"]), 50_000
STRATEGY = os.environ["STREAM_STRATEGY"]


class Reading(pa.DataFrameModel):
    id: str = pa.Field(nullable=False)
    at: pa.DateTime
    device: str = pa.Field(nullable=True)
    sgv: int = pa.Field(ge=1, le=1000)
    noise: float = pa.Field(nullable=True)


def batches():
    for start in range(0, ROWS, BATCH):
        numbers = np.arange(start, min(start + BATCH, ROWS))
        numbers[::1000] = np.maximum(numbers[::1000] - 1, 0)
        draw = np.random.default_rng(start)
        sgv = draw.integers(40, 400, len(numbers))
        sgv[::10_000] = 0
        yield pyarrow.record_batch(
            {
                "id": pyarrow.array(numbers).cast("string"),
                "at": pyarrow.array(numbers * 1_000_000, pyarrow.timestamp("us", "UTC")),
                "device": pyarrow.array([f"cgm-{n}" for n in numbers % 50]),
                "sgv": sgv,
                "noise": draw.random(len(numbers)),
            }
        )


@phlo.ingestion(unique_key="id", validation_schema=Reading, merge_strategy=STRATEGY)
def readings(partition_date: str):
    first = next(batches())
    return pyarrow.RecordBatchReader.from_batches(first.schema, batches())
"""


def tables(quick: bool) -> Iterator[Table]:
    """One table: sizes and strategies."""
    from benchmarks.measure import Table

    sizes = (10_000, 20_000) if quick else (1_000_000, 10_000_000)
    lines = []
    for strategy in ("merge", "append"):
        for rows in sizes:
            took = measure(rows, strategy)
            speed = round(rows / took["wall"])
            lines.append((rows, strategy, took["cpu"], took["wall"], round(took["peak_mb"]), took["table_mb"], speed))
    yield Table(
        "Streaming",
        "A whole run (extract, stage, validate, write, publish) from a RecordBatchReader into an empty table, with "
        'default settings: `memory_limit = "2GB"`, of which a write takes a fifth before it spills.',
        ("rows", "strategy", "CPU s", "wall s", "peak MB", "MB in the table", "rows/s"),
        lines,
    )


def measure(rows: int, strategy: str) -> dict[str, float]:
    """Load so many rows in a process of its own; return what it took."""
    with tempfile.TemporaryDirectory(prefix="phlo-stream-") as folder:
        root = Path(folder)
        (root / "workflows").mkdir()
        (root / "pyproject.toml").write_text('[project]\nname = "stream"\n[tool.phlo]\n')
        (root / "workflows" / "readings.py").write_text(textwrap.dedent(WORKFLOW))
        began = time.monotonic()
        command = [sys.executable, __file__, "--child", str(root), str(rows), strategy]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        warehouse = root / ".phlo" / "state" / "warehouse"
        size = sum(file.stat().st_size for file in warehouse.rglob("*.parquet"))
        return found | {"wall": time.monotonic() - began, "table_mb": size / 1e6}


def child(root: str, rows: str, strategy: str) -> None:
    import datetime as dt
    import os

    os.environ |= {"STREAM_ROWS": rows, "STREAM_STRATEGY": strategy}
    from phlo.declarations import SilentReporter
    from phlo.pipeline import execute
    from phlo.plan import make_plan
    from phlo.profiles import open_lake

    lake = open_lake(root)
    run = execute(lake, make_plan(lake, ["readings"], [dt.date(2024, 1, 20)]), SilentReporter())
    used = resource.getrusage(resource.RUSAGE_SELF)
    (load,) = run.loads
    assert load.rows_read == int(rows), load
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    child(*sys.argv[2:])
