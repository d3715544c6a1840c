"""An instance whose runs, events and ticks are in Postgres, as `.phlo/dagster.yaml` may have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from floor import DAY, floor_of, rows
from server_process import served
from tests.iceberg.conftest import postgres_server, postgres_uri  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from tests.conftest import Shop

pytestmark = pytest.mark.slow

TICKING = """
import phlo


@phlo.ingestion(unique_key="id", cron="* * * * *")
def ticking(partition_date: str):
    return [{"id": partition_date}]
"""


def test_runs_commands_and_schedules_are_shown_from_postgres_and_again_by_the_next_server(
    shop: Shop,
    postgres_uri: str,  # noqa: F811
) -> None:
    pytest.importorskip("dagster_postgres", reason="dagster-postgres is not installed")
    (shop.root / ".phlo").mkdir()
    storage = {"postgres": {"postgres_url": postgres_uri.replace("+psycopg", "")}}
    (shop.root / ".phlo" / "dagster.yaml").write_text(yaml.safe_dump({"storage": storage}))
    (shop.root / "workflows" / "ticking.py").write_text(TICKING)
    shop.deliver(DAY, rows(3))
    shop.run("backfill", "events", "--start-date", "2024-01-01", "--end-date", "2024-01-20")
    with served(shop) as server:
        assert server.partitions("events") == {f"2024-01-{day:02}" for day in range(1, 21)}
        run = server.launch("readings")
        assert server.ended(run) == "SUCCESS"
        assert server.partitions("readings") == {DAY}
        server.wait(lambda: bool(server.partitions("ticking")))  # a minute passes at most
        before = {each["runId"] for each in server.runs()}
    with served(shop) as server:
        assert before <= {each["runId"] for each in server.runs()}
        assert server.partitions("readings") == {DAY}
    assert not (shop.root / ".phlo" / "state" / "dagster" / "history").exists()
    with floor_of(shop) as floor:  # a tick's run may have ended with its server
        assert {load.table for each in floor.lake.catalog.publishes() for load in each.loads} == {
            "raw.events", "raw.readings", "raw.ticking",
        }  # fmt: skip
