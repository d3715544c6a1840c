"""``@phlo.quality``: the decorator that declares checks of a table."""

from __future__ import annotations


def phlo_quality() -> None:
    """Declare checks of a table."""
