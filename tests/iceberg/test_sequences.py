"""Any sequence of writes, evolutions, other engines' deletes, publishes and undos gives what a list of rows would."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.typedef import Record
from tests.iceberg.deleting import delete_values, unpartitioned_spec

from phlo.iceberg import in_memory, rewrite, small_files
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.iceberg.merge import append, merge, replace
from phlo.iceberg.tables import evolve, plan, scan_sql
from phlo.protocols import Written

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyiceberg.table import Table
    from tests.iceberg.conftest import DeleteRows

TABLE = "raw.readings"
JANUARY, FEBRUARY, MARCH = dt.date(2024, 1, 20), dt.date(2024, 2, 1), dt.date(2024, 3, 31)
PARTITIONINGS = ["", "day(partition_date)", "month(partition_date)"]
KEYS = st.sampled_from(["a", "b", "c", "é", "日本\U0010ffff", "", None])
DATES = [JANUARY, JANUARY + dt.timedelta(1), FEBRUARY, MARCH]
DAYS = st.sampled_from(DATES)
ROWS = st.lists(st.tuples(KEYS, st.integers(0, 3), DAYS | st.none()), max_size=6)
COMPARED = st.sampled_from([["_id"], ["sgv"], ["_id", "sgv"], ["partition_date"], ["note"], ["note", "_id"]])
VALUES = st.tuples(
    COMPARED, st.lists(st.tuples(KEYS, st.none() | st.integers(0, 3), DAYS, st.none()), min_size=1, max_size=3)
)
STEPS = st.one_of(
    st.tuples(st.just("merge"), ROWS, st.sampled_from(["last", "first", "hash"])),
    st.tuples(st.just("replace"), ROWS, st.sets(DAYS, max_size=3)),
    st.tuples(st.just("append"), ROWS, st.none()),
    st.tuples(st.just("evolve"), st.sampled_from(["widen", "note", "drop note"]), st.none()),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("delete values"), VALUES, st.sampled_from(["everywhere", *DATES])),
    st.tuples(st.just("publish"), st.none(), st.none()),
    st.tuples(st.just("undo"), st.none(), st.none()),
)


class Model:
    """What the table should hold: a list of rows, and the batches' columns."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.rows: list[dict[str, Any]] = []
        self.keys = keys
        self.wide, self.known, self.given = pa.int32(), False, False

    def schema(self) -> pa.Schema:
        fields = [
            ("_id", pa.string()),
            ("sgv", self.wide),
            ("partition_date", pa.date32()),
            ("_phlo_load_id", pa.string()),
        ]
        return pa.schema([*fields, ("note", pa.string())] if self.given else fields)

    def batch(self, rows: list[tuple[Any, ...]], load: int) -> list[dict[str, Any]]:
        noted = {"note": f"n{load % 2}" if self.given else None} if self.known else {}
        return [
            {"_id": key, "sgv": sgv, "partition_date": day, "_phlo_load_id": f"{load}"} | noted
            for key, sgv, day in rows
        ]

    def evolve(self, how: str) -> None:
        if how == "widen":
            self.wide = pa.int64()
        self.given = how != "drop note" and (self.given or how == "note")
        if self.given and not self.known:
            self.known = True
            self.rows = [row | {"note": None} for row in self.rows]

    def key(self, row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.keys)

    def merge(self, batch: list[dict[str, Any]], how: str) -> Written:
        counts: Counter[str] = Counter()
        for row in {self.key(row): row for row in (reversed(batch) if how == "first" else batch)}.values():
            found = [old for old in self.rows if self.key(old) == self.key(row)]
            outcome = "inserted" if not found else "unchanged" if found_as(found, row) else "updated"
            counts[outcome] += 1
            if outcome != "unchanged":
                self.rows = [old for old in self.rows if self.key(old) != self.key(row)] + [row]
        return Written(**counts)

    def delete_values(
        self, rows: list[dict[str, Any]], columns: Sequence[str], partition: Any, partition_by: str
    ) -> None:
        gone = {tuple(row[name] for name in columns) for row in rows}
        self.rows = [
            old
            for old in self.rows
            if tuple(old[name] for name in columns) not in gone
            or (
                partition != "everywhere"
                and value(old["partition_date"], partition_by) != value(partition, partition_by)
            )
        ]

    def replace(self, batch: list[dict[str, Any]], days: set[dt.date]) -> Written:
        old = [row for row in self.rows if not days or row["partition_date"] in days]
        if Counter(map(content, old)) == Counter(map(content, batch)):
            return Written(unchanged=len(batch))
        self.rows = [row for row in self.rows if row not in old] + batch
        return Written(inserted=len(batch), deleted=len(old))


class Lake:
    """A catalog with one table, beside the model of it; main's states are kept for undo."""

    def __init__(self, folder: Path, partition_by: str, keys: Sequence[str], delete_rows: DeleteRows) -> None:
        self.catalog = SqlRefCatalog(f"sqlite:///{folder}/catalog.db", folder / "warehouse")
        self.model, self.keys, self.delete_rows = Model(keys), keys, delete_rows
        self.ref = self.catalog.create_ref("run-0").name
        self.table = self.catalog.create_table(
            TABLE, self.model.schema(), self.ref, partition_by=partition_by or None, keys=keys
        )
        self.partition_by = partition_by
        self.everywhere = unpartitioned_spec(self.table) if partition_by else self.table.spec().spec_id
        self.published: list[Model] = []
        self.step("publish", None, None, 0)

    def step(self, step: str, given: Any, how: Any, load: int) -> None:
        if step in ("merge", "append", "replace"):
            rows = [row for row in given if step != "replace" or not how or row[2] in how]
            self.write(step, self.model.batch(rows, load), how)
        elif step == "evolve":
            self.model.evolve(given)
            evolve(self.table, self.model.schema())
        elif step == "delete":
            self.delete_rows(self.table, given)
            self.model.rows = [row for row in self.model.rows if row["_id"] != given]
        elif step == "delete values":
            self.delete_values(given, how)
        elif step == "publish":
            self.catalog.publish(self.ref)
            self.published.append(copy.deepcopy(self.model))
            self.branch()
        elif len(self.published) > 1:
            self.catalog.undo()
            self.published.append(copy.deepcopy(self.published[self.before()]))
            self.model = copy.deepcopy(self.published[-1])
            self.branch()

    def write(self, step: str, rows: list[dict[str, Any]], how: Any) -> None:
        batch = pa.Table.from_pylist(rows, schema=self.model.schema())
        if step == "merge":
            assert merge(self.table, batch, self.keys, deduplication=how) == self.model.merge(rows, how)
        elif step == "replace":
            assert replace(self.table, batch, sorted(how)) == self.model.replace(rows, how)
        else:
            assert append(self.table, batch) == Written(inserted=len(rows))
            self.model.rows += rows

    def delete_values(self, given: Any, partition: Any) -> None:
        columns, values = given
        columns = [name for name in columns if name != "note" or self.model.known] or ["_id"]
        rows = [dict(zip(("_id", "sgv", "partition_date", "note"), row, strict=True)) for row in values]
        rows = [{name: row[name] for name in columns} for row in rows]
        if partition == "everywhere" or not self.partition_by:
            delete_values(self.table, rows, columns, spec_id=self.everywhere)
        else:
            delete_values(self.table, rows, columns, partition=Record(value(partition, self.partition_by)))
        self.model.delete_values(rows, columns, partition, self.partition_by)

    def before(self) -> int:
        """Where the state before the newest publish is: an undo is a publish, which is undone in its turn."""
        return len(self.published) - 2

    def branch(self) -> None:
        self.ref = self.catalog.create_ref(f"run-{uuid.uuid4().hex}").name
        self.table = self.catalog.load(TABLE, self.ref)

    def check(self) -> None:
        assert contents(self.table) == Counter(map(repr, self.model.rows))
        assert contents(self.catalog.load(TABLE)) == Counter(map(repr, self.published[-1].rows))


def content(row: dict[str, Any]) -> str:
    return repr({name: value for name, value in row.items() if name != "_phlo_load_id"})


def value(day: dt.date | None, partition_by: str) -> int | None:
    """Which partition a day is in."""
    if day is None or not partition_by:
        return None
    return (day.year - 1970) * 12 + day.month - 1 if "month" in partition_by else (day - dt.date(1970, 1, 1)).days


def found_as(found: list[dict[str, Any]], row: dict[str, Any]) -> bool:
    return len(found) == 1 and content(found[0]) == content(row)


def contents(table: Table) -> Counter[str]:
    """The rows, after making sure that PyIceberg, if it knows the files of deletes, reads the same."""
    with duckdb.connect() as con:
        rows = Counter(map(repr, con.sql(scan_sql(table, con=con)).to_arrow_table().to_pylist()))
    if not any(file.equality_ids for task in plan(table) for file in task.delete_files):
        with suppress(ValueError):  # equality deletes that apply to no file any more
            assert Counter(map(repr, table.scan().to_arrow().to_pylist())) == rows
    return rows


def run(
    folder: Path, delete_rows: DeleteRows, partition_by: str, keys: Sequence[str], steps: list[Any], files: str
) -> None:
    lake = Lake(folder / uuid.uuid4().hex, partition_by, keys, delete_rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewrite, "SMALL_FILE", 0 if "large" in files else rewrite.SMALL_FILE)
        patch.setattr(rewrite, "MUCH", 0 if "side by side" in files else rewrite.MUCH)
        patch.setattr(small_files, "MOST_STORED", -1 if "DuckDB" in files else small_files.MOST_STORED)
        patch.setattr(in_memory, "MOST_ROWS", in_memory.MOST_ROWS if "memory" in files else -1)
        for load, (step, given_, how) in enumerate(steps, 1):
            lake.step(step, given_, how, load)
            lake.check()
    lake.catalog.close()


SEQUENCES = given(
    partition_by=st.sampled_from(PARTITIONINGS),
    keys=st.sampled_from([["_id"], ["_id", "partition_date"]]),
    steps=st.lists(STEPS, max_size=8),
    files=st.sampled_from(["in memory", "through Arrow", "through Arrow side by side", "through DuckDB"]).flatmap(
        lambda way: st.sampled_from([way, f"large {way}"])
    ),
)
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@settings(max_examples=8, **UNHURRIED)  # type: ignore[arg-type]
@SEQUENCES
def test_any_short_sequence_is_what_a_list_of_rows_would_be(
    tmp_path: Path, delete_rows: DeleteRows, partition_by: str, keys: list[str], steps: list[Any], files: str
) -> None:
    run(tmp_path, delete_rows, partition_by, keys, steps, files)


@pytest.mark.slow
@settings(max_examples=60, **UNHURRIED)  # type: ignore[arg-type]
@SEQUENCES
def test_any_of_many_sequences_is_what_a_list_of_rows_would_be(
    tmp_path: Path, delete_rows: DeleteRows, partition_by: str, keys: list[str], steps: list[Any], files: str
) -> None:
    run(tmp_path, delete_rows, partition_by, keys, steps, files)
