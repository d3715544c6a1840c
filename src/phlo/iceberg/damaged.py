"""Which file of a table it was that DuckDB could not read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.errors import MissingTableFiles, UnreadableFile
from phlo.iceberg.handles import table_of

if TYPE_CHECKING:
    from phlo.errors import PhloError

UNREAD = re.compile(
    r"(?:No files found that match the pattern|No magic bytes found at end of file|Footer length error in file|File) "
    r"[\"'](?P<file>(?P<folder>/[^\"']+-[0-9a-f]{12})/data/[^\"']+)[\"']"
)
"""How DuckDB says that a file is gone, is no Parquet file, or too short for one; not what it says of writing."""


def damaged(said: str) -> PhloError | None:
    """Name the table and its file if what DuckDB said is about one that is gone or no Parquet file.

    >>> str(damaged("No magic bytes found at end of file '/lake/raw/g-0123456789ab/data/1.parquet'"))
    'The file `/lake/raw/g-0123456789ab/data/1.parquet` of table `raw.g` is missing'
    """
    if (found := UNREAD.search(said)) is None:
        return None
    file, table = found["file"], table_of(found["folder"])
    if not Path(file).exists():
        return MissingTableFiles(name=table, file=file)
    return UnreadableFile(table=table, detail=f"`{file}` is damaged")
