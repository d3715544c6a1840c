"""Tables as Phlo and others keep them: each is made of a Parquet file, and merged into or appended to.

A maker gets a folder with ``source.parquet``; an opener returns what does the work on a batch and says how many rows
it updated and inserted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.readings import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    Work = Callable[[pa.Table], tuple[int, int]]


@dataclass(frozen=True)
class Peer:
    """One way to keep a table."""

    label: str
    make: Callable[[str], None]
    merge: Callable[[str], Work]
    append: Callable[[str], Work]


def lake(folder: str) -> Any:
    from phlo.iceberg.catalog import SqlRefCatalog

    return SqlRefCatalog(f"sqlite:///{folder}/catalog.db", Path(folder, "warehouse"))


def make_phlo(folder: str, partition_by: str | None = None) -> None:
    from phlo.iceberg.merge import append

    table, source = _iceberg(folder, partition_by)
    append(table, _reader(source))


def make_pyiceberg(folder: str) -> None:
    """As PyIceberg writes it: in one file."""
    table, source = _iceberg(folder, None)
    table.append(source.read())


def _iceberg(folder: str, partition_by: str | None) -> tuple[Any, Any]:
    import pyarrow.parquet as pq

    catalog, source = lake(folder), pq.ParquetFile(Path(folder, "source.parquet"))
    catalog.create_ref("bench")
    table = catalog.create_table(TABLE, source.schema_arrow, "bench", partition_by=partition_by, keys=["_id"])
    return table, source


def phlo_merge(folder: str) -> Work:
    """As a user's process writes: its engine opens a DuckDB with the first write, and has it open for the next."""
    from phlo.config import Settings
    from phlo.engine.duckdb import DuckDBEngine
    from phlo.iceberg.merge import merge

    catalog = lake(folder)
    table, engine = catalog.load(TABLE, "bench"), DuckDBEngine(catalog, Settings(), Path(folder, "spill"))

    def work(batch: pa.Table) -> tuple[int, int]:
        written = merge(table, batch, ["_id"], limits=engine.limits())
        return written.updated, written.inserted

    return work


def phlo_append(folder: str) -> Work:
    from phlo.iceberg.merge import append

    table = lake(folder).load(TABLE, "bench")
    return lambda batch: (0, append(table, batch).inserted)


def upsert(folder: str) -> Work:
    table = lake(folder).load(TABLE, "bench")

    def work(batch: pa.Table) -> tuple[int, int]:
        result = table.upsert(batch, join_cols=["_id"])
        return result.rows_updated, result.rows_inserted

    return work


def pyiceberg_append(folder: str) -> Work:
    table = lake(folder).load(TABLE, "bench")

    def work(batch: pa.Table) -> tuple[int, int]:
        table.append(batch)
        return 0, batch.num_rows

    return work


def make_delta(folder: str, months: bool = False) -> None:
    import pyarrow.parquet as pq
    from deltalake import write_deltalake

    source = pq.ParquetFile(Path(folder, "source.parquet"))
    if months:
        write_deltalake(f"{folder}/delta", _with_month(source.read()), partition_by=["month"])
    else:
        write_deltalake(f"{folder}/delta", _reader(source))


def delta_merge(folder: str, months: bool = False) -> Work:
    from deltalake import DeltaTable

    table = DeltaTable(f"{folder}/delta")

    def work(batch: pa.Table) -> tuple[int, int]:
        rows = _with_month(batch) if months else batch
        merge = table.merge(rows, "t._id = s._id", source_alias="s", target_alias="t")
        result = merge.when_matched_update_all().when_not_matched_insert_all().execute()
        return result["num_target_rows_updated"], result["num_target_rows_inserted"]

    return work


def delta_append(folder: str) -> Work:
    from deltalake import write_deltalake

    def work(batch: pa.Table) -> tuple[int, int]:
        write_deltalake(f"{folder}/delta", batch, mode="append")
        return 0, batch.num_rows

    return work


def make_parquet(folder: str) -> None:
    Path(folder, "0.parquet").write_bytes(Path(folder, "source.parquet").read_bytes())


def rewrite(folder: str) -> Work:
    import duckdb

    def work(batch: pa.Table) -> tuple[int, int]:
        old = max(Path(folder).glob("[0-9].parquet"))
        new = old.with_name(f"{int(old.stem) + 1}.parquet")
        with duckdb.connect() as con:
            con.register("batch", batch)
            (updated,) = con.execute(f"SELECT count(*) FROM '{old}' SEMI JOIN batch USING (_id)").fetchall()[0]
            con.execute(
                f"COPY (FROM '{old}' ANTI JOIN batch USING (_id) UNION ALL FROM batch) TO '{new}' (COMPRESSION zstd)"
            )
        return updated, batch.num_rows - updated

    return work


def add_file(folder: str) -> Work:
    import pyarrow.parquet as pq

    def work(batch: pa.Table) -> tuple[int, int]:
        pq.write_table(batch, Path(folder, f"{len(list(Path(folder).iterdir()))}.parquet"), compression="zstd")
        return 0, batch.num_rows

    return work


def make_ducklake(folder: str) -> None:
    with _ducklake(folder) as con:
        con.execute(f"CREATE TABLE lake.readings AS FROM '{folder}/source.parquet'")


def ducklake_merge(folder: str) -> Work:
    con = _ducklake(folder)

    def work(batch: pa.Table) -> tuple[int, int]:
        con.register("batch", batch)
        (before,) = con.execute("SELECT count(*) FROM lake.readings").fetchall()[0]
        con.execute(
            "MERGE INTO lake.readings t USING batch s ON t._id = s._id "
            "WHEN MATCHED THEN UPDATE WHEN NOT MATCHED THEN INSERT"
        )
        (after,) = con.execute("SELECT count(*) FROM lake.readings").fetchall()[0]
        return batch.num_rows - (after - before), after - before

    return work


def ducklake_append(folder: str) -> Work:
    con = _ducklake(folder)

    def work(batch: pa.Table) -> tuple[int, int]:
        con.register("batch", batch)
        con.execute("INSERT INTO lake.readings FROM batch")
        return 0, batch.num_rows

    return work


def ducklake_python() -> str:
    """An interpreter whose DuckDB has the extension: its wheels follow DuckDB later, so it may be another."""
    return os.environ.get("DUCKLAKE_PYTHON", "")


def _ducklake(folder: str) -> Any:
    import duckdb

    con = duckdb.connect()
    (extension,) = Path(find_spec("duckdb_extension_ducklake").submodule_search_locations[0]).rglob(
        "*.duckdb_extension"
    )
    con.execute(f"LOAD '{extension}'")
    con.execute(f"ATTACH 'ducklake:{folder}/meta.ducklake' AS lake (DATA_PATH '{folder}/lake/')")
    return con


def _reader(source: Any) -> pa.RecordBatchReader:
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(source.schema_arrow, source.iter_batches(100_000))


def _with_month(rows: pa.Table) -> pa.Table:
    import pyarrow.compute as pc

    return rows.append_column("month", pc.strftime(rows["partition_date"], "%Y-%m"))


MONTHS = "month(partition_date)"
PEERS = {
    "phlo-months": Peer("Phlo, months", lambda folder: make_phlo(folder, MONTHS), phlo_merge, phlo_append),
    "phlo": Peer("Phlo, unpartitioned", make_phlo, phlo_merge, phlo_append),
    "upsert": Peer("PyIceberg, unpartitioned", make_pyiceberg, upsert, pyiceberg_append),
    "delta-months": Peer(
        "delta-rs, months",
        lambda folder: make_delta(folder, True),
        lambda folder: delta_merge(folder, True),
        delta_append,
    ),
    "delta": Peer("delta-rs, unpartitioned", make_delta, delta_merge, delta_append),
    "ducklake": Peer("DuckLake", make_ducklake, ducklake_merge, ducklake_append),
    "parquet": Peer("Parquet files, by DuckDB", make_parquet, rewrite, add_file),
}
