"""Events of Dagster from the lines of a journal."""

from __future__ import annotations

import datetime as dt
import logging
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

from phlo.orchestration import show
from phlo.orchestration.keys import asset_key, word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from dagster import DagsterRun

    from phlo.journal import RunRecord
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
    run: DagsterRun, record: RunRecord, done: int, published: Publish | None, known: Collection[AssetCheckKey]
) -> Iterator[list[EventLogEntry]]:
    """Make the events of a run's lines from ``done`` on, in batches; the last when the run is over."""
    for line in record.lines[done:]:
        at = dt.datetime.fromisoformat(line["at"]).timestamp()
        if line["event"] == "began":
            yield [_event(run, at, DagsterEventType.RUN_START, f"Started by `{record.by}` in process {record.pid}.")]
        elif line["event"] == "log":
            yield [_said(run, at, line)]
        elif line["event"] == "check" and (key := _check_key(line, known)) is not None:
            yield [_event(run, at, DagsterEventType.ASSET_CHECK_EVALUATION, line["message"], _evaluation(key, line))]
    if record.status != "running":
        at = (record.ended or dt.datetime.now(dt.UTC)).timestamp()
        if published is not None:
            yield from _published(run, at, record, published)
        yield [_end(run, at, record, published)]


def _published(run: DagsterRun, at: float, record: RunRecord, published: Publish) -> Iterator[list[EventLogEntry]]:
    made = [line["table"] for line in record.of("model") if line["status"] == "success"]
    how = show.publish(published)
    found = [
        AssetMaterialization(asset_key(load.table), partition=load.partition, metadata=show.load(load) | how)
        for load in published.loads
    ]
    found += [AssetMaterialization(asset_key(table), metadata=how) for table in made]
    if found:
        kind = DagsterEventType.ASSET_MATERIALIZATION
        yield [
            _event(run, at, kind, f"Materialized {each.label}", StepMaterializationData(each), _step(each))
            for each in found
        ]
    tables = [change.name for change in published.changes]
    what = f"{len(tables)} table{'' if len(tables) == 1 else 's'}"
    data = EngineEventData({"publish": MetadataValue.int(published.seq), "tables": MetadataValue.json(tables)})
    yield [_event(run, at, DagsterEventType.ENGINE_EVENT, f"Published {what} as publish {published.seq}", data)]


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


def _check_key(line: Line, known: Collection[AssetCheckKey]) -> AssetCheckKey | None:
    key = asset_key(line["table"])
    names = (word(line["quality"]), word(f"{line['quality']}_{line['name']}"))
    return next((AssetCheckKey(key, name) for name in names if AssetCheckKey(key, name) in known), None)


def _evaluation(key: AssetCheckKey, line: Line) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=line["passed"],
        metadata={
            "violations": MetadataValue.int(line["violations"]),
            "rows checked": MetadataValue.int(line["total"]),
        },
        severity=AssetCheckSeverity.ERROR if line["blocking"] else AssetCheckSeverity.WARN,
        description=line["message"],
    )
