"""Checks that run on a run's ref before it is published, decorated with @phlo.quality."""
