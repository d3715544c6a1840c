"""Ingestions and their schemas."""
