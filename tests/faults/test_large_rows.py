"""Rows of a hundred megabytes: they pass whole, or are refused by a sentence, and nothing else is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Shop

DAY = "2024-01-20"
WORKFLOW = """
import os
import phlo

@phlo.ingestion(unique_key="id")
def readings(partition_date: str):
    size = int(os.environ["LARGE"])
    yield {"id": 1, "text": "small"}
    yield {"id": 2, "text": "x" * size}
    yield {"id": 3, "text": "small"}
"""


@pytest.mark.slow
def test_a_row_of_120_megabytes_is_loaded_whole_and_a_larger_one_is_refused(shop: Shop) -> None:
    (shop.root / "workflows/ingestion/shop.py").write_text(WORKFLOW)
    shop.run("materialize", "readings", "--partition", DAY, LARGE="120000000")
    lengths = "SELECT id, length(text) AS n, regexp_like(text, '^x+$') AS whole FROM raw.readings ORDER BY id"
    loaded = [
        {"id": 1, "n": 5, "whole": False},
        {"id": 2, "n": 120_000_000, "whole": True},
        {"id": 3, "n": 5, "whole": False},
    ]
    assert shop.read(lengths) == loaded
    for size, said in (("200000000", "200 MB"), ("1000000000", "1,000 MB")):
        refused = shop.run("materialize", "readings", "--partition", DAY, code=1, LARGE=size)
        assert f"delivered a row of {said}; the largest that is taken has 134 MB" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert shop.read(lengths) == loaded


@pytest.mark.slow
def test_a_row_of_a_gigabyte_is_refused_before_it_is_in_memory_twice(shop: Shop) -> None:
    (shop.root / "workflows/ingestion/shop.py").write_text(WORKFLOW)
    code = "import resource, runpy, sys; sys.argv[0] = 'phlo'\ntry: runpy.run_module('phlo', run_name='__main__')\n"
    code += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run(
        [sys.executable, "-c", code, "materialize", "readings", "--partition", DAY],
        cwd=shop.root, env={**os.environ, "LARGE": "1000000000"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "error[unusable-rows]" in done.stderr
    assert int(done.stdout.split()[-1]) * 1024 < 1.6e9  # the row itself, and what Phlo is without it
