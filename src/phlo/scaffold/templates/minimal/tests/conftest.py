"""Brings in the fixtures `project_lake` (this project, with a lake for one test) and `empty_lake`."""

pytest_plugins = ["phlo.testing.fixtures"]
