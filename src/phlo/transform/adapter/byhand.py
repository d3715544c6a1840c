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
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phlo.errors import PhloError, PublishConflict
from phlo.protocols import MAIN
from phlo.transform.session import Session, current

OpenLake = Callable[[Path], Any]

Check = Callable[[Any, str, Callable[[str], None]], None]
"""Checks a lake's ref, telling how it went; raises where a blocking check fails."""

BUILDING = frozenset({"run", "build", "seed", "snapshot", "retry"})
"""The dbt commands that write."""

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


def end(failed: int, say: Callable[[str], None]) -> None:
    """Publish the ref, or keep it when nodes or blocking checks failed; raise what the checks and the publish raise."""
    run = _run
    if current() is not None or run is None or not run.open:
        return
    ref, catalog = run.session.ref, run.lake.catalog
    run.run_id = ""
    with run.leases:
        if run.kept:
            say(f"Written to `{ref}`, which is not published; `phlo ref diff {ref}` shows what differs from main")
        elif failed:
            catalog.fail_ref(ref, f"{_nodes(failed)} of dbt failed", blocked=True)
            say(f"Nothing was published: {_nodes(failed)} failed. The data is kept on `{ref}`")
        elif not catalog.diff(ref):
            catalog.drop_ref(ref)
            say("Nothing changed, so there was nothing to publish")
        else:
            _publish(run, ref, say)


def abandon(reason: str, say: Callable[[str], None]) -> None:
    """Keep the ref of a command that ended before its ``end``: its own last hook failed, or it was stopped."""
    run = _run
    if current() is not None or run is None or not run.open:
        return
    with run.leases:
        if not run.kept:
            run.lake.catalog.fail_ref(run.session.ref, reason, blocked=True)
            say(f"Nothing was published: {reason}. The data is kept on `{run.session.ref}`")
    run.run_id = ""


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
    """Keep the ref of a command that ended before dbt came to its end, such as by Ctrl-C."""
    abandon("dbt was interrupted", lambda _: None)
