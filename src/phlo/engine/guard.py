"""Which statements may run as queries: one read-only statement over the catalog's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from phlo.errors import QueryNotAllowed

if TYPE_CHECKING:
    from sqlglot.expressions import Expression


def check_read_only(tree: Expression) -> None:
    """Raise ``QueryNotAllowed`` for anything but a query over the catalog's tables."""
    if not isinstance(tree, exp.Query | exp.Values | exp.Show | exp.Describe):
        raise QueryNotAllowed(what=tree.key.upper(), why="only SELECT, SHOW, DESCRIBE and EXPLAIN may run")
