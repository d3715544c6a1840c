"""The adapter's version: Phlo's own."""

from importlib.metadata import version as version_of

version = version_of("phlo")
