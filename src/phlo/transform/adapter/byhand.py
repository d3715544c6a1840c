"""dbt typed by hand in ``transforms/dbt``: a run like any other, on a ref of its own and published in one step.

``begin`` branches the ref when dbt starts to build; ``end`` publishes it when no node failed and the project's checks
pass on it, else keeps it. The target ``dev`` (or a ``ref`` in the profile) writes a ref that stays, and publishes
nothing. Commands that build nothing read: main, or the target's ref where there is one.
"""

from __future__ import annotations

import atexit
import datetime as dt
import getpass
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phlo.errors import PhloError, PublishConflict
from phlo.protocols import MAIN
from phlo.transform.lineage import keep_lineage
from phlo.transform.session import Session, current

OpenLake = Callable[[Path], Any]

Check = Callable[[Any, str, Callable[[str], None]], None]
"""Checks a lake's ref, telling how it went; raises where a blocking check fails."""

BUILDING = frozenset({"run", "build", "seed", "snapshot", "retry", "clone", "test", "freshness"})
"""The dbt commands that write."""

LOOKING = frozenset({"test", "freshness"})
"""Those that write by the way alone: failures that tests store, and the project's hooks."""

FINE = frozenset({"success", "pass", "warn", "no-op"})
"""The ends of a node after which its part of the ref is whole."""

DEV = "dev"


@dataclass
class HandRun:
    """The lake that this process's dbt command works on."""

    lake: Any
    check: Check
    kept: str | None
    """The ref that stays and is never published; None: a run's own."""
    session: Session
    run_id: str = ""
    command: str = ""
    before: BaseException | None = None
    """What was being handled when dbt began, such as in a notebook's own except."""
    working: Counter[str] = field(default_factory=Counter)
    """The nodes that have begun and not ended."""
    failed: dict[str, str] = field(default_factory=dict)
    """How nodes and hooks ended that did not end well."""
    leases: ExitStack = field(default_factory=ExitStack)

    @property
    def open(self) -> bool:
        """Whether it has a ref that is neither published nor kept as failed yet."""
        return bool(self.run_id)


_run: HandRun | None = None


def session() -> Session:
    """The session that dbt works in now: a run's of Phlo's, or the one of the command a user typed."""
    handed = current()
    if handed is not None:
        return handed
    if _run is None:
        raise RuntimeError("dbt asked for a table before its adapter was made")
    return _run.session


def prepare(open_lake: OpenLake, check: Check, folder: Path, target: str, ref: str | None) -> None:
    """Open the lake of the project above a dbt project's folder, for reading."""
    global _run
    lake = open_lake(folder)
    kept = ref or (f"{DEV}-{_user()}" if target == DEV else None)
    existing = {each.name for each in lake.catalog.refs()} if kept else set()
    reads = kept if kept and kept in existing else MAIN
    _run = HandRun(lake, check, kept, _session(lake, reads))


def begin(command: str, tables: Iterable[str], say: Callable[[str], None]) -> None:
    """Branch the ref that a building command writes, with a lease on its tables; other commands need none."""
    run = _run
    if current() is not None or run is None or run.open or command not in BUILDING:
        return
    run_id = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    catalog, settings = run.lake.catalog, run.lake.project.settings
    catalog.reap()
    catalog.prune(keep=settings.keep_failed, days=settings.keep_failed_days)
    run.leases.enter_context(catalog.lease(list(tables), run_id, on_wait=say))
    ref = run.kept or f"run-{run_id}"
    if run.session.ref != ref:
        # A ref that stays is no run's: nothing takes it for what a run that died has left.
        catalog.create_ref(ref, run_id="" if run.kept else run_id, selection=f"dbt {command}")
    run.session, run.run_id = _session(run.lake, ref), run_id
    run.command, run.before, run.failed, run.working = command, sys.exception(), {}, Counter()


def watch(event: Any) -> None:
    """Take note of how nodes and hooks end; dbt calls it with every event."""
    run = _run
    if run is None or not run.open or event.info.name not in ("NodeStart", "NodeFinished", "LogHookEndLine"):
        return
    unique_id = event.data.node_info.unique_id
    if event.info.name == "NodeStart":
        run.working[unique_id] += 1
        return
    if event.info.name == "NodeFinished":
        run.working[unique_id] -= 1
    ended = event.data.run_result.status if event.info.name == "NodeFinished" else event.data.status
    if ended not in FINE:
        run.failed[unique_id] = ended


def end(say: Callable[[str], None]) -> None:
    """Publish the ref, or keep it when nodes, hooks or blocking checks failed, or dbt did not come to its end.

    Raises what the checks and the publish raise.
    """
    run = _run
    if current() is not None or run is None or not run.open:
        return
    ref, catalog = run.session.ref, run.lake.catalog
    stopped, failed = sys.exception() is not run.before, _failed(run)
    run.run_id = ""
    with run.leases:
        trouble = keep_lineage(run.session, run.lake.project.state)
        if trouble:
            say(trouble)
        if run.kept:
            say(f"Written to `{ref}`, which is not published; `phlo ref diff {ref}` shows what differs from main")
        elif not catalog.diff(ref) and not stopped and not (failed and run.command not in LOOKING):
            catalog.drop_ref(ref)
            if run.command not in LOOKING:
                say("Nothing changed, so there was nothing to publish")
        elif stopped or failed:
            reason = "dbt stopped before its end" if stopped else f"{_nodes(failed)} failed"
            catalog.fail_ref(ref, reason, blocked=True)
            say(f"Nothing was published: {reason}. The data is kept on `{ref}`")
        else:
            _publish(run, ref, say)


def _failed(run: HandRun) -> int:
    """How many nodes failed, or began and did not end; nodes that were skipped count where nothing else does."""
    lost = {unique_id for unique_id, count in run.working.items() if count}
    real = {unique_id for unique_id, ended in run.failed.items() if ended != "skipped"} | lost
    return len(real) or len(run.failed)


def _publish(run: HandRun, ref: str, say: Callable[[str], None]) -> None:
    catalog = run.lake.catalog
    try:
        run.check(run.lake, ref, say)
        publish = catalog.publish(ref)
    except PublishConflict as conflict:
        catalog.fail_ref(ref, str(conflict))
        raise
    except BaseException as error:  # a check is a user's code, which may raise anything; so may Ctrl-C
        catalog.fail_ref(ref, str(error) or type(error).__name__, blocked=True)
        if not isinstance(error, PhloError):
            say(f"Nothing was published: the checks did not run to their end. The data is kept on `{ref}`")
        raise
    count = len(publish.changes)
    say(f"Published {count} table{'' if count == 1 else 's'} as publish {publish.seq}")


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _session(lake: Any, ref: str) -> Session:
    return Session(lake.catalog, lake.engine, ref, lake.project.settings.dialect)


def _user() -> str:
    return re.sub(r"[^A-Za-z0-9_]", "-", getpass.getuser()).strip("-") or "user"


@atexit.register
def _interrupted() -> None:
    """Keep the ref of a command that ended before dbt came to its end, such as by a signal."""
    run = _run
    if run is not None and run.open:
        with run.leases:
            if not run.kept:
                run.lake.catalog.fail_ref(run.session.ref, "dbt was interrupted", blocked=True)
        run.run_id = ""
