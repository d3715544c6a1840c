"""Sorts a load's rows into good ones and rejected ones, each of these with its reasons; no row is lost.

The first pass selects the schema's columns and casts every cell (``cast``); the second runs Pandera's checks on what
is left (``checks``). Rows are taken in batches, so that memory does not grow with the load.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phlo.declarations import SYSTEM_COLUMNS, SilentReporter
from phlo.errors import SchemaError, UnknownKey, nearest
from phlo.load.batch import Batch, check
from phlo.load.cast import cast_array, cast_cells
from phlo.load.cells import kind_of
from phlo.load.checks import row_by_row
from phlo.load.reasons import Reason
from phlo.load.rows import decode_all, encode
from phlo.load.spool import Spool
from phlo.schemas.converter import arrow_schema

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from phlo.declarations import Ingestion, Reporter
    from phlo.load.stage import Rows
    from phlo.schemas.model import Column, TableSchema

BATCH = 50_000
"""Rows that are validated at once."""

ENOUGH, ENOUGH_BYTES = 10_000, 8 * 2**20
"""Rows of small loads, or their bytes as they came, that wait for each other before they are checked."""

PARTITION, LOAD_ID, LOADED_AT = SYSTEM_COLUMNS


@dataclass
class Validated:
    """What validation found in one load; its rows are in the two spools."""

    read: int = 0
    good: int = 0
    rejected: int = 0
    extra_fields: Counter[str] = field(default_factory=Counter)
    """Fields of the source that the schema does not have, and in how many rows they were."""
    absent: set[str] = field(default_factory=set)
    """Columns for which no row had a field, though the schema does not say that rows may go without it."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Rejected rows by column and complaint, without the values."""
    rejected_keys: list[pa.Table] = field(default_factory=list)
    """The keys of rejected rows that have one."""


def good_schema(schema: TableSchema, *, partitioned: bool) -> pa.Schema:
    """The columns of a raw table: the schema's, then Phlo's."""
    return _with_system(arrow_schema(schema), partitioned=partitioned)


def rejected_schema(*, partitioned: bool) -> pa.Schema:
    """The columns of a table of rejected rows."""
    import pyarrow as pa

    return _with_system(
        pa.schema([(name, pa.string()) for name in ("reason", "column", "row")]), partitioned=partitioned
    )


def stamp_of(partition: dt.date | None, load_id: str, loaded_at: dt.datetime) -> dict[str, pa.Scalar]:
    """Phlo's columns, as they are in every row of a load."""
    import pyarrow as pa

    stamp = {LOAD_ID: pa.scalar(load_id), LOADED_AT: pa.scalar(loaded_at, pa.timestamp("us", "UTC"))}
    return stamp | ({PARTITION: pa.scalar(partition, pa.date32())} if partition else {})


def validate(
    loads: Sequence[Rows], schema: TableSchema, ingestion: Ingestion, good: Spool, rejected: Spool, reporter: Reporter
) -> list[Validated]:
    """Validate staged loads into two spools made for ``good_schema`` and ``rejected_schema``.

    Small loads share a run of the checks where these look at each row by itself. Raises ``SchemaError`` when the schema
    itself can't be applied: then nothing is known about the rows.
    """
    check_keys(ingestion, schema)
    merging = ingestion.merge_strategy == "merge"
    judges = [Judge(schema, _key_columns(ingestion), reporter, merging=merging) for _ in loads]
    for group in _groups(loads, judges, together=row_by_row(schema)):
        check([batch for _, batch in group], schema, reporter)
        for number, batch in group:
            load = loads[number]
            stamp = stamp_of(load.partition if ingestion.partitioned else None, load.load_id, load.staged_at)
            judges[number].settle(batch, good, rejected, stamp)
    return [judge.found for judge in judges]


def _groups(loads: Sequence[Rows], judges: Sequence[Judge], *, together: bool) -> Iterator[list[tuple[int, Batch]]]:
    """Cast the loads batch by batch, each with its load's number: alone, or as many together as make up ``ENOUGH``."""
    group: list[tuple[int, Batch]] = []
    rows = size = 0
    for number, load in enumerate(loads):
        for kind, batch in load.batches(BATCH):
            source = batch["row"].to_pylist() if kind == "json" else batch
            group.append((number, judges[number].cast(source)))
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if not together or rows >= ENOUGH or size >= ENOUGH_BYTES:
                yield group
                group, rows, size = [], 0, 0
    if group:
        yield group


def validate_rows(
    rows: Iterable[Mapping[str, Any]], schema: TableSchema, keys: Sequence[str] = ()
) -> tuple[pa.Table, pa.Table]:
    """Validate rows in memory as a load would: the good ones with the schema's types, and the rejected with reasons.

    >>> import pandera.pandas as pa
    >>> from phlo.schemas.model import read_model
    >>> class Reading(pa.DataFrameModel):
    ...     sgv: int = pa.Field(ge=1)
    >>> good, rejected = validate_rows([{"sgv": "5"}, {"sgv": 0}, {"mbg": 7}], read_model(Reading))
    >>> good.to_pylist(), rejected["reason"].to_pylist()
    ([{'sgv': 5}], ['`sgv` = `0` is not at least 1', '`sgv` is null'])
    """
    import pyarrow as pa

    bad = pa.schema([(name, pa.string()) for name in ("reason", "column", "row")])
    with Spool(arrow_schema(schema)) as good, Spool(bad) as rejected:
        judge = Judge(schema, tuple(keys), SilentReporter(), merging=bool(keys))
        judge.take([encode(row) for row in rows], good, rejected, {})
        return good.contents().read_all(), rejected.contents().read_all()


def check_keys(ingestion: Ingestion, schema: TableSchema) -> None:
    """Raise ``SchemaError`` when the unique key is no column of the schema, or one that can't be compared.

    ``UnknownKey`` where there is no schema but what the rows have; one that is inferred from no rows is none yet.
    """
    types = {column.name: column.type for column in schema.columns}
    for key in ingestion.unique_key if types else ():
        if key == PARTITION and ingestion.partitioned:
            continue
        if key not in types and ingestion.validation_schema is None:
            raise _unknown_key(key, ingestion, schema)
        wrong = f"not a column of it{nearest(key, types)}".rstrip(".") if key not in types else ""
        if not wrong and kind_of(types[key]) == "nested":
            wrong = f"a {types[key]}, which no rows can be told apart by"
        if wrong:
            fix = f"see unique_key in {ingestion.source}"
            raise SchemaError(schema=schema.name, detail=f"the unique key `{key}` is {wrong}", fix=fix)


def _unknown_key(key: str, ingestion: Ingestion, schema: TableSchema) -> UnknownKey:
    names = schema.names
    return UnknownKey(
        key=key,
        table=ingestion.table,
        columns=", ".join(f"`{name}`" for name in names[:10]) + (f" and {len(names) - 10} more" if names[10:] else ""),
        nearest=nearest(key, names).rstrip("."),
        source=ingestion.source,
    )


class Judge:
    """Judges one load's rows, batch by batch."""

    def __init__(self, schema: TableSchema, keys: Sequence[str], reporter: Reporter, *, merging: bool) -> None:
        self.schema, self.keys, self.reporter = schema, keys, reporter
        named = (each for each in schema.columns if each.nullable and not each.optional and each.default is None)
        self.found = Validated(absent={each.name for each in named})
        # Rows of one key become one row when they are merged: that is not for validation to judge.
        self._same = tuple(keys) if merging else ()
        self._seen: dict[tuple[str, ...], dict[Any, Any]] = {
            names: {} for names in schema.unique if not self._same or not set(self._same) <= set(names)
        }

    def take(
        self,
        source: Sequence[str] | pa.RecordBatch,
        good: Spool,
        rejected: Spool,
        stamp: Mapping[str, pa.Scalar],
        rejected_stamp: Mapping[str, pa.Scalar] | None = None,
    ) -> list[int]:
        """Judge a batch and put its rows where they belong, with Phlo's columns (rejected ones with their own).

        Return the numbers of the rejected rows.
        """
        batch = self.cast(source)
        check([batch], self.schema, self.reporter)
        return self.settle(batch, good, rejected, stamp, rejected_stamp)

    def settle(
        self,
        batch: Batch,
        good: Spool,
        rejected: Spool,
        stamp: Mapping[str, pa.Scalar],
        rejected_stamp: Mapping[str, pa.Scalar] | None = None,
    ) -> list[int]:
        """Put the rows of a batch that is cast and checked where they belong, as ``take`` does."""
        for names, seen in self._seen.items():
            self._check_unique(batch, names, seen)
        bad = sorted(batch.reasons)
        self.found.rejected += len(bad)
        self.found.good += batch.table.num_rows - len(bad)
        good.append(_stamped(batch.take(batch.sound), stamp, good.schema))
        if bad:
            self._reject(batch, bad, rejected, rejected_stamp or stamp)
        return bad

    def cast(self, source: Sequence[str] | pa.RecordBatch) -> Batch:
        """The first pass: the schema's columns, cast, and the reasons of the rows where that is not to be done."""
        import pyarrow as pa

        rows = decode_all(source) if isinstance(source, list) else None
        count = len(rows) if rows is not None else source.num_rows  # type: ignore[union-attr]
        reasons: dict[int, list[Reason]] = {}
        arrays = []
        for column in self.schema.columns:
            if rows is not None:
                array, wrong = cast_cells([row.get(column.name) for row in rows], column)
            elif column.name in source.schema.names:  # type: ignore[union-attr]
                array, wrong = cast_array(source.column(column.name), column)  # type: ignore[union-attr]
            else:
                array, wrong = pa.nulls(count, column.type), {}
            array = _fill(array, column)
            for row, reason in wrong.items():
                reasons.setdefault(row, []).append(reason)
            self._find_nulls(array, column, wrong, reasons)
            arrays.append(array)
        self._count_extra(rows if rows is not None else source)
        self._find_absent(rows if rows is not None else source)
        self.found.read += count
        return Batch(pa.table(arrays, schema=arrow_schema(self.schema)), reasons, source)

    def _find_nulls(
        self, array: pa.Array, column: Column, wrong: Mapping[int, Reason], reasons: dict[int, list[Reason]]
    ) -> None:
        key = column.name in self.keys
        if not array.null_count or (column.nullable and not key):
            return
        complaint = "is null, and it is the unique key" if key else "is null"
        for row in _where(array.is_null()):
            if row not in wrong:
                reasons.setdefault(row, []).append(Reason(column.name, complaint))

    def _check_unique(self, batch: Batch, names: tuple[str, ...], seen: dict[Any, Any]) -> None:
        """Let the first row with a value stand; a later one with another key is rejected."""
        values = zip(*(batch.table[name].to_pylist() for name in names), strict=True)
        keys = zip(*(batch.table[name].to_pylist() for name in self._same), strict=True) if self._same else None
        for row, value in enumerate(values):
            key = next(keys) if keys else (self.found.read, row)
            if row in batch.reasons or None in value:
                continue
            if seen.setdefault(value, key) != key:
                listed = ", ".join(str(each) for each in value)
                batch.reasons[row] = [Reason(names[0], "is not unique in this load", f"`{listed}`")]

    def _count_extra(self, rows: Sequence[Mapping[str, Any]] | pa.RecordBatch) -> None:
        known = {*self.schema.names}
        if isinstance(rows, list):
            for row in rows:
                if not row.keys() <= known:
                    self.found.extra_fields.update(row.keys() - known)
            return
        for name, column in zip(rows.schema.names, rows.columns, strict=True):  # type: ignore[union-attr]
            if name not in known and len(column) > column.null_count:
                self.found.extra_fields[name] += len(column) - column.null_count

    def _find_absent(self, rows: Sequence[Mapping[str, Any]] | pa.RecordBatch) -> None:
        for name in tuple(self.found.absent):
            if any(name in row for row in rows) if isinstance(rows, list) else name in rows.schema.names:  # type: ignore[union-attr]
                self.found.absent.discard(name)

    def _reject(self, batch: Batch, bad: list[int], rejected: Spool, stamp: Mapping[str, pa.Scalar]) -> None:
        """File the bad rows with their reasons, and note their keys."""
        import pyarrow as pa

        for reasons in batch.reasons.values():
            self.found.reasons.update({reason.kind for reason in reasons})
        filed = {
            "reason": ["; ".join(str(reason) for reason in batch.reasons[row]) for row in bad],
            "column": [", ".join(dict.fromkeys(r.column for r in batch.reasons[row] if r.column)) for row in bad],
            "row": batch.rows(bad),
        }
        columns = {name: pa.array(values, pa.string()) for name, values in filed.items()}
        rejected.append(_stamped(pa.table(columns), stamp, rejected.schema))
        if self.keys:
            keys = batch.table.select(list(self.keys)).take(pa.array(bad, pa.int64())).drop_null()
            self.found.rejected_keys.append(keys)


def _key_columns(ingestion: Ingestion) -> tuple[str, ...]:
    """The key as far as it is in the rows; ``partition_date`` is the same in all rows of a load."""
    return tuple(key for key in ingestion.unique_key if key != PARTITION)


def _fill(array: pa.Array, column: Column) -> pa.Array:
    """Put the schema's default where there is no value; a row whose value was wrong is rejected all the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.default is None or not array.null_count:
        return array
    default, reasons = cast_cells([column.default], column)
    if reasons:
        raise SchemaError(
            schema=column.name, detail=f"its default {reasons[0]}", fix="give the field a default of its own type"
        )
    return pc.fill_null(array, pa.scalar(default[0].as_py(), column.type))


def _where(mask: pa.Array) -> list[int]:
    import pyarrow.compute as pc

    found: list[int] = pc.indices_nonzero(mask).to_pylist()
    return found


def _with_system(schema: pa.Schema, *, partitioned: bool) -> pa.Schema:
    import pyarrow as pa

    for name, kind in ((PARTITION, pa.date32()), (LOAD_ID, pa.string()), (LOADED_AT, pa.timestamp("us", "UTC"))):
        if name != PARTITION or partitioned:
            schema = schema.append(pa.field(name, kind))
    return schema


def _stamped(table: pa.Table, stamp: Mapping[str, pa.Scalar], schema: pa.Schema) -> pa.Table:
    """Add Phlo's columns, the same in every row of a load."""
    import pyarrow as pa

    for name, value in stamp.items():
        table = table.append_column(name, pa.repeat(value, table.num_rows))
    return table.select(schema.names).cast(schema)
