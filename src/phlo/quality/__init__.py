"""The public door of quality checks: the decorator, the built-in checks and what a check of your own must look like."""

from phlo.declarations import Check
from phlo.quality.checks import (
    CountCheck,
    CustomSQLCheck,
    FreshnessCheck,
    NullCheck,
    PatternCheck,
    RangeCheck,
    SchemaCheck,
    UniqueCheck,
)
from phlo.quality.decorator import phlo_quality
from phlo.quality.protocol import Measure, Outcome, Scope, SQLCheck

__all__ = [
    "Check",
    "CountCheck",
    "CustomSQLCheck",
    "FreshnessCheck",
    "Measure",
    "NullCheck",
    "Outcome",
    "PatternCheck",
    "RangeCheck",
    "SQLCheck",
    "SchemaCheck",
    "Scope",
    "UniqueCheck",
    "phlo_quality",
]
