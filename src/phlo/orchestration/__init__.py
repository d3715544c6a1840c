"""Dagster: definitions from declarations, one run for one ref, and the server that shows them.

The only package that imports Dagster; nothing here computes: steps call the functions of ``pipeline.py``.
"""
