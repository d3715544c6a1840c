"""Rows of a hundred megabytes: they pass whole, or are refused by a sentence, and nothing else is lost."""

from __future__ import annotations

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
    refused = shop.run("materialize", "readings", "--partition", DAY, code=1, LARGE="200000000")
    assert "delivered a row of 200 MB; the largest that is taken has 134 MB" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert shop.read(lengths) == loaded
