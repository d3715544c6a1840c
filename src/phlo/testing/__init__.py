"""What users test their workflows with: schemas on rows, ingestions and whole projects in a lake that is thrown away.

- ``validate(Model, rows)`` sorts rows as a load would: good ones, and rejected ones with their reasons.
- ``example_row(Model)`` is a row to begin with.
- ``run_ingestion(function, partition_date, rows=…)`` loads one day into a temporary lake, from the source or from rows.
- ``check_rows(function, rows)`` runs the checks that ``@phlo.quality`` declares on rows.
- ``materialize(lake, …)`` runs assets of the project, dbt models and checks too, in ``temporary_lake(project)``.

``pytest_plugins = ["phlo.testing.fixtures"]`` in a ``conftest.py`` brings the fixtures ``project_lake`` (the project's
own, with a state of its own for each test) and ``empty_lake``. Nothing here touches the project's real lake.
"""

from phlo.testing.examples import example_row
from phlo.testing.lakes import materialize, temporary_lake
from phlo.testing.runs import Ingested, check_rows, run_ingestion
from phlo.testing.schemas import RejectedRow, Validation, validate

__all__ = [
    "Ingested",
    "RejectedRow",
    "Validation",
    "check_rows",
    "example_row",
    "materialize",
    "run_ingestion",
    "temporary_lake",
    "validate",
]
