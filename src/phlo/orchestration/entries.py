"""Events of Dagster from the lines of a journal."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSeverity,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    EventLogEntry,
    MetadataValue,
)
from dagster._core.events import EngineEventData, JobFailureData, StepMaterializationData

from phlo.errors import PhloError
from phlo.orchestration import show
from phlo.orchestration.keys import asset_key, word
from phlo.quality.results import CheckResult
from phlo.transform.results import NodeResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dagster import DagsterRun

    from phlo.journal import Event, RunRecord
    from phlo.profiles import Lake
    from phlo.protocols import Publish

    Line = Mapping[str, Any]

ENDS = {
    "success": DagsterEventType.RUN_SUCCESS,
    "interrupted": DagsterEventType.RUN_CANCELED,
    "failed": DagsterEventType.RUN_FAILURE,
    "died": DagsterEventType.RUN_FAILURE,
}


_entry: Callable[..., EventLogEntry] = EventLogEntry  # its constructor has no types


def of_run(
    lake: Lake, run: DagsterRun, record: RunRecord, done: int, known: Collection[AssetCheckKey], died: dt.datetime
) -> Iterator[list[EventLogEntry]]:
    """Make the events of a run's lines from ``done`` on, in batches; the last when the run is over.

    ``died`` is when one ended that could not say so itself.
    """
    for line in record.lines[done:]:
        at = dt.datetime.fromisoformat(line["at"]).timestamp()
        if line["event"] == "began":
            yield [_event(run, at, DagsterEventType.RUN_START, f"Started by `{record.by}` in process {record.pid}.")]
        elif line["event"] == "log":
            yield [_said(run, at, line)]
        elif (told := _check(line, known) or _test(line, known)) is not None:
            yield [_event(run, at, DagsterEventType.ASSET_CHECK_EVALUATION, line["message"], told)]
    if record.status != "running":
        at = (record.ended or died).timestamp()
        published = _own_publish(lake, record)
        if published is not None:
            yield from _published(lake, run, at, record, published)
        yield [_end(run, at, record, published)]


def _own_publish(lake: Lake, record: RunRecord) -> Publish | None:
    """The publish that a run made itself: one that was made of its ref later, by hand, is not its end."""
    found = next(iter(lake.catalog.publishes(1, run_id=record.run_id)), None)
    if found is None or found.forced or (record.ended is not None and found.at > record.ended):
        return None
    return found


def _published(
    lake: Lake, run: DagsterRun, at: float, record: RunRecord, published: Publish
) -> Iterator[list[EventLogEntry]]:
    made = list(_materializations(lake, record, published))
    if made:
        kind = DagsterEventType.ASSET_MATERIALIZATION
        yield [
            _event(run, at, kind, f"Materialized {each.label}", StepMaterializationData(each), _step(each))
            for each in made
        ]
    tables = [change.name for change in published.changes]
    what = f"{len(tables)} table{'' if len(tables) == 1 else 's'}"
    data = EngineEventData({"publish": MetadataValue.int(published.seq), "tables": MetadataValue.json(tables)})
    yield [_event(run, at, DagsterEventType.ENGINE_EVENT, f"Published {what} as publish {published.seq}", data)]


def _materializations(lake: Lake, record: RunRecord, published: Publish) -> Iterator[AssetMaterialization]:
    """What was published, as that publish left it."""
    how = show.publish(published) | {"ref": f"run-{record.run_id}"}
    loaded = dict.fromkeys(load.table for load in published.loads)
    tables = {table: _as_published(lake, published, table) for table in loaded}
    took = {"run duration (s)": record.seconds} if record.seconds is not None else {}
    for load in published.loads:
        shown = show.load(load) | took | how | tables[load.table]
        yield AssetMaterialization(asset_key(load.table), partition=load.partition, metadata=shown)
    for model in _results(record, "model"):
        if model.status == "success":
            shown = show.numbers(model) | how | _as_published(lake, published, model.table)
            yield AssetMaterialization(asset_key(model.table), metadata=shown)


def _as_published(lake: Lake, published: Publish, table: str) -> dict[str, Any]:
    """Show a table as its publish left it; maintenance may have removed that since."""
    try:
        return show.table(lake, lake.catalog.pin(seq=published.seq), table)
    except (PhloError, OSError):
        return {}


def _step(made: AssetMaterialization) -> str:
    return made.asset_key.path[-1] if len(made.asset_key.path) == 1 else "dbt"


def _end(run: DagsterRun, at: float, record: RunRecord, published: Publish | None) -> EventLogEntry:
    kind = ENDS["success" if published is not None else record.status]
    error = record.error or {}
    kept = f"nothing was published, what there is is kept on run-{record.run_id}"
    said = {
        "success": "Finished.",
        "died": f"Its process ended before the run did; {kept}.",
    }.get("success" if published is not None else record.status, f"{error.get('message', 'It failed')}; {kept}.")
    data = JobFailureData(None) if kind is DagsterEventType.RUN_FAILURE else None
    return _event(run, at, kind, said, data)


def _said(run: DagsterRun, at: float, line: Line) -> EventLogEntry:
    level = logging.getLevelName(line["level"])
    return _entry(None, level, line["message"], run.run_id, at, None, run.job_name, None)


def _event(
    run: DagsterRun, at: float, kind: DagsterEventType, message: str, data: Any = None, step: str | None = None
) -> EventLogEntry:
    event = DagsterEvent(kind.value, run.job_name, step_key=step, event_specific_data=data, message=message)
    level = logging.ERROR if kind is DagsterEventType.RUN_FAILURE else logging.INFO
    return _entry(None, level, message, run.run_id, at, step, run.job_name, event)


def _check(line: Line, known: Collection[AssetCheckKey]) -> AssetCheckEvaluation | None:
    if line["event"] != "check":
        return None
    key = asset_key(line["table"])
    names = (word(line["quality"]), word(f"{line['quality']}_{line['name']}"))
    found = next((AssetCheckKey(key, name) for name in names if AssetCheckKey(key, name) in known), None)
    result = CheckResult(**_values(CheckResult, line))
    return found and _evaluation(found, result.passed, not result.blocking, result.message, show.check(result))


def _test(line: Line, known: Collection[AssetCheckKey]) -> AssetCheckEvaluation | None:
    if line["event"] != "test" or line["status"] == "skipped":
        return None
    found = next((key for key in known if key.name == word(line["name"])), None)
    test = NodeResult(**_values(NodeResult, line))
    passed, warns = test.status == "pass", test.status == "warn"
    return found and _evaluation(found, passed, warns, test.message or test.status, show.test(test))


def _evaluation(
    key: AssetCheckKey, passed: bool, warns: bool, message: str, shown: Mapping[str, Any]
) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=passed,
        metadata=shown,
        severity=AssetCheckSeverity.WARN if warns else AssetCheckSeverity.ERROR,
        description=message,
    )


def _results(record: RunRecord, kind: Event) -> list[NodeResult]:
    return [NodeResult(**_values(NodeResult, line)) for line in record.of(kind)]


def _values(record: type, line: Line) -> dict[str, Any]:
    """The values of a record that the journal keeps: it may be of another version of Phlo."""
    names = {each.name for each in fields(record)}
    return {name: value for name, value in line.items() if name in names}
