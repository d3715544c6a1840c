"""Figures of runs and tables, read off the journals of runs: no workflow is imported, no query is run."""

from phlo.metrics.figures import (
    AssetFigures,
    Figures,
    check_message,
    newest_checks,
    of_asset,
    of_runs,
    parse_period,
    percentile,
)

__all__ = [
    "AssetFigures",
    "Figures",
    "check_message",
    "newest_checks",
    "of_asset",
    "of_runs",
    "parse_period",
    "percentile",
]
