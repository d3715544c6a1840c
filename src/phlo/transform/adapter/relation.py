"""How compiled SQL names tables: ``"schema"."table"``, without a catalog, as a run decides which ref that is."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbt.adapters.base import BaseRelation
from dbt.adapters.contracts.relation import Policy


@dataclass(frozen=True, eq=False, repr=False)
class PhloRelation(BaseRelation):
    """A table or view of the lake."""

    include_policy: Policy = field(default_factory=lambda: Policy(database=False))
    require_alias: bool = False

    @property
    def table_name(self) -> str:
        """The name that the catalog knows it by."""
        return f"{self.schema}.{self.identifier}"
