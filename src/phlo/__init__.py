"""Phlo: a lakehouse platform as code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from phlo.ingestion import phlo_ingestion as ingestion
from phlo.quality import phlo_quality as quality

if TYPE_CHECKING:
    import pyarrow as pa

# Pandera sets this to 1 when it is imported (for pyspark's sake), and from then on Arrow stores 12:00+02:00 as
# 12:00 UTC, without a word. Pandera leaves alone what is set, and Arrow takes the empty text for no.
if "PYARROW_IGNORE_TIMEZONE" not in os.environ or "pandera" in sys.modules:
    os.environ["PYARROW_IGNORE_TIMEZONE"] = ""

__version__ = "1.0.0"

__all__ = ["__version__", "ingestion", "quality", "query"]


def query(sql: str, ref: str | None = None, as_of: str | None = None) -> pa.Table:
    """Query the project of the working folder in its dialect, read-only, and return an Arrow table.

    ``ref`` names a branch (default main), ``as_of`` an ISO 8601 time (naive: UTC): the last publish at or before it.
    """
    from phlo.profiles import open_lake

    return open_lake().query(sql, ref=ref, as_of=as_of)
