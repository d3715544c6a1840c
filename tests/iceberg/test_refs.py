"""Refs that runs left behind are kept for a while, then forgotten; on SQLite and on Postgres."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from phlo.errors import UnknownRef
from phlo.iceberg import refs
from phlo.iceberg.database import stamp

if TYPE_CHECKING:
    from phlo.iceberg.catalog import SqlRefCatalog


def fail(catalog: SqlRefCatalog, name: str, selection: str) -> None:
    catalog.create_ref(name, run_id=name, selection=selection)
    catalog.fail_ref(name, "the source was down")


def test_the_newest_failed_refs_of_each_selection_are_kept(catalog: SqlRefCatalog) -> None:
    for n in range(4):
        fail(catalog, f"a{n}", "a")
        fail(catalog, f"b{n}", "b")
    catalog.create_ref("dev-ann")
    assert {ref.name for ref in catalog.prune(keep=3, days=7)} == {"a0", "b0"}
    assert {ref.name for ref in catalog.refs()} == {"a1", "a2", "a3", "b1", "b2", "b3", "dev-ann"}
    assert catalog.prune(keep=3, days=7) == []
    assert {ref.name for ref in catalog.prune(keep=0, days=7)} == {"a1", "a2", "a3", "b1", "b2", "b3"}


def test_old_failed_refs_are_dropped_even_if_they_are_few(
    catalog: SqlRefCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(catalog, "a", "a")
    catalog.create_ref("dev-ann")
    later = stamp(dt.datetime.now(dt.UTC) + dt.timedelta(days=7, minutes=1))
    assert catalog.prune(keep=3, days=7) == []
    monkeypatch.setattr(refs, "now", lambda connection: later)
    (dropped,) = catalog.prune(keep=3, days=7)
    assert (dropped.name, dropped.reason) == ("a", "the source was down")
    assert [ref.name for ref in catalog.refs()] == ["dev-ann"]


def test_an_open_ref_whose_run_holds_no_lease_is_reaped(catalog: SqlRefCatalog, second: SqlRefCatalog) -> None:
    catalog.create_ref("dead", run_id="dead")
    catalog.create_ref("dev-ann")
    fail(catalog, "failed", "a")
    with catalog.lease(["raw.g"], "living"):
        catalog.create_ref("living", run_id="living")
        assert catalog.live_runs() == {"living"}
        states = {ref.name: ref.state for ref in second.refs()}
        assert states == {"dead": "died", "dev-ann": "open", "failed": "failed", "living": "open"}
        (reaped,) = second.reap()
        assert (reaped.name, reaped.state) == ("dead", "failed")
        assert "process ended" in reaped.reason
        assert catalog.ref("living").state == "open"
    assert catalog.live_runs() == set()
    assert [ref.name for ref in catalog.reap()] == ["living"]
    assert catalog.ref("failed").reason == "the source was down"
    assert catalog.ref("dev-ann").state == "open"


def test_a_failed_ref_that_is_reopened_keeps_its_base_and_may_be_published(catalog: SqlRefCatalog) -> None:
    catalog.create_ref("run-1", run_id="1", selection="x")
    catalog.fail_ref("run-1", "it failed", blocked=True)
    catalog.reopen_ref("run-1")
    with catalog.lease(["raw.g"], "1"):
        ref = catalog.ref("run-1")
        assert (ref.state, ref.reason, ref.blocked, ref.run_id) == ("open", "", False, "1")
        assert catalog.publish("run-1").ref == "run-1"
    with pytest.raises(UnknownRef):
        catalog.reopen_ref("run-1")
