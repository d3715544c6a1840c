"""How compiled SQL names tables: ``"schema"."table"``, without a catalog, as a run decides which ref that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbt.adapters.base import BaseRelation
from dbt.adapters.contracts.relation import Policy

if TYPE_CHECKING:
    from dbt.adapters.base.relation import EventTimeFilter


@dataclass(frozen=True, eq=False, repr=False)
class PhloRelation(BaseRelation):
    """A table or view of the lake."""

    include_policy: Policy = field(default_factory=lambda: Policy(database=False))
    require_alias: bool = False

    @property
    def table_name(self) -> str:
        """The name that the catalog knows it by."""
        return f"{self.schema}.{self.identifier}"

    def _render_event_time_filtered(self, event_time_filter: EventTimeFilter) -> str:
        """Keep the rows of a batch: their times are compared with times, as Trino compares no text with a time."""
        column, start, end = event_time_filter.field_name, event_time_filter.start, event_time_filter.end
        since = f"{column} >= TIMESTAMP '{start}'" if start else ""
        until = f"{column} < TIMESTAMP '{end}'" if end else ""
        return " and ".join(part for part in (since, until) if part)
