"""Files in a folder or a bucket: CSV, JSON lines and Parquet, those of a day found by their name."""

from __future__ import annotations

import os

from dlt.sources.filesystem import filesystem, read_csv, read_jsonl, read_parquet

import phlo
from workflows.schemas.shop import Reading

SCHEMA = {"unique_key": ["meter", "at"], "validation_schema": Reading, "group": "meters"}


@phlo.ingestion(**SCHEMA)
def readings_csv(partition_date: str):
    """All of a day's CSV files; meters are text, though theirs look like numbers."""
    return _files(f"{partition_date}*.csv") | read_csv(dtype={"meter": str})


@phlo.ingestion(**SCHEMA)
def readings_jsonl(partition_date: str):
    """All of a day's files with one JSON object a line."""
    return _files(f"{partition_date}*.jsonl") | read_jsonl()


@phlo.ingestion(**SCHEMA)
def readings_parquet(partition_date: str):
    """All of a day's Parquet files; they stay Arrow, so that a large file takes little memory."""
    return _files(f"{partition_date}*.parquet") | read_parquet(use_pyarrow=True, chunksize=50_000)


def _files(pattern: str):
    return filesystem(bucket_url=os.environ["METERS_URL"], file_glob=pattern)
