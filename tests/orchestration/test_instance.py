"""The configuration that Phlo writes for Dagster, with what a project says of its own."""

from __future__ import annotations

import pytest

from phlo.orchestration.instance import with_driver

URL = "postgresql+psycopg2://dagster@db/runs"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"postgres_url": "postgresql://dagster@db/runs"}, {"postgres_url": URL}),
        ({"postgres_url": URL}, {"postgres_url": URL}),
        ({"postgres_url": {"env": "DAGSTER_URL"}}, {"postgres_url": {"env": "DAGSTER_URL"}}),
        (
            {"postgres_db": {"hostname": "db"}},
            {"postgres_db": {"hostname": "db", "scheme": "postgresql+psycopg2"}},
        ),
        (
            {"postgres_db": {"hostname": "db", "scheme": "cockroachdb"}},
            {"postgres_db": {"hostname": "db", "scheme": "cockroachdb"}},
        ),
    ],
)
def test_postgres_is_asked_with_the_driver_that_dagster_needs(said: dict[str, object], read: dict[str, object]) -> None:
    assert with_driver({"storage": {"postgres": said}}) == {"storage": {"postgres": read}}


def test_other_settings_stay_as_they_are() -> None:
    assert with_driver({"run_queue": {"max_concurrent_runs": 2}, "storage": None}) == {
        "run_queue": {"max_concurrent_runs": 2},
        "storage": None,
    }
