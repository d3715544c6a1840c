"""How large tables are, as their metadata says, and as it can not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from tests.iceberg.deleting import delete_values

from phlo.iceberg.catalog import SqlRefCatalog
from phlo.metrics.tables import Size, size_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_size_counts_the_rows_that_are_left(tmp_path: Path) -> None:
    catalog = SqlRefCatalog(f"sqlite:///{tmp_path}/catalog.db", tmp_path / "warehouse")
    catalog.create_ref("r")
    table = catalog.create_table("raw.t", pa.schema([("n", pa.int64())]), "r")
    table.append(pa.table({"n": [1, 2, 2]}))
    assert (size_of("raw.t", catalog.pin("r")).rows, size_of("raw.v", catalog.pin("r"))) == (3, Size())
    delete_values(table, [{"n": 2}, {"n": 7}], ["n"])
    found = size_of("raw.t", catalog.pin("r"))
    assert (found.rows, found.files) == (1, 1)
