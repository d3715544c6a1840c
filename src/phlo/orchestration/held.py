"""Holds the events that say "materialized" until the data is published, and lets them go with what publish knows.

Dagster's steps log materializations when they end. A run that publishes nothing must not leave a partition marked as
done, so the instance keeps these events back for the time of the run; they travel with the ref.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dagster import AssetMaterialization, DagsterEventType, EventRecordsFilter
from dagster._core.events import StepMaterializationData
from dagster._serdes import deserialize_value, serialize_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dagster import AssetKey, DagsterInstance, EventLogEntry

    Describe = Callable[[AssetMaterialization], Mapping[str, Any] | None]

VERSION_TAG = "dagster/data_version"
INPUT_VERSION_TAG = "dagster/input_data_version/"
INPUT_POINTER_TAG = "dagster/input_event_pointer/"


@contextmanager
def held(instance: DagsterInstance, run_id: str) -> Iterator[list[EventLogEntry]]:
    """Keep back the materializations of a run that this instance is told of."""
    kept: list[EventLogEntry] = []
    store = instance.handle_new_event

    def keep_or_store(event: EventLogEntry, **_: Any) -> None:
        if event.run_id == run_id and materialization(event) is not None:
            kept.append(event)
        else:
            store(event)  # at once: a batch may end with an event that is kept

    instance.handle_new_event = keep_or_store  # type: ignore[method-assign]
    try:
        yield kept
    finally:
        del instance.handle_new_event


def release(instance: DagsterInstance, events: Sequence[EventLogEntry], describe: Describe) -> int:
    """Store kept events in their order; ``describe`` adds metadata to one, or drops it (None). Return how many.

    What a release that was killed has stored already is left out.

    An event says which events of its inputs it was made from. Those of the same run were not stored when it was
    made, so these tags point at older ones; they are set right here, as each input is stored before.
    """
    stored: dict[AssetKey, tuple[int, str]] = {}
    count, there = 0, _stored_already(instance, events)
    for key, group in groupby((event for event in events if _identity(event) not in there), key=_key):
        batch = [made for event in group if (made := _made(event, describe, stored)) is not None]
        if batch:
            instance.event_log_storage.store_event_batch(batch)
            count += len(batch)
            newest = EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION, asset_key=key)
            record = instance.event_log_storage.get_event_records(newest, limit=1)[0]
            tags = materialization(record.event_log_entry).tags or {}  # type: ignore[union-attr]
            stored[key] = record.storage_id, tags.get(VERSION_TAG, "")
    return count


def save(file: Path, events: Sequence[EventLogEntry]) -> None:
    """Keep events beside their ref, for the run that takes it over or the look at what a dead one left."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(serialize_value(list(events)))
    draft.replace(file)


def restore(file: Path) -> list[EventLogEntry]:
    """Read the events that were kept beside a ref."""
    return list(deserialize_value(file.read_text(), list)) if file.exists() else []


def materialization(event: EventLogEntry) -> AssetMaterialization | None:
    """The materialization that an event is of; None for every other event."""
    if event.dagster_event is None or event.dagster_event_type != DagsterEventType.ASSET_MATERIALIZATION:
        return None
    return event.dagster_event.step_materialization_data.materialization


def _stored_already(instance: DagsterInstance, events: Sequence[EventLogEntry]) -> set[tuple[str, str, str | None]]:
    kind = DagsterEventType.ASSET_MATERIALIZATION
    runs = {event.run_id for event in events}
    return {_identity(event) for run_id in runs for event in instance.all_logs(run_id, of_type=kind)}


def _identity(event: EventLogEntry) -> tuple[str, str, str | None]:
    found = materialization(event)
    assert found is not None, "only materializations are kept"
    return event.run_id, found.asset_key.to_user_string(), found.partition


def _key(event: EventLogEntry) -> AssetKey:
    found = materialization(event)
    assert found is not None, "only materializations are kept"
    return found.asset_key


def _made(event: EventLogEntry, describe: Describe, stored: Mapping[AssetKey, tuple[int, str]]) -> EventLogEntry | None:
    old = materialization(event)
    assert old is not None and event.dagster_event is not None, "only materializations are kept"
    more = describe(old)
    if more is None:
        return None
    new = AssetMaterialization(
        asset_key=old.asset_key,
        description=old.description,
        metadata={**more, **old.metadata},  # the numbers of the publish first: a page shows few lines
        partition=old.partition,
        tags={**(old.tags or {}), **_inputs(old.tags or {}, stored)},
    )
    return event._replace(dagster_event=event.dagster_event._replace(event_specific_data=StepMaterializationData(new)))


def _inputs(tags: Mapping[str, str], stored: Mapping[AssetKey, tuple[int, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, (storage_id, version) in stored.items():
        name = key.to_user_string()
        if INPUT_POINTER_TAG + name in tags:
            found |= {INPUT_POINTER_TAG + name: str(storage_id), INPUT_VERSION_TAG + name: version}
    return found
