"""Gives rejected rows another chance once their schema is mended: what passes now goes into its table.

Each row keeps the time it arrived at. A row whose key the table has from a later load, or from its own, is not
brought back: what came later, or was good at once, stands.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from phlo.declarations import SYSTEM_COLUMNS
from phlo.errors import PartitioningChanged
from phlo.load.spool import Spool
from phlo.load.validate import Judge, check_keys, good_schema, rejected_schema, stamp_of
from phlo.load.write import load_id, schema_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter
    from phlo.protocols import Catalog, Engine, Pin
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
    """Rows that pass, but for which another row of their key stands: it came later, or was good at once."""
    doubtful: int = 0
    """Rows that pass, but whose key a later load may have brought again as it was: they stay rejected."""
    rejected: int = 0
    """Rows that still do not pass."""


@dataclass(frozen=True)
class Rejects:
    """The rejected rows of one load."""

    day: dt.date | None
    load_id: str
    at: dt.datetime
    rows: pa.Table
    """As they are in the table of rejected rows."""


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
            found, before = Replayed(self.ingestion.table), self.catalog.pin(self.ref)
            for load in self._loads(partition):
                found = _sum(found, self._judge(load, schema, good, rejected, before, reporter))
            found = _sum(found, self._write(good.contents(), good.rows) if good.rows else Replayed(found.table))
            if found.inserted or found.updated or found.superseded:  # else just the words of the reasons would change
                days = [partition] if partition is not None else []
                left = rejected.contents()
                self.engine.write(self.ingestion.rejected_table, left, self.ref, mode="replace", partitions=days)
            return found

    def _judge(
        self,
        load: Rejects,
        schema: TableSchema,
        good: Spool,
        rejected: Spool,
        before: Pin,
        reporter: Reporter,
    ) -> Replayed:
        """Sort a load's rows; where the first of equal keys counts it is the first of each load, written at once."""
        import pyarrow as pa

        keys = tuple(key for key in self.ingestion.unique_key if key != PARTITION)
        kept = stamp_of(load.day if self.ingestion.partitioned else None, load.load_id, load.at)
        new = kept | stamp_of(None, load_id(self.run_id, self.ingestion.table, load.day), load.at)
        with Spool(good.schema) as passed:
            judge = Judge(schema, keys, reporter, merging=self.ingestion.merge_strategy == "merge")
            bad = judge.take(load.rows["row"].to_pylist(), passed, rejected, new, kept)
            rows = passed.contents().read_all()
        found = Replayed(self.ingestion.table, rows=load.rows.num_rows, rejected=len(bad))
        stored = self._stored(rows, before)
        if stored is not None and stored.num_rows:
            fresh, doubtful, superseded = self._sort_out(rows, load, stored)
            sound = sorted({*range(load.rows.num_rows)} - {*bad})
            stay = load.rows.take(pa.array([sound[number] for number in doubtful], pa.int64()))
            rejected.append(stay.select(rejected.schema.names).cast(rejected.schema))
            found = replace(found, doubtful=len(doubtful), superseded=superseded)
            rows = rows.take(pa.array(fresh, pa.int64()))
        if self.ingestion.merge_strategy == "merge" and self.ingestion.deduplication == "first":
            return _sum(found, self._write(rows, rows.num_rows)) if rows.num_rows else found
        good.append(rows)
        return found

    def _sort_out(self, rows: pa.Table, load: Rejects, stored: pa.Table) -> tuple[list[int], list[int], int]:
        """Tell rows to write from those whose key may have come again since, and count those whose key has.

        A row that a load brought again as it was keeps the time of its first load: there only the ledger knows that
        something was unchanged.
        """
        import pyarrow as pa

        keys = list(self.ingestion.unique_key)
        typed = rows.select(keys).cast(stored.select(keys).schema)  # a column may have widened since
        numbered = typed.append_column("number", pa.array(range(rows.num_rows), pa.int64()))
        joined = numbered.join(stored, keys, join_type="inner")
        times = dict(zip(joined["number"].to_pylist(), joined[LOADED_AT].to_pylist(), strict=True))
        older = {number for number, at in times.items() if at < load.at}
        doubtful = sorted(older) if self._may_have_come_again(load) else []
        left_out = {*times} - older | {*doubtful}
        fresh = [number for number in range(rows.num_rows) if number not in left_out]
        return fresh, doubtful, len(times) - len(older)

    def _stored(self, rows: pa.Table, before: Pin) -> pa.Table | None:
        """Of keys of rows those that the table had, and when each came; None where no key tells rows apart."""
        if self.ingestion.merge_strategy != "merge" or self.ingestion.table not in before.tables or not rows.num_rows:
            return None
        keys = list(self.ingestion.unique_key)
        return self.engine.read(
            self.ingestion.table, before, columns=[*keys, LOADED_AT], matching=rows.select(keys).combine_chunks()
        )

    def _may_have_come_again(self, load: Rejects) -> bool:
        """Whether this load, or one since, left rows as they were: nobody knows which."""
        for publish in self.catalog.publishes():
            mine = [each for each in publish.loads if each.table == self.ingestion.table]
            own = next((each for each in mine if each.load_id == load.load_id), None)
            since = [each for each in mine if own is None or (each.partition or "") >= (own.partition or "")]
            if any(each.rows_unchanged for each in since):
                return True
            if own is not None:
                return False
        return True

    def _loads(self, partition: dt.date | None) -> Iterator[Rejects]:
        """The rejected rows by the load that brought them, the earliest first.

        Raises ``PartitioningChanged`` for rows of no day, where each needs one.
        """
        pin = self.catalog.pin(self.ref)
        name = _quoted(self.ingestion.rejected_table)
        dated = PARTITION in self.catalog.load(self.ingestion.rejected_table, self.ref).schema().column_names
        day = PARTITION if dated else "CAST(NULL AS DATE)"
        which = f"WHERE {day} = DATE '{partition.isoformat()}'" if partition is not None else ""
        loads = f"SELECT DISTINCT {day} AS d, {LOAD_ID} AS l, {LOADED_AT} AS t FROM {name} {which} ORDER BY 3, 1, 2"
        for each in self.engine.query(loads, pin).to_pylist():
            if each["d"] is None and self.ingestion.partitioned:
                function, fix = self.ingestion.source.function, f"load {self.ingestion.table_name} again by day"
                raise PartitioningChanged(
                    table=self.ingestion.rejected_table, function=function, before="as a whole", now="by day", fix=fix
                )
            rows = self.engine.query(f"SELECT * FROM {name} WHERE {LOAD_ID} = '{each['l']}'", pin)
            yield Rejects(each["d"], each["l"], each["t"], rows)

    def _write(self, rows: pa.Table | pa.RecordBatchReader, count: int) -> Replayed:
        """Bring in so many rows; of equal keys the others are superseded."""
        merging = self.ingestion.merge_strategy == "merge"
        written = self.engine.write(
            self.ingestion.table,
            rows,
            self.ref,
            mode="merge" if merging else "insert",
            keys=self.ingestion.unique_key if merging else (),
            deduplication=self.ingestion.deduplication,
        )
        new, known = written.inserted, written.updated
        return Replayed(self.ingestion.table, inserted=new, updated=known, superseded=count - new - known)


def told(replayed: Replayed) -> list[str]:
    """Say what came of the rows.

    >>> told(Replayed("raw.readings", 5, inserted=2, updated=1, superseded=1, rejected=1))
    ['3 of 5 rejected rows of raw.readings were accepted: 2 new, 1 updated.',
     '1 was left out, for another row with its key stands.', '1 is still rejected.']
    """
    accepted = replayed.inserted + replayed.updated
    said = [
        f"{accepted:,} of {replayed.rows:,} rejected {_rows(replayed.rows)} of {replayed.table} "
        f"{_were(accepted)} accepted: {replayed.inserted:,} new, {replayed.updated:,} updated."
    ]
    if replayed.superseded:
        left = replayed.superseded
        said.append(
            f"{left:,} {_were(left)} left out, for another row with {'its' if left == 1 else 'their'} key stands."
        )
    if replayed.doubtful:
        stay = f"{replayed.doubtful:,} {'stays' if replayed.doubtful == 1 else 'stay'} rejected"
        said.append(f"{stay}: later loads may have brought the same key; loading the day again settles it.")
    if replayed.rejected:
        said.append(f"{replayed.rejected:,} {'is' if replayed.rejected == 1 else 'are'} still rejected.")
    return said


def _sum(one: Replayed, other: Replayed) -> Replayed:
    counts = {each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(one)[1:]}
    return Replayed(one.table, **counts)


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
