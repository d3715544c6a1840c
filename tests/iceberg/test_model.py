"""Whatever is done in whatever order, the catalog does what a dictionary would."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from phlo.errors import NothingPublished, PublishBlocked, PublishConflict
from phlo.iceberg.catalog import SqlRefCatalog
from phlo.protocols import MAIN, Load, Pin, View

NAMES = st.sampled_from(["raw.g", "raw.m", "gold.j", "gold.v"])
REFS = st.sampled_from(["a", "b", "c"])
DAYS = st.sampled_from(["2024-01-01", "2024-01-02"])
SCHEMA = pa.schema([("n", pa.int64())])

Tables = dict[str, str]
Loaded = dict[tuple[str, str | None], str]


@dataclass
class Branch:
    """What the model knows of a ref."""

    base: Tables
    now: Tables
    reads: set[str] = field(default_factory=set)
    loads: Loaded = field(default_factory=dict)
    blocked: bool = False


def shown(pin: Pin) -> Tables:
    """A state as one dictionary: names to pointers or to SQL."""
    return {**pin.tables, **{name: view.sql for name, view in pin.views.items()}}


class CatalogMachine(RuleBasedStateMachine):
    """Three refs, four names, two days."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="phlo-model-"))
        self.catalog = SqlRefCatalog(f"sqlite:///{self.folder}/catalog.db", self.folder / "warehouse")
        self.branches: dict[str, Branch] = {}
        self.states: list[Tables] = [{}]
        self.ledgers: list[Loaded] = [{}]
        self.count = 0

    def teardown(self) -> None:
        self.catalog.close()
        shutil.rmtree(self.folder)

    def number(self) -> int:
        self.count += 1
        return self.count

    @initialize()
    def begin(self) -> None:
        self.branch("a")

    @rule(ref=REFS)
    def branch(self, ref: str) -> None:
        if ref not in self.branches:
            self.catalog.create_ref(ref)
            self.branches[ref] = Branch(dict(self.states[-1]), dict(self.states[-1]))

    @rule(ref=REFS)
    def forget(self, ref: str) -> None:
        if self.branches.pop(ref, None):
            self.catalog.drop_ref(ref)

    @rule(ref=REFS, name=NAMES)
    def write(self, ref: str, name: str) -> None:
        if ref not in self.branches or name.startswith("gold.v"):
            return
        state = self.branches[ref].now
        table = self.catalog.load(name, ref) if name in state else self.catalog.create_table(name, SCHEMA, ref)
        with table.transaction() as change:
            change.set_properties({"n": str(self.number())})
        assert state.get(name) != table.metadata_location
        state[name] = table.metadata_location

    @rule(ref=REFS)
    def view(self, ref: str) -> None:
        if ref in self.branches:
            sql = f"SELECT {self.number()}"
            self.catalog.put_view("gold.v", View(sql), ref)
            self.branches[ref].now["gold.v"] = sql

    @rule(ref=REFS, name=NAMES)
    def drop(self, ref: str, name: str) -> None:
        if ref in self.branches and name in self.branches[ref].now:
            drop = self.catalog.drop_view if name == "gold.v" else self.catalog.drop_table
            drop(name, ref)
            branch = self.branches[ref]
            del branch.now[name]
            branch.loads = {key: load for key, load in branch.loads.items() if key[0] != name}

    @rule(ref=REFS, name=NAMES)
    def read(self, ref: str, name: str) -> None:
        if ref in self.branches:
            self.catalog.record_reads(ref, [name])
            self.branches[ref].reads.add(name)

    @rule(ref=REFS, day=DAYS)
    def load(self, ref: str, day: str) -> None:
        if ref in self.branches:
            load = Load("raw.g", day, f"{ref}/{day}/{self.number()}")
            self.catalog.record_load(ref, load)
            self.branches[ref].loads["raw.g", day] = load.load_id
            self.branches[ref].reads.add("raw.g")

    @rule(ref=REFS, blocked=st.booleans())
    def fail(self, ref: str, blocked: bool) -> None:
        if ref in self.branches:
            self.catalog.fail_ref(ref, "so", blocked=blocked)
            self.branches[ref].blocked = blocked

    @rule(ref=REFS, force=st.booleans())
    def publish(self, ref: str, force: bool) -> None:
        if ref not in self.branches:
            return
        branch, main = self.branches[ref], self.states[-1]
        changed = {name for name in {*branch.base, *branch.now} if branch.base.get(name) != branch.now.get(name)}
        stale = {name for name in changed | branch.reads if branch.base.get(name) != main.get(name)}
        if branch.blocked and not force:
            with pytest.raises(PublishBlocked):
                self.catalog.publish(ref, force=force)
        elif stale:
            with pytest.raises(PublishConflict) as conflict:
                self.catalog.publish(ref, force=force)
            assert conflict.value.values["names"] == sorted(stale)
        else:
            published = self.catalog.publish(ref, force=force)
            assert {change.name for change in published.changes} == changed
            assert published.forced == branch.blocked
            self.publish_in_model(branch, changed)
            del self.branches[ref]

    def publish_in_model(self, branch: Branch, changed: set[str]) -> None:
        state = {name: pointer for name, pointer in self.states[-1].items() if name not in changed}
        self.states.append(state | {name: branch.now[name] for name in changed if name in branch.now})
        anew = {name for name in changed if table_of(branch.base, name) not in (None, table_of(branch.now, name))}
        kept = {key: load for key, load in self.ledgers[-1].items() if key[0] not in anew}
        self.ledgers.append(kept | branch.loads)

    @rule(back=st.integers(0, 3))
    def undo(self, back: int) -> None:
        newest = len(self.states) - 1
        if not newest:
            with pytest.raises(NothingPublished):
                self.catalog.undo()
            return
        seq = max(newest - back, 1)
        assert self.catalog.undo(seq).restores == seq - 1
        self.states.append(self.states[seq - 1])
        self.ledgers.append(self.ledgers[seq - 1])

    @precondition(lambda self: len(self.states) > 1)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        seq = data.draw(st.integers(1, len(self.states) - 1))
        assert shown(self.catalog.pin(seq=seq)) == self.states[seq]
        publish = self.catalog.publishes()[-seq]
        as_of = self.catalog.pin(as_of=publish.at)
        assert as_of.seq is not None
        assert as_of.seq >= seq  # two publishes may share a microsecond
        assert shown(as_of) == self.states[as_of.seq]

    @invariant()
    def main_is_what_was_published(self) -> None:
        pin = self.catalog.pin()
        assert shown(pin) == self.states[-1]
        assert pin.seq == len(self.states) - 1 == len(self.catalog.publishes())
        assert {(load.table, load.partition): load.load_id for load in self.catalog.loads()} == self.ledgers[-1]

    @invariant()
    def refs_are_what_was_done_to_them(self) -> None:
        assert {ref.name for ref in self.catalog.refs()} == set(self.branches)
        for name, branch in self.branches.items():
            assert shown(self.catalog.pin(name)) == branch.now
            assert {(load.table, load.partition): load.load_id for load in self.catalog.loads(name)} == branch.loads
            assert shown(self.catalog.pin(MAIN)) == self.states[-1]


def table_of(state: Tables, name: str) -> str | None:
    """Which table a name is in a state: its folder, not its version."""
    return state[name].rpartition("/metadata/")[0] if name in state else None


CatalogMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestCatalog = CatalogMachine.TestCase
