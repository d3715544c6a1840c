"""Pandera models that say what rows must look like."""
