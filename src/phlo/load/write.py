"""Brings staged loads into their tables on a ref: good rows to ``raw``, the others to ``rejected``.

Loads are applied in ascending partition order, several in one snapshot, and recorded on the ref's ledger last: a run
that is resumed skips what is recorded and repeats what is not, to the same result.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from phlo.declarations import SYSTEM_COLUMNS, SilentReporter
from phlo.errors import PartitioningChanged, TooManyRejected, nearest_names
from phlo.load.counts import Counts, Wrote, count, stored
from phlo.load.infer import infer_schema
from phlo.load.spool import Spool
from phlo.load.validate import Validated, good_schema, rejected_schema, validate
from phlo.protocols import Load
from phlo.redaction import printable
from phlo.schemas.model import read_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter
    from phlo.load.stage import Rows
    from phlo.protocols import Catalog, Engine, Pin, WriteMode, Written
    from phlo.schemas.model import TableSchema

FEW = 20
"""Below so many rows a share says little: ``max_rejected`` counts from here on, but for none at all."""


@dataclass(frozen=True)
class Loaded(Load):
    """A load as the ledger has it, and what else a summary says of it."""

    corrections_rejected: int = 0
    """Rejected rows whose key is in the table: the old row stays there."""
    extra_fields: dict[str, int] = field(default_factory=dict)
    """Fields of the source that the schema does not have, and in how many rows they were."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Rejected rows by what is wrong with them."""
    absent: tuple[str, ...] = ()
    """Nullable columns that no row had a field for."""


def load_id(run_id: str, table: str, partition: dt.date | None) -> str:
    """Name a load: the same for the same run, table and partition.

    >>> load_id("20240120-143022-3fa9", "raw.glucose_entries", dt.date(2024, 1, 20))
    '73928f475bb9bdb5c902'
    """
    text = f"{run_id}\n{table}\n{partition or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def write_loads(
    ingestion: Ingestion,
    staged: Sequence[Rows],
    engine: Engine,
    catalog: Catalog,
    ref: str,
    reporter: Reporter | None = None,
) -> list[Loaded]:
    """Validate staged partitions of one ingestion and write them on a ref.

    Raises ``TooManyRejected`` when a load has more rejected rows than the ingestion allows, once those are in
    ``rejected.<table>`` on the ref; ``SchemaError``, ``UnknownKey``, ``SchemaMismatch`` and ``PartitioningChanged``
    before anything is written.
    """
    reporter = reporter or SilentReporter()
    _refuse_other_partitioning(ingestion, catalog, ref)
    recorded = {load.load_id: load for load in catalog.loads(ref)}
    done = [_again(recorded[each.load_id]) for each in staged if each.load_id in recorded]
    todo = sorted(
        (each for each in staged if each.load_id not in recorded), key=lambda each: each.partition or dt.date.min
    )
    if not todo:
        return done
    schema = schema_of(ingestion, todo, catalog, ref)
    _refuse_other_columns(ingestion, schema, catalog, ref)
    lake = _Lake(engine, catalog, ref)
    new = [load for group in _snapshots(ingestion, todo) for load in _write(ingestion, group, schema, lake, reporter)]
    _warn_of_absent(ingestion, new, reporter)
    _warn_of_one_row_a_day(ingestion, new, reporter)
    return sorted([*done, *new], key=lambda load: load.partition or "")


def schema_of(ingestion: Ingestion, staged: Sequence[Rows], catalog: Catalog, ref: str) -> TableSchema:
    """The columns to validate by: the model's, or what the rows and the table have."""
    if ingestion.validation_schema is not None:
        return read_model(ingestion.validation_schema)
    exists = ingestion.table in catalog.pin(ref).tables
    known = catalog.load(ingestion.table, ref).schema().as_arrow() if exists else None
    return infer_schema(ingestion, staged, known)


def summarize(loads: Iterable[Loaded]) -> list[Loaded]:
    """Add loads up by table, in the order the tables come."""
    totals: dict[str, Loaded] = {}
    for load in loads:
        total = totals.get(load.table)
        totals[load.table] = replace(load, partition=None, load_id="") if total is None else _sum(total, load)
    return list(totals.values())


def remarks(loads: Iterable[Loaded]) -> list[str]:
    """Say what a table of counts does not: why rows were rejected, what that left as it was, what was left out.

    >>> remarks([Loaded("raw.readings", "2024-01-20", "x", rows_read=9, rows_rejected=2, corrections_rejected=1,
    ...                 reasons={"`sgv` is null": 2}, extra_fields={"noise": 9})])
    ['Rejected from raw.readings: `sgv` is null (2).',
     '1 of them would have corrected a row of raw.readings, which stays as it was.',
     'Left out of raw.readings, for its schema does not name them: noise (9).']
    >>> remarks([Loaded("raw.readings", "2024-01-20", "x"), Loaded("raw.readings", "2024-01-21", "y", rows_read=5)])
    ['The source of raw.readings had no rows for 2024-01-20.']
    """
    known = list(loads)
    said = []
    for total in summarize(known):
        empty = [load.partition for load in known if load.table == total.table and not load.rows_read]
        if empty:
            said.append(f"The source of {total.table} had no rows{_for(empty)}.")
        if total.reasons:
            said.append(f"Rejected from {total.table}: {_most(total.reasons)}.")
        if total.corrections_rejected:
            rows = f"{total.corrections_rejected:,} of them would have corrected a row of {total.table}"
            said.append(f"{rows}, which stays as it was.")
        if total.extra_fields:
            said.append(f"Left out of {total.table}, for its schema does not name them: {_most(total.extra_fields)}.")
    return said


def _for(days: Sequence[str | None]) -> str:
    """Say of which days, where there are days."""
    if days[0] is None:
        return ""
    return f" for {days[0]}" if len(days) == 1 else f" for {len(days)} days from {days[0]} to {days[-1]}"


def _most(counted: dict[str, int], shown: int = 5) -> str:
    """List the most frequent of some things with their counts."""
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{printable(name)} ({count:,})" for name, count in ordered[:shown]]
    return ", ".join([*listed, f"and {len(ordered) - shown} more"] if len(ordered) > shown else listed)


def _write(
    ingestion: Ingestion, staged: Sequence[Rows], schema: TableSchema, lake: _Lake, reporter: Reporter
) -> list[Loaded]:
    """Apply some loads in one snapshot."""
    folder = staged[0].folder.parent
    with (
        Spool(good_schema(schema, partitioned=ingestion.partitioned), folder) as good,
        Spool(rejected_schema(partitioned=ingestion.partitioned), folder) as rejected,
    ):
        found = validate(staged, schema, ingestion, good, rejected, reporter)
        before = lake.catalog.pin(lake.ref)
        if rejected.rows or ingestion.rejected_table in before.tables:
            lake.put(ingestion.rejected_table, rejected, staged, mode="replace")
        _refuse_too_many(ingestion, staged, found, lake.ref)
        loads = _apply(ingestion, staged, found, good, before, lake)
    names = [each.name for each in fields(Load)]
    lake.catalog.record_load(lake.ref, *(Load(**{name: getattr(load, name) for name in names}) for load in loads))
    return loads


def _apply(
    ingestion: Ingestion,
    staged: Sequence[Rows],
    found: Sequence[Validated],
    good: Spool,
    before: Pin,
    lake: _Lake,
) -> list[Loaded]:
    """Write the good rows, and count what came of them."""
    merging = ingestion.merge_strategy == "merge"
    counts = [Counts() for _ in staged]
    if set(good.schema.names) - set(SYSTEM_COLUMNS):  # else neither a schema nor any row says what the columns are
        keys = ingestion.unique_key if merging else ()
        deduplication = ingestion.deduplication
        written = lake.put(
            ingestion.table, good, staged, mode=ingestion.merge_strategy, keys=keys, deduplication=deduplication
        )
        ids, rows = [each.load_id for each in staged], [what.good for what in found]
        counts = count(Wrote(ingestion, lake.engine, lake.catalog, lake.ref, before, ids, rows, good, written))
    corrections = _corrections(ingestion, staged, found, lake)
    return [_loaded(ingestion, *each) for each in zip(staged, found, counts, corrections, strict=True)]


def _loaded(ingestion: Ingestion, staged: Rows, found: Validated, counts: Counts, corrections: int) -> Loaded:
    return Loaded(
        table=ingestion.table,
        partition=str(staged.partition) if staged.partition else None,
        load_id=staged.load_id,
        rows_read=found.read,
        rows_written=counts.inserted,
        rows_updated=counts.updated,
        rows_unchanged=counts.unchanged,
        rows_rejected=found.rejected,
        corrections_rejected=corrections,
        extra_fields=dict(sorted(found.extra_fields.items())),
        reasons=dict(found.reasons.most_common()),
        absent=tuple(sorted(found.absent)),
    )


def _corrections(ingestion: Ingestion, staged: Sequence[Rows], found: Sequence[Validated], lake: _Lake) -> list[int]:
    """Count each load's rejected rows whose key the table has."""
    if ingestion.merge_strategy != "merge":
        return [0] * len(staged)
    keys = [_rejected_keys(ingestion, each, what) for each, what in zip(staged, found, strict=True)]
    return stored(keys, ingestion.table, lake.engine, lake.catalog.pin(lake.ref))


def _rejected_keys(ingestion: Ingestion, staged: Rows, found: Validated) -> pa.Table:
    import pyarrow as pa

    if not found.rejected_keys:
        return pa.table({})
    keys = pa.concat_tables(found.rejected_keys)
    if SYSTEM_COLUMNS[0] in ingestion.unique_key:
        day = pa.scalar(staged.partition, pa.date32())
        keys = keys.append_column(SYSTEM_COLUMNS[0], pa.repeat(day, keys.num_rows))
    return keys


@dataclass(frozen=True)
class _Lake:
    """Where to write."""

    engine: Engine
    catalog: Catalog
    ref: str

    def put(
        self,
        name: str,
        rows: Spool,
        staged: Sequence[Rows],
        *,
        mode: WriteMode,
        keys: Sequence[str] = (),
        deduplication: str = "last",
    ) -> Written:
        """Write rows to a table on the ref."""
        days = [each.partition for each in staged if each.partition is not None]
        return self.engine.write(
            name, rows.contents(), self.ref, mode=mode, keys=keys, partitions=days, deduplication=deduplication
        )


def _snapshots(ingestion: Ingestion, staged: Sequence[Rows]) -> list[Sequence[Rows]]:
    """Which loads may share a snapshot: all, but where the first of equal keys counts it is the first of each load."""
    if ingestion.merge_strategy == "merge" and ingestion.deduplication == "first":
        return [[each] for each in staged]
    return [staged]


def _refuse_other_partitioning(ingestion: Ingestion, catalog: Catalog, ref: str) -> None:
    """Refuse rows that could not be told from the earlier ones they are meant to replace.

    Merged rows are told apart by their key, and a replaced table without partitions is replaced as a whole.
    """
    if ingestion.merge_strategy == "merge" or ingestion.table not in catalog.pin(ref).tables:
        return
    dated = SYSTEM_COLUMNS[0] in catalog.load(ingestion.table, ref).schema().column_names
    if dated == ingestion.partitioned or (dated and ingestion.merge_strategy == "replace"):
        return
    by_day, whole = "by day", "as a whole"
    raise PartitioningChanged(
        table=ingestion.table,
        function=ingestion.source.function,
        before=by_day if dated else whole,
        now=whole if dated else by_day,
        fix="let it take partition_date: str again" if dated else "let it take no partition_date",
    )


def _refuse_other_columns(ingestion: Ingestion, schema: TableSchema, catalog: Catalog, ref: str) -> None:
    """Raise ``SchemaMismatch`` where the table has no room for such rows: before they are judged, and rejected."""
    from phlo.iceberg.tables import changes

    if ingestion.table in catalog.pin(ref).tables:
        changes(catalog.load(ingestion.table, ref), good_schema(schema, partitioned=ingestion.partitioned))


def _refuse_too_many(ingestion: Ingestion, staged: Sequence[Rows], found: Sequence[Validated], ref: str) -> None:
    over = [
        (each, what)
        for each, what in zip(staged, found, strict=True)
        if (what.rejected and (ingestion.on_invalid == "fail" or not ingestion.max_rejected))
        or (what.read >= FEW and what.rejected > ingestion.max_rejected * what.read)
    ]
    if over:
        reasons = sum((what.reasons for _, what in over), Counter[str]())
        unknown = sum((what.extra_fields for _, what in over), Counter[str]())
        unnamed = f". The schema does not name {_most(unknown, 3)}" if unknown else ""
        raise TooManyRejected(
            table=ingestion.table_name,
            rejected=sum(what.rejected for _, what in over),
            read=sum(what.read for _, what in over),
            loads=", ".join(str(each.partition or "all") for each, _ in over),
            reasons=_most(reasons, 3) + unnamed,
            ref=ref,
        )


def _warn_of_absent(ingestion: Ingestion, loads: Sequence[Loaded], reporter: Reporter) -> None:
    """Name the nullable columns that no row of a load had a field for: what is misspelt is NULL everywhere, too."""
    filled = [load for load in loads if load.rows_read]
    absent = Counter(name for load in filled for name in load.absent)
    if not absent or ingestion.validation_schema is None:
        return
    unknown = {name for load in filled for name in load.extra_fields}
    told = []
    for name, times in absent.items():
        some = "" if times == len(filled) else f" ({times} of {len(filled)} loads)"
        meant = " or ".join(f"`{each}`" for each in nearest_names(name, unknown))
        told.append(f"`{name}`{some}{f', did you mean {meant}?' if meant else ''}")
    reporter.warn(f"NULL in {ingestion.table}, for no row of its source has the field: {'; '.join(told)}")


def _warn_of_one_row_a_day(ingestion: Ingestion, loads: Sequence[Loaded], reporter: Reporter) -> None:
    """Name a key that is the day alone where a day had several rows: right for a day's figures, else a slip."""
    if ingestion.unique_key == SYSTEM_COLUMNS[:1] and any(load.rows_repeated for load in loads):
        reporter.warn(f"{ingestion.table} keeps one row of each day, for its unique key is `{SYSTEM_COLUMNS[0]}` alone")


def _again(load: Load) -> Loaded:
    """A load that the ref has already."""
    return Loaded(**{each.name: getattr(load, each.name) for each in fields(Load)})


def _sum(total: Loaded, load: Loaded) -> Loaded:
    counts = [each.name for each in fields(Load) if each.name.startswith("rows_")] + ["corrections_rejected"]
    added: dict[str, Any] = {name: getattr(total, name) + getattr(load, name) for name in counts}
    return replace(
        total,
        **added,
        extra_fields=dict(Counter(total.extra_fields) + Counter(load.extra_fields)),
        reasons=dict(Counter(total.reasons) + Counter(load.reasons)),
    )
