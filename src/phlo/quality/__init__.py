"""The public door of quality checks."""

from phlo.quality.decorator import phlo_quality

__all__ = ["phlo_quality"]
