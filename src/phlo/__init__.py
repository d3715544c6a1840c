"""Phlo: a lakehouse platform as code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phlo.ingestion import phlo_ingestion as ingestion
from phlo.quality import phlo_quality as quality

if TYPE_CHECKING:
    import pyarrow as pa

__version__ = "1.0.0"

__all__ = ["__version__", "ingestion", "quality", "query"]


def query(sql: str, ref: str | None = None, as_of: str | None = None) -> pa.Table:
    """Query the project of the working folder in its dialect, read-only, and return an Arrow table.

    ``ref`` names a branch (default main), ``as_of`` an ISO 8601 time (naive: UTC): the last publish at or before it.
    """
    from phlo.profiles import open_lake

    return open_lake().query(sql, ref=ref, as_of=as_of)
