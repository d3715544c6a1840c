"""One look at all rules: what began and what is over goes to the outbox, and from there to whom it concerns."""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from phlo.alerting.conditions import Facts, Problem, problems
from phlo.alerting.config import Alerting, Destination, read_config
from phlo.alerting.outbox import Message, Outbox, Waiting
from phlo.alerting.send import send
from phlo.errors import AlertNotSent, AlertsUnavailable, PhloError
from phlo.journal import FOLDER, RunRecord, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from phlo.profiles import Lake

LOOK_BACK = dt.timedelta(days=30)
PATIENCE = 10.0
AFTER_A_RUN = 2.0
"""Seconds that a destination may take; after a run nobody is to wait for one that is down."""


@dataclass(frozen=True)
class Checked:
    """What one look found."""

    firing: tuple[Problem, ...]
    begun: tuple[Message, ...]
    over: tuple[Message, ...]
    not_evaluated: dict[str, str]
    """Rules that could not be, with the reason."""
    waiting: tuple[Waiting, ...]
    """What some destination was not told yet; it is tried again."""


def check(lake: Lake, say: Callable[[str], None], *, patience: float = PATIENCE, again: bool = True) -> Checked:
    """Evaluate every rule, and tell the destinations what changed; with ``again`` also what waits for its time."""
    config = read_config(lake.project.root)
    now = dt.datetime.now(dt.UTC)
    found, broken = _evaluate(config, lake, now)
    outbox = _outbox(lake)
    names = [destination.name for destination in config.destinations]
    ready = [destination.name for destination in config.destinations if not destination.missing]
    to = {rule.name: [name for name in rule.to or ready if name in ready] for rule in config.rules}
    changed = outbox.settle(found, to.keys() - broken.keys(), to, now)
    outbox.drop(names)
    deliver(config.destinations, outbox, say, patience=patience, again=again)
    return Checked(
        tuple(found),
        tuple(message for message in changed if message.status == "firing"),
        tuple(message for message in changed if message.status == "resolved"),
        broken,
        tuple(outbox.waiting()),
    )


def check_after_run(lake: Lake, say: Callable[[str], None]) -> None:
    """Look at the rules when a run has ended, in a moment and without ever failing the run."""
    try:
        if read_config(lake.project.root).rules:
            check(lake, say, patience=AFTER_A_RUN, again=False)
    except PhloError as error:
        say(f"warning: alerts were not checked: {error}")
    except OSError as error:
        say(f"warning: alerts were not checked: {error.strerror or error}")


def deliver(
    destinations: Sequence[Destination], outbox: Outbox, say: Callable[[str], None], *, patience: float, again: bool
) -> None:
    """Tell all destinations side by side what waits for them, and wait for none longer than ``patience``.

    A message that is being sent when time is up counts as waiting: rather told twice than never.
    """
    claimed = [(each, outbox.claim(each.name, time.time(), whole=again)) for each in destinations]
    threads = [
        threading.Thread(target=_deliver, args=(each, waiting, outbox, say, patience), daemon=True)
        for each, waiting in claimed
        if waiting
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience + 1
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _deliver(
    destination: Destination, waiting: Sequence[Waiting], outbox: Outbox, say: Callable[[str], None], patience: float
) -> None:
    try:
        for position, each in enumerate(waiting):
            try:
                send(destination, each.message, timeout=patience, say=say)
            except AlertNotSent as error:
                outbox.failed(waiting[position:], str(error.values["detail"]), time.time())
                return
            outbox.sent(each)
    except AlertsUnavailable as error:
        say(f"warning: {error}")


def _outbox(lake: Lake) -> Outbox:
    return Outbox(lake.project.state, lake.project.name)


def _evaluate(config: Alerting, lake: Lake, now: dt.datetime) -> tuple[list[Problem], dict[str, str]]:
    def query(sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = lake.query(sql).to_pylist()
        return rows

    facts = Facts(_runs(lake.project.state, now - LOOK_BACK), lake.catalog.newest(), query, now)
    covered = any(rule.on == "check_failed" and "table" not in rule.options for rule in config.rules)
    found, broken = [], {}
    for rule in config.rules:
        try:
            found += problems(rule, facts, checks_covered=covered)
        except PhloError as error:
            broken[rule.name] = str(error).partition("\n")[0]
    return found, broken


_ended: dict[Path, RunRecord] = {}
"""Runs that are over, with what rules read of them: a server looks every half minute, and journals are long."""


def _runs(state: Path, since: dt.datetime) -> list[RunRecord]:
    """Read the journals that were written since a time, oldest run first; each that is over just once."""
    folder, oldest = state / FOLDER, since.timestamp()
    files = [file for file in folder.glob("*.jsonl") if file.stat().st_mtime >= oldest] if folder.is_dir() else []
    for gone in [file for file in _ended if file.parent == folder and file not in files]:
        del _ended[gone]
    found = [_ended.get(file) or _read(file) for file in files]
    return sorted((record for record in found if record is not None), key=lambda record: record.began)


def _read(file: Path) -> RunRecord | None:
    record = read(file)
    if record is not None and record.ended is not None:
        _ended[file] = replace(record, lines=tuple(record.of("check", "test")))
    return record
