"""Delete files that hold paths of data files, written anew with others: those of positions, and of vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from phlo.errors import NotRelocatable

if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = b"PFA1"
END = 12
"""Bytes of a Puffin file after its footer's JSON: the JSON's length, flags, and the mark."""


def write_moved(path: str, beside: str, move: Callable[[str], str]) -> None:
    """Write a file of positions or vectors beside itself, with the paths in it moved.

    Raises ``NotRelocatable`` for formats that are not known.
    """
    with Path(path).open("rb") as file:
        mark = file.read(4)
    if mark == MAGIC:
        Path(beside).write_bytes(_moved_vectors(path, move))
    elif mark == b"PAR1":
        _write_moved_positions(path, beside, move)
    else:
        raise NotRelocatable(detail=f"`{path}` is a file of deletes in a format that is not known")


def _write_moved_positions(path: str, beside: str, move: Callable[[str], str]) -> None:
    rows = pq.ParquetFile(path).read()
    place = rows.schema.get_field_index("file_path")
    paths = rows.column(place).combine_chunks().dictionary_encode()
    moved = pa.array([move(each) for each in paths.dictionary.to_pylist()], pa.string())
    column = pa.DictionaryArray.from_arrays(paths.indices, moved).cast(pa.string())
    field = rows.schema.field(place).with_type(pa.string())
    pq.write_table(rows.set_column(place, field, column), beside, compression="zstd")


def _moved_vectors(path: str, move: Callable[[str], str]) -> bytes:
    """Move the paths in the footer; the vectors before it stay where they are."""
    content = Path(path).read_bytes()
    end = len(content) - END
    size, flags = int.from_bytes(content[end : end + 4], "little"), content[end + 4 : end + 8]
    if flags[0]:
        raise NotRelocatable(detail=f"`{path}` has a compressed footer")
    footer: dict[str, Any] = json.loads(content[end - size : end])
    for blob in footer["blobs"]:
        if (about := blob.get("properties", {}).get("referenced-data-file")) is not None:
            blob["properties"]["referenced-data-file"] = move(about)
    text = json.dumps(footer, ensure_ascii=False).encode()
    return content[: end - size] + text + len(text).to_bytes(4, "little") + flags + MAGIC
