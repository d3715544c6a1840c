"""Times with an offset keep their instant, whatever is imported beside Phlo and in which order."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import datetime as dt
import {first}
import {second}
import pyarrow as pa
noon = dt.datetime(2024, 1, 20, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
print(pa.array([noon], pa.timestamp("us", "UTC"))[0].as_py().isoformat())
"""


@pytest.mark.parametrize(("first", "second"), [("phlo", "pandera"), ("pandera", "phlo"), ("phlo", "pandera.pandas")])
def test_importing_pandera_does_not_shift_times(first: str, second: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYARROW_IGNORE_TIMEZONE"}
    code = ["-W", "ignore", "-c", SCRIPT.format(first=first, second=second)]
    done = subprocess.run([sys.executable, *code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "2024-01-20T10:00:00+00:00"
