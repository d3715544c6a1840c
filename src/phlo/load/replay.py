"""Gives rejected rows another chance once their schema is mended: what passes now goes into its table.

Each row keeps the time it arrived at. A row whose key the table has from a later load, or from its own, is not
brought back: what came later, or was good at once, stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phlo.declarations import SYSTEM_COLUMNS
from phlo.load.spool import Spool
from phlo.load.validate import Judge, check_keys, good_schema, rejected_schema, stamp_of
from phlo.load.write import load_id, schema_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter
    from phlo.protocols import Catalog, Engine
    from phlo.schemas.model import TableSchema

PARTITION, LOAD_ID, LOADED_AT = SYSTEM_COLUMNS


@dataclass(frozen=True)
class Replayed:
    """What came of a table's rejected rows."""

    table: str
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    superseded: int = 0
    """Rows that pass, but whose key a later load, or their own, has brought already."""
    rejected: int = 0
    """Rows that still do not pass."""


@dataclass(frozen=True)
class Replay:
    """The rejected rows of one table on a ref, and where to bring them."""

    ingestion: Ingestion
    engine: Engine
    catalog: Catalog
    ref: str
    run_id: str
    folder: Path
    """Where rows wait that memory does not hold."""

    def __call__(self, reporter: Reporter, partition: dt.date | None = None) -> Replayed:
        """Judge the rejected rows (of one partition) again and write what came of them onto the ref."""
        if self.ingestion.rejected_table not in self.catalog.pin(self.ref).tables:
            return Replayed(self.ingestion.table)
        schema = schema_of(self.ingestion, (), self.catalog, self.ref)
        check_keys(self.ingestion, schema)
        self.folder.mkdir(parents=True, exist_ok=True)
        partitioned = self.ingestion.partitioned
        with (
            Spool(good_schema(schema, partitioned=partitioned), self.folder) as good,
            Spool(rejected_schema(partitioned=partitioned), self.folder) as rejected,
        ):
            rows = self._judge(schema, good, rejected, reporter, partition)
            if not good.rows:  # all that would change is the words of the reasons
                return Replayed(self.ingestion.table, rows, rejected=rows)
            days = [partition] if partition is not None else []
            left = rejected.contents()
            self.engine.write(self.ingestion.rejected_table, left, self.ref, mode="replace", partitions=days)
            return self._write(good, rows, rejected.rows)

    def _judge(
        self, schema: TableSchema, good: Spool, rejected: Spool, reporter: Reporter, partition: dt.date | None
    ) -> int:
        """Sort the rows of each load, the earliest first; return how many they are."""
        keys = tuple(key for key in self.ingestion.unique_key if key != PARTITION)
        merging = self.ingestion.merge_strategy == "merge"
        rows = 0
        for day, loaded, at, texts in self._loads(partition):
            judge = Judge(schema, keys, reporter, merging=merging)
            kept = stamp_of(day if self.ingestion.partitioned else None, loaded, at)
            new = kept | stamp_of(None, load_id(self.run_id, self.ingestion.table, day), at)
            judge.take(texts, good, rejected, new, kept)
            rows += len(texts)
        return rows

    def _loads(self, partition: dt.date | None) -> Iterator[tuple[dt.date | None, str, dt.datetime, list[str]]]:
        """The rejected rows by the load that brought them."""
        pin = self.catalog.pin(self.ref)
        name = _quoted(self.ingestion.rejected_table)
        dated = PARTITION in self.catalog.load(self.ingestion.rejected_table, self.ref).schema().column_names
        day = PARTITION if dated else "CAST(NULL AS DATE)"
        which = f"WHERE {day} = DATE '{partition.isoformat()}'" if partition is not None else ""
        loads = f"SELECT DISTINCT {day} AS d, {LOAD_ID} AS l, {LOADED_AT} AS t FROM {name} {which} ORDER BY 3, 1, 2"
        for each in self.engine.query(loads, pin).to_pylist():
            found = f"SELECT \"row\" AS r FROM {name} WHERE {LOAD_ID} = '{each['l']}'"
            yield each["d"], each["l"], each["t"], self.engine.query(found, pin)["r"].to_pylist()

    def _write(self, good: Spool, rows: int, rejected: int) -> Replayed:
        table = self.ingestion.table
        if self.ingestion.merge_strategy != "merge":
            written = self.engine.write(table, good.contents(), self.ref, mode="insert")
            return Replayed(table, rows, inserted=written.inserted, rejected=rejected)
        fresh = self._not_superseded(good)
        written = self.engine.write(
            table,
            fresh,
            self.ref,
            mode="merge",
            keys=self.ingestion.unique_key,
            deduplication=self.ingestion.deduplication,
        )
        brought = written.inserted + written.updated
        return Replayed(table, rows, written.inserted, written.updated, rows - rejected - brought, rejected)

    def _not_superseded(self, good: Spool) -> pa.Table:
        """Leave out rows whose key is stored by a load that is not earlier."""
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = list(self.ingestion.unique_key)
        rows = good.contents().read_all()
        pin = self.catalog.pin(self.ref)
        if self.ingestion.table not in pin.tables:
            return rows
        stored = self.engine.read(self.ingestion.table, pin, columns=[*keys, LOADED_AT])
        stored = stored.rename_columns([*keys, "stored_at"])
        numbered = rows.append_column("phlo_row", pa.array(range(rows.num_rows), pa.int64()))
        joined = numbered.select([*keys, LOADED_AT, "phlo_row"]).join(stored, keys, join_type="inner")
        later = joined.filter(pc.greater_equal(joined["stored_at"], joined[LOADED_AT]))
        return rows.filter(pc.invert(pc.is_in(numbered["phlo_row"], later["phlo_row"].combine_chunks())))


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def told(replayed: Replayed) -> list[str]:
    """Say what came of the rows.

    >>> told(Replayed("raw.readings", 5, inserted=2, updated=1, superseded=1, rejected=1))
    ['3 of 5 rejected rows of raw.readings were accepted: 2 new, 1 updated.',
     '1 was left out, for a row with its key had come already.', '1 is still rejected.']
    """
    accepted = replayed.inserted + replayed.updated
    said = [
        f"{accepted:,} of {replayed.rows:,} rejected {_rows(replayed.rows)} of {replayed.table} "
        f"{_were(accepted)} accepted: {replayed.inserted:,} new, {replayed.updated:,} updated."
    ]
    if replayed.superseded:
        left = replayed.superseded
        said.append(f"{left:,} {_were(left)} left out, for a row with its key had come already.")
    if replayed.rejected:
        said.append(f"{replayed.rejected:,} {'is' if replayed.rejected == 1 else 'are'} still rejected.")
    return said


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
