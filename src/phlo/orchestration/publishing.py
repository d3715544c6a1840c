"""After a publish: the materializations that were held are told, with what the publish log says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phlo.declarations import RAW
from phlo.orchestration import held, show
from phlo.orchestration.keys import table_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dagster import AssetMaterialization, DagsterInstance

    from phlo.protocols import Publish


def tell(instance: DagsterInstance, file: Path, published: Publish) -> int:
    """Store the materializations of a published ref, once; return how many.

    Of an ingested table only what the ledger has counts: a day that was asked for and not loaded is not told.
    """
    loads = {(load.table, load.partition): load for load in published.loads}

    def describe(found: AssetMaterialization) -> Mapping[str, Any] | None:
        table = table_of(found.asset_key)
        if not table.startswith(f"{RAW}."):
            return show.publish(published)
        load = loads.get((table, found.partition))
        return show.load(load) | show.publish(published) if load else None

    count = held.release(instance, held.restore(file), describe)
    file.unlink(missing_ok=True)
    return count
