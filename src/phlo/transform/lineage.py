"""Where the columns of models come from: kept by every run of dbt as it builds, and read by later commands.

``<state>/lineage.db`` is a SQLite file of two tables. ``traced(fingerprint, record)`` has what was found, as JSON:
``{"columns": {"avg_glucose": [["bronze.stg_glucose_entries", "sgv"]]}, "parents": ["bronze.…"], "reason": ""}``; its
fingerprint is that of the compiled SQL, without the values in it, and of the columns of the tables in it, so that a
model that stays as it is costs no second look. ``built(name, ref, since, at, fingerprint)`` has which table or view was
built as what, on a ref that was branched off since; the publish log tells which of them count on main. A model that can
not be traced, such as one in Python, has its parents and the reason.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from phlo.errors import LineageUnreadable
from phlo.protocols import MAIN
from phlo.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from phlo.protocols import Publish
    from phlo.transform.session import Compiled, Session

FILE = "lineage.db"
KEPT = 500
"""How many builds of each table or view are remembered."""

_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)

_TABLES = """
CREATE TABLE IF NOT EXISTS traced (fingerprint TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS built (
    name TEXT, ref TEXT, since TEXT, at TEXT, fingerprint TEXT NOT NULL, PRIMARY KEY (name, ref, at)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, order=True)
class Column:
    """A column of a table or view."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True)
class Traced:
    """What a model is made from."""

    columns: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    """Its columns, each with the columns that its values are computed from; empty where there is a reason."""
    parents: tuple[str, ...] = ()
    """The tables and views that it reads."""
    reason: str = ""
    """Why its columns could not be traced."""


class _Build(NamedTuple):
    """A table or view as it was built on a ref, which was branched off ``since``; its record says what it is from."""

    name: str
    since: str
    at: str
    record: str


@dataclass(frozen=True)
class Lineage:
    """Where the columns of the models on one ref come from."""

    models: Mapping[str, Traced]
    """By table or view; what no model makes, such as raw tables and seeds, is where they come from in the end."""

    def direct(self, table: str, column: str) -> tuple[Column, ...]:
        """The columns of its parents that a column is computed from."""
        model = self.models.get(table)
        return model.columns.get(column, ()) if model else ()

    def origins(self, table: str, column: str) -> tuple[Column, ...]:
        """The columns of raw tables and seeds that a column comes from, through all models between.

        A column of a model that could not be traced stands for what it comes from.
        """
        end = (each for each in self._reached(Column(table, column)) if not self._within(each))
        return tuple(sorted(each for each in end if each != Column(table, column)))

    def uses(self, table: str, column: str) -> tuple[Column, ...]:
        """The columns of models that come from a column, through all models between."""
        wanted = Column(table, column)
        named = (Column(name, each) for name, model in self.models.items() for each in model.columns)
        return tuple(sorted(each for each in named if each != wanted and wanted in self._reached(each)))

    def _within(self, column: Column) -> bool:
        model = self.models.get(column.table)
        return model is not None and not model.reason

    def _reached(self, column: Column) -> set[Column]:
        seen, waiting = set[Column](), [column]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += self.direct(each.table, each.name)
        return seen


def read_lineage(lake: Any, ref: str = MAIN) -> Lineage:
    """Read where the columns of the models on a ref come from: of each, as the run built it that counts there.

    Raises ``LineageUnreadable``.
    """
    file = lake.project.state / FILE
    if not file.exists():
        return Lineage({})
    since = "" if ref == MAIN else lake.catalog.ref(ref).created_at.isoformat()
    try:
        return _stored(file, lake.catalog.publishes(), ref, since)
    except sqlite3.Error as error:
        raise LineageUnreadable(file=file, detail=error) from error


def _stored(file: Path, publishes: Sequence[Publish], ref: str, since: str) -> Lineage:
    by_ref: dict[str, list[_Build]] = {}
    with closing(_opened(file)) as db:
        rows = "SELECT name, ref, since, at, record FROM built JOIN traced USING (fingerprint) ORDER BY at"
        for name, of, *build in db.execute(rows):
            by_ref.setdefault(of, []).append(_Build(name, *build))
    found = {build.name: build.record for build in by_ref.get(ref, ()) if build.since == since}
    for publish in counting(publishes):
        found = _published(by_ref.get(publish.ref, ()), publish) | found
    return Lineage({name: _read(record) for name, record in sorted(found.items())})


def _published(builds: Iterable[_Build], publish: Publish) -> dict[str, str]:
    """What a publish moved to main: what was built before it on the ref that then had its name, and no ref before."""
    before = [build for build in builds if build.at <= publish.at.isoformat()]
    last = max((build.since for build in before), default="")
    return {build.name: build.record for build in before if build.since == last}


def built_by(state: Path, publishes: Iterable[Publish]) -> dict[str, int]:
    """By table or view the newest of some publishes, newest first, whose run built it, whether or not it changed.

    Nothing is known where nothing was kept, or what was can not be read.
    """
    by_ref: dict[str, list[_Build]] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{(state / FILE).as_uri()}?mode=ro", uri=True)) as db:
        for name, of, *build in db.execute("SELECT name, ref, since, at, '' FROM built ORDER BY at"):
            by_ref.setdefault(of, []).append(_Build(name, *build))
    found: dict[str, int] = {}
    for publish in publishes:
        found = dict.fromkeys(_published(by_ref.get(publish.ref, ()), publish), publish.seq) | found
    return found


def counting(publishes: Iterable[Publish]) -> Iterator[Publish]:
    """The publishes that made today's main, newest first; an undo leads to the state that it restored."""
    by_seq = {publish.seq: publish for publish in publishes}
    seq = max(by_seq, default=0)
    while seq in by_seq:
        restores = by_seq[seq].restores
        if restores is None:
            yield by_seq[seq]
        seq = seq - 1 if restores is None else restores


def keep_lineage(session: Session, state: Path) -> str:
    """Keep what the models that a session built come from; say what is wrong where that can not be kept."""
    if not session.built:
        return ""
    try:
        state.mkdir(parents=True, exist_ok=True)
        with closing(_opened(state / FILE)) as db:
            known = {row[0] for row in db.execute("SELECT fingerprint FROM traced")}
            found = list(_builds(session, known))  # before the first write, for which others would have to wait
            with db:
                db.executemany("INSERT OR IGNORE INTO traced VALUES (?, ?)", [each[-2:] for each in found if each[-1]])
                db.executemany("INSERT OR REPLACE INTO built VALUES (?, ?, ?, ?, ?)", [each[:-1] for each in found])
                _forget(db, session.built)
    except Exception as error:  # noqa: BLE001  no run may fail by it, nor hide by it what it failed of
        return f"where columns come from could not be kept in `{state / FILE}`: {error}"
    return ""


def _builds(session: Session, known: set[str]) -> Iterator[tuple[str, str, str, str, str, str]]:
    """The rows of what was built, each with its record where that is not known yet."""
    at, tables = dt.datetime.now(dt.UTC).isoformat(), _Tables(session)
    since = session.catalog.ref(session.ref).created_at.isoformat()
    for model in session.built.values():
        fingerprint, parents = _fingerprint(model, tables)
        record = "" if fingerprint in known else json.dumps(_trace(model, parents, tables))
        yield model.table, session.ref, since, at, fingerprint, record


class _Tables:
    """The columns of tables and views on a session's ref, each looked up once."""

    def __init__(self, session: Session) -> None:
        self.session, self.pin = session, session.pin()
        self.known: dict[str, tuple[tuple[str, str], ...]] = {}

    def columns(self, name: str) -> tuple[tuple[str, str], ...]:
        """A table's or view's columns with Trino's names of their types."""
        from phlo.transform.write import columns_at

        if name not in self.known:
            self.known[name] = columns_at(self.session, name, self.pin)
        return self.known[name]


def _fingerprint(model: Compiled, tables: _Tables) -> tuple[str, tuple[str, ...]]:
    """Change with everything that a model's lineage depends on; with the tables that it reads."""
    from phlo.transform.session import tables_of

    parents = model.parents if model.language == "python" else tuple(tables_of(model.code, tables.session.dialect))
    code = "" if model.language == "python" else _VALUES.sub(_without_value, model.code)
    about = [*_versions(), tables.session.dialect, model.language, code]
    columns = [(name, tables.columns(name)) for name in (model.table, *parents)]
    return hashlib.sha256(json.dumps([about, columns]).encode()).hexdigest()[:32], parents


@lru_cache(maxsize=1)
def _versions() -> tuple[str, str]:
    """Who traces; looking it up reads files."""
    return version("phlo"), version("sqlglot")


def _without_value(found: re.Match[str]) -> str:
    """Leave names out of it: dates in a microbatch's SQL are others on every run."""
    return found[0] if found[0].startswith('"') else "''"


def _trace(model: Compiled, parents: tuple[str, ...], tables: _Tables) -> dict[str, Any]:
    from phlo.transform.trace import trace

    found: dict[str, Any] = {"columns": {}, "parents": list(parents), "reason": ""}
    if model.language == "python":
        return found | {"reason": "it is written in Python"}
    try:
        known = {name: tables.columns(name) for name in parents}
        traced = trace(model.code, known, tables.session.dialect)
    except Exception as error:  # noqa: BLE001  sqlglot raises anything, and no run may fail by it: the reason is kept
        return found | {"reason": redact(" ".join(str(error).split()) or type(error).__name__)}
    own = {name.lower(): name for name, _ in tables.columns(model.table)}
    return found | {"columns": {own.get(name, name): sorted(columns) for name, columns in traced.items()}}


def _read(record: str) -> Traced:
    values = json.loads(record)
    columns = {name: tuple(Column(*each) for each in found) for name, found in values["columns"].items()}
    return Traced(columns, tuple(values["parents"]), values["reason"])


def _opened(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, timeout=30)
    db.executescript(_TABLES)
    return db


def _forget(db: sqlite3.Connection, names: Iterable[str]) -> None:
    """Let go of the oldest builds, and of what nothing was built as any more."""
    for name in names:
        oldest = db.execute("SELECT at FROM built WHERE name = ? ORDER BY at DESC LIMIT 1 OFFSET ?", (name, KEPT - 1))
        db.executemany("DELETE FROM built WHERE name = ? AND at < ?", ((name, row[0]) for row in oldest.fetchall()))
    db.execute("DELETE FROM traced WHERE fingerprint NOT IN (SELECT fingerprint FROM built)")
