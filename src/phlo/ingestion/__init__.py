"""The public door of ingestion."""

from phlo.ingestion.decorator import phlo_ingestion

__all__ = ["phlo_ingestion"]
