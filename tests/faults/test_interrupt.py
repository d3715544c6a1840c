"""Ctrl-C and a polite kill: nothing is published, the ref is kept and says why, and no process is left."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

SLOW = """
import time
from pathlib import Path

import phlo

HERE = Path(__file__).resolve().parents[1] / "source"


@phlo.ingestion(unique_key="id")
def slow(partition_date: str):
    for n in range(600):
        yield {"id": n}
        (HERE / "began").touch()
        time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_run_that_is_stopped_publishes_nothing_and_ends_at_once(shop: Shop, sent: signal.Signals, code: int) -> None:
    (shop.root / "workflows" / "slow.py").write_text(SLOW)
    process = shop.start("materialize", "slow", "--partition", "2024-01-20")
    wait_for(shop, "began")
    process.send_signal(sent)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    assert "nothing was published" in err
    assert "Traceback" not in err
    assert shop.call("history", "--json").records == []
    (ref,) = shop.call("ref", "list", "--json").records
    assert ref["state"] == "failed"
    assert "stopped" in ref["reason"]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def wait_for(shop: Shop, name: str) -> None:
    ends = time.monotonic() + 30
    while not (shop.root / "source" / name).exists():
        assert time.monotonic() < ends, "the run did not begin"
        time.sleep(0.05)
