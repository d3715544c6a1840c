"""Incremental models: a query's rows added to a table, merged into it by key, or in the place of a key's rows.

Each strategy is one snapshot. The rows of a keyed strategy are computed once, into a temporary table of the engine's
that spills to disk, as they are looked at twice: for keys that repeat, and for the write.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.errors import DuplicateKey, InvalidModelConfig, ModelColumnsChanged, NullKey, nearest
from phlo.iceberg import merge
from phlo.iceberg.tables import evolve, iceberg_schema
from phlo.iceberg.types import quoted
from phlo.transform.columns import columns_of
from phlo.transform.write import BATCH_ROWS, Built, Code, Counted, columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phlo.transform.session import Session

STRATEGIES = ("append", "merge", "delete+insert", "microbatch")
BATCH = "phlo_batch"


@dataclass(frozen=True)
class Increment:
    """How an incremental model's rows come into its table: the parts of its config() that say so."""

    strategy: str = "default"
    """append, merge or delete+insert; default: merge with a ``unique_key``, append without."""
    unique_key: tuple[str, ...] = ()
    on_schema_change: str = "ignore"
    update_columns: tuple[str, ...] = ()
    """merge: just these columns of rows that are there already change."""
    exclude_columns: tuple[str, ...] = ()
    """merge: all but these."""
    event_time: str = ""
    """microbatch: the column of time, of which a batch is a span."""
    start: dt.datetime | None = None
    end: dt.datetime | None = None

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Increment:
        """Read it from a model's config(); raise ``InvalidModelConfig`` for what can not be followed."""
        if config.get("incremental_predicates"):
            raise InvalidModelConfig(
                option="incremental_predicates",
                detail="predicates on the merge are not followed, so that the same rows come out on every engine",
                fix="filter in the model's own SELECT",
            )
        strategy = config.get("incremental_strategy") or "default"
        if strategy not in ("default", *STRATEGIES):
            known = ", ".join(STRATEGIES)
            raise InvalidModelConfig(
                option="incremental_strategy",
                detail=f"there is no strategy `{strategy}`{nearest(strategy, STRATEGIES)}",
                fix=f"the strategies are {known}",
            )
        return cls(
            strategy,
            _names(config.get("unique_key")),
            config.get("on_schema_change") or "ignore",
            _names(config.get("merge_update_columns")),
            _names(config.get("merge_exclude_columns")),
            config.get("event_time") or "",
            config.get("start"),
            config.get("end"),
        )

    @property
    def effective(self) -> str:
        """The strategy that is meant: without a key, nothing can be merged or deleted."""
        if self.strategy == "microbatch":
            return "microbatch" if self.start and self.end else "append"
        keyed = "merge" if self.strategy == "default" else self.strategy
        return keyed if self.unique_key else "append"


def increment(session: Session, name: str, sql: Code | str, how: Increment) -> Built:
    """Bring a query's rows into a table that is there.

    Raises ``ModelColumnsChanged``, ``DuplicateKey`` and ``NullKey`` before it writes.
    """
    code = Code(sql) if isinstance(sql, str) else sql
    with code.rows(session, name, name) as (con, rows):
        relation = _aligned(session, name, rows, how.on_schema_change)
        if how.effective == "append":
            return _append(session, name, relation)
        relation.create(BATCH)
        if how.effective == "microbatch":
            return _replace_span(session, name, con, how)
        if how.effective == "merge":
            return _merge(session, name, con, how)
        return _replace_keys(session, name, con, how.unique_key)


def _append(session: Session, name: str, relation: Any) -> Built:
    rows = Counted(relation)
    table = session.catalog.load(name, session.ref)
    evolve(table, rows.schema)
    merge.append(table, rows.reader(), limits=session.engine.limits())
    return Built(rows.rows)


def _merge(session: Session, name: str, con: Any, how: Increment) -> Built:
    check_keys(con, name, how.unique_key)
    names = con.table(BATCH).columns
    kept = [column for column in names if column in how.exclude_columns]
    if how.update_columns:
        kept = [column for column in names if column not in (*how.update_columns, *how.unique_key)]
    rows = Counted(con.sql(_keeping(name, names, kept, how.unique_key)))
    session.engine.write(name, rows.reader(), session.ref, mode="merge", keys=list(how.unique_key))
    return Built(rows.rows)


def _keeping(name: str, names: Sequence[str], kept: Sequence[str], keys: Sequence[str]) -> str:
    """Select the batch, with the stored values of ``kept`` columns where a row is there already."""
    if not kept:
        return f"SELECT * FROM {BATCH}"
    first = quoted(keys[0])
    select = ", ".join(
        f"CASE WHEN t.{first} IS NULL THEN b.{quoted(c)} ELSE t.{quoted(c)} END AS {quoted(c)}"
        if c in kept
        else f"b.{quoted(c)}"
        for c in names
    )
    return f"SELECT {select} FROM {BATCH} b LEFT JOIN {_table(name)} t ON {_on(keys)}"


def _replace_keys(session: Session, name: str, con: Any, keys: Sequence[str]) -> Built:
    """Put the batch in the place of all rows that share a key with it; a NULL key is no row's."""
    count = _count(con, f"FROM {BATCH}")
    if count:
        _replace_rows(session, name, con, f"EXISTS (SELECT 1 FROM {BATCH} b WHERE {_on(keys)})")
    return Built(count)


def _replace_span(session: Session, name: str, con: Any, how: Increment) -> Built:
    """Put the batch in the place of all rows whose time is in its span."""
    assert how.start and how.end  # `effective` has seen to it
    at = f"CAST(t.{quoted(how.event_time)} AS TIMESTAMP)"  # in UTC, as the connection is
    first, last = (f"TIMESTAMP '{each.astimezone(dt.UTC).replace(tzinfo=None)}'" for each in (how.start, how.end))
    _replace_rows(session, name, con, f"coalesce({at} >= {first} AND {at} < {last}, false)")
    return Built(_count(con, f"FROM {BATCH}"))


def _replace_rows(session: Session, name: str, con: Any, which: str) -> None:
    """Put the batch in the place of the rows of ``t`` that a condition names; without one of them it is added.

    To replace a row rewrites the table, which a batch of new rows, as most are, need not pay.
    """
    table = f"{_table(name)} t"
    if not con.sql(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1").fetchall():
        if _count(con, f"FROM {BATCH}"):
            _append(session, name, con.table(BATCH))
        return
    left = f"SELECT t.* FROM {table} WHERE NOT {which}"
    rows = con.sql(f"{left} UNION ALL BY NAME SELECT * FROM {BATCH}").to_arrow_reader(BATCH_ROWS)
    session.engine.write(name, rows, session.ref, mode="replace")


def check_keys(con: Any, name: str, keys: Sequence[str], batch: str = BATCH) -> None:
    """Raise ``NullKey`` or ``DuplicateKey`` where rows to merge are not one for each key."""
    listed = ", ".join(map(quoted, keys))
    nulls = " OR ".join(f"{quoted(key)} IS NULL" for key in keys)
    missing = _count(con, f"FROM {batch} WHERE {nulls}")
    if missing:
        raise NullKey(count=missing, table=name, keys=", ".join(keys))
    repeated = con.sql(f"SELECT {listed} FROM {batch} GROUP BY {listed} HAVING count(*) > 1 ORDER BY ALL").fetchall()
    if repeated:
        example = ", ".join(f"{key} = {value!r}" for key, value in zip(keys, repeated[0], strict=True))
        raise DuplicateKey(count=len(repeated), table=name, example=example, keys=", ".join(keys))


def _aligned(session: Session, name: str, relation: Any, policy: str) -> Any:
    """Make the batch's columns and the table's meet, as ``on_schema_change`` says."""
    stored = dict(columns(session, name))
    given = dict(columns_of(iceberg_schema(relation.limit(0).to_arrow_table().schema)))
    added = [column for column in given if column not in stored]
    removed = [column for column in stored if column not in given]
    retyped = [column for column in given if column in stored and given[column] != stored[column]]
    # dbt's `ignore` inserts the table's columns, so one that the query lost is an error there too.
    if (policy == "fail" and (added or removed or retyped)) or (policy == "ignore" and removed):
        raise ModelColumnsChanged(table=name, changes=_changes(added, removed, retyped, given, stored))
    if policy == "ignore" and added:
        return relation.project(", ".join(quoted(column) for column in given if column in stored))
    if policy == "sync_all_columns" and removed:
        with session.catalog.load(name, session.ref).update_schema() as update:
            for column in removed:
                update.delete_column(column)
    return relation


def _changes(
    added: Sequence[str], removed: Sequence[str], retyped: Sequence[str], given: dict[str, str], stored: dict[str, str]
) -> str:
    told = [f"new: {', '.join(f'`{c}`' for c in added)}"] if added else []
    told += [f"gone: {', '.join(f'`{c}`' for c in removed)}"] if removed else []
    told += [f"`{column}` was {stored[column]} and is {given[column]}" for column in retyped]
    return "; ".join(told)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return tuple(name for name in ((value,) if isinstance(value, str) else value or ()) if name)


def _count(con: Any, source: str) -> int:
    return int(con.sql(f"SELECT count(*) {source}").fetchall()[0][0])


def _on(keys: Sequence[str]) -> str:
    return " AND ".join(f"t.{quoted(key)} = b.{quoted(key)}" for key in keys)


def _table(name: str) -> str:
    return ".".join(map(quoted, name.split(".")))
