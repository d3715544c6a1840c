"""dbt typed by hand in transforms/dbt, in a process of its own, as a user does."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from phlo.transform.lineage import Column, read_lineage

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.profiles import Lake
    from phlo.protocols import Pin

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

DEV = f"dev-{re.sub(r'[^A-Za-z0-9_]', '-', getpass.getuser())}"


def as_a_user(lake: Lake, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dbt where the spec runs it, in a process of its own."""
    command = [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *arguments]
    return subprocess.run(
        command, cwd=lake.project.dbt, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def dbt(lake: Lake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run dbt as by hand, but in this process: it need not be imported again."""
    from dbt.cli.main import dbtRunner

    def run(*arguments: str, ok: bool = True) -> str:
        monkeypatch.chdir(lake.project.dbt)
        outcome = dbtRunner().invoke(["--no-use-colors", "--no-version-check", *arguments])
        said = "".join(capfd.readouterr())
        assert outcome.success is ok, said
        return said

    return run


def main(lake: Lake) -> Pin:
    return lake.catalog.pin()


@pytest.mark.slow
def test_the_spec_s_two_commands_each_publish_their_model(lake: Lake) -> None:
    done = as_a_user(lake, "run", "--models", "bronze.stg_glucose_entries")
    assert done.returncode == 0, done.stdout
    assert "Published 1 table as publish 2" in done.stdout
    assert set(main(lake).tables) == {"raw.glucose_entries", "bronze.stg_glucose_entries"}
    done = as_a_user(lake, "run", "--models", "silver.fct_glucose_readings")
    assert "Published 1 table as publish 3" in done.stdout
    assert lake.query("select count(*) as n from silver.fct_glucose_readings").to_pylist() == [{"n": 288}]
    origins = read_lineage(lake).origins("silver.fct_glucose_readings", "glucose_category")
    assert origins == (Column("raw.glucose_entries", "sgv"),)
    assert lake.catalog.refs() == []
    assert {publish.run_id for publish in lake.catalog.publishes()[:2]} != {""}


def test_a_model_that_fails_publishes_nothing_and_its_ref_is_kept(lake: Lake, dbt: Any) -> None:
    model = lake.project.dbt / "models" / "silver" / "fct_glucose_readings.sql"
    model.write_text("select nope from {{ ref('stg_glucose_entries') }}")
    said = dbt("run", ok=False)
    assert "(models/silver/fct_glucose_readings.sql)" in said
    (kept,) = lake.catalog.refs()
    assert f"Nothing was published: 1 node failed. The data is kept on `{kept.name}`" in said
    assert (kept.state, kept.selection) == ("failed", "dbt run")
    assert set(main(lake).tables) == {"raw.glucose_entries"}
    assert "bronze.stg_glucose_entries" in lake.catalog.pin(kept.name).tables


@pytest.mark.slow
def test_the_target_dev_keeps_a_ref_of_the_user_s_own_and_publishes_nothing(lake: Lake, dbt: Any) -> None:
    said = dbt("run", "--target", "dev", "--select", "stg_glucose_entries")
    assert f"Written to `{DEV}`, which is not published" in said
    said = dbt("run", "--target", "dev", "--select", "fct_glucose_readings")
    assert set(lake.catalog.pin(DEV).tables) == {
        "raw.glucose_entries",
        "bronze.stg_glucose_entries",
        "silver.fct_glucose_readings",
    }
    assert set(main(lake).tables) == {"raw.glucose_entries"}
    assert lake.catalog.reap() == []
    said = dbt("show", "--target", "dev", "--inline", "select count(*) as n from silver.fct_glucose_readings")
    assert "| 288 |" in said


@pytest.mark.slow
def test_commands_that_only_read_open_no_ref(lake: Lake, dbt: Any) -> None:
    dbt("compile", "--select", "stg_glucose_entries")
    said = dbt("show", "--inline", "select count(*) as n from {{ source('raw_iceberg', 'glucose_entries') }}")
    assert "| 288 |" in said
    assert "glucose_platform.bronze.stg_glucose_entries" in dbt("ls")
    assert lake.catalog.refs() == []
    assert len(lake.catalog.publishes()) == 1
    assert main(lake).seq == 1


@pytest.mark.slow
def test_docs_are_generated_with_the_catalog_s_columns(lake: Lake, dbt: Any) -> None:
    dbt("run", "--select", "stg_glucose_entries")
    dbt("docs", "generate")
    catalog = json.loads((lake.project.dbt / "target" / "catalog.json").read_text())
    node = catalog["nodes"]["model.glucose_platform.stg_glucose_entries"]
    assert node["metadata"]["type"] == "table"
    assert node["columns"]["reading_timestamp"] == {
        "type": "timestamp(6)",
        "index": 3,
        "name": "reading_timestamp",
        "comment": None,
    }
    assert (
        catalog["sources"]["source.glucose_platform.raw_iceberg.glucose_entries"]["columns"]["sgv"]["type"] == "bigint"
    )


@pytest.mark.slow
def test_seeds_snapshots_and_tests_are_part_of_one_build(lake: Lake, dbt: Any) -> None:
    said = dbt("build")
    assert "Published 7 tables as publish 2" in said
    assert "bronze.devices" in main(lake).tables


def test_a_data_test_that_fails_publishes_nothing(lake: Lake, dbt: Any) -> None:
    said = dbt("build", "--vars", "{highest: 100}", ok=False)
    assert "Nothing was published: 1 node failed" in said
    assert set(main(lake).tables) == {"raw.glucose_entries"}


@pytest.mark.slow
def test_dbt_test_looks_at_main_and_opens_no_ref(lake: Lake, dbt: Any) -> None:
    dbt("run", "--select", "stg_glucose_entries")
    dbt("test", "--select", "stg_glucose_entries", "--vars", "{highest: 100}", ok=False)
    dbt("test", "--select", "stg_glucose_entries")
    assert lake.catalog.refs() == []
    assert len(lake.catalog.publishes()) == 2


def test_a_run_in_vain_publishes_nothing(lake: Lake, dbt: Any) -> None:
    dbt("run", "--select", "no_such_model")
    assert len(lake.catalog.publishes()) == 1
    assert lake.catalog.refs() == []


@pytest.mark.slow
def test_a_run_that_changes_nothing_publishes_nothing(lake: Lake, dbt: Any) -> None:
    dbt("run", "--select", "stg_glucose_entries")
    assert "Nothing changed, so there was nothing to publish" in dbt("run", "--select", "stg_glucose_entries")
    assert lake.catalog.refs() == []
    assert len(lake.catalog.publishes()) == 2


def test_main_that_moved_meanwhile_refuses_the_publish_and_says_so(lake: Lake, dbt: Any) -> None:
    model = lake.project.dbt / "models" / "bronze" / "stg_glucose_entries.sql"
    model.write_text(
        "{{ config(post_hook='{{ meddle() }}') }} "
        "select _id as entry_id from {{ source('raw_iceberg', 'glucose_entries') }}"
    )
    (lake.project.dbt / "macros" / "meddle.sql").write_text("{% macro meddle() %}{{ adapter.meddle() }}{% endmacro %}")
    from dbt.adapters.base.meta import available

    from phlo.transform.adapter.impl import PhloAdapter

    def meddle(self: Any) -> str:
        """Publish other readings while dbt's run goes on."""
        lake.catalog.create_ref("other")
        rows = pa.table({"_id": [str(uuid.uuid4())]})
        lake.engine.write("raw.glucose_entries", rows, "other", mode="replace")
        lake.catalog.publish("other")
        return ""

    PhloAdapter.meddle = available.parse_none(meddle)  # type: ignore[attr-defined]
    PhloAdapter._available_ = PhloAdapter._available_ | {"meddle"}
    said = dbt("run", "--select", "stg_glucose_entries", ok=False)
    assert "raw.glucose_entries" in said
    assert "changed on main since it began" in said
    (kept,) = lake.catalog.refs()
    assert kept.state == "failed"
    assert "bronze.stg_glucose_entries" not in main(lake).tables


SLOW = """
{{ config(materialized='table') }}
select count(*) as n
from {{ source('raw_iceberg', 'glucose_entries') }} a, {{ source('raw_iceberg', 'glucose_entries') }} b,
  {{ source('raw_iceberg', 'glucose_entries') }} c, {{ source('raw_iceberg', 'glucose_entries') }} d
where a.sgv + b.sgv * c.sgv > sqrt(d.sgv)
"""

IN_A_RUN = """
import sys
from phlo.profiles import open_lake
from phlo.transform.run import run_models
lake = open_lake(sys.argv[1])
lake.catalog.create_ref("run-interrupted")
run_models(lake, "run-interrupted", ["slow"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["by hand", "in a run of Phlo's"])
def test_ctrl_c_stops_the_query_that_runs(lake: Lake, how: str) -> None:
    (lake.project.dbt / "models" / "gold" / "slow.sql").write_text(SLOW)
    by_hand = [str(Path(sys.executable).with_name("dbt")), "run", "--select", "slow"]
    script = lake.project.root / "run.py"
    script.write_text(IN_A_RUN)
    command = by_hand if how == "by hand" else [sys.executable, str(script), str(lake.project.root)]
    process = subprocess.Popen(
        command,
        cwd=lake.project.dbt,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: any("raw.glucose_entries" in read_set(lake, each.name) for each in lake.catalog.refs()))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in said
    assert process.returncode != 0
    (kept,) = lake.catalog.refs()
    assert kept.state == ("failed" if how == "by hand" else "open")
    assert set(main(lake).tables) == {"raw.glucose_entries"}


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def read_set(lake: Lake, ref: str) -> list[str]:
    from phlo.iceberg.refs import reads

    with lake.catalog.database.read() as connection:  # type: ignore[attr-defined]
        return reads(connection, ref)


# ── the project's checks ─────────────────────────────────────────────────────────────────────────────────

CHECKS = """
import phlo
from phlo.quality import RangeCheck


@phlo.quality(table="silver.fct_glucose_readings", checks=[RangeCheck(column="glucose_mg_dl", max_value={highest})],
              blocking={blocking})
def readings_are_possible(): ...
"""


def declare(lake: Lake, highest: int, *, blocking: bool = True) -> None:
    folder = lake.project.root / "workflows" / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checks.py").write_text(CHECKS.format(highest=highest, blocking=blocking))


@pytest.mark.parametrize("command", ["run", pytest.param("build", marks=pytest.mark.slow)])
def test_a_blocking_check_that_fails_publishes_nothing_and_fails_dbt(lake: Lake, dbt: Any, command: str) -> None:
    declare(lake, highest=100)
    said = dbt(command, "--select", "stg_glucose_entries", "fct_glucose_readings", ok=False)
    (kept,) = lake.catalog.refs()
    assert f"and the data is kept on `{kept.name}`" in said
    assert "✗" in said
    assert "glucose_mg_dl" in said
    assert (kept.state, kept.blocked) == ("failed", True)
    assert set(main(lake).tables) == {"raw.glucose_entries"}


@pytest.mark.slow
def test_checks_that_do_not_block_are_said_and_the_rest_counted(lake: Lake, dbt: Any) -> None:
    declare(lake, highest=100, blocking=False)
    said = dbt("run", "--select", "stg_glucose_entries", "fct_glucose_readings")
    assert "(not blocking)" in said
    assert "0 of 1 checks passed" in said
    assert "Published 2 tables" in said


@pytest.mark.slow
def test_a_workflow_file_that_does_not_import_may_hide_a_check_so_nothing_is_published(lake: Lake, dbt: Any) -> None:
    declare(lake, highest=1000)
    (lake.project.root / "workflows" / "quality" / "checks.py").write_text("import phlo.quality\noops\n")
    said = dbt("run", "--select", "stg_glucose_entries", ok=False)
    assert "may declare checks and does not import" in said
    assert set(main(lake).tables) == {"raw.glucose_entries"}


@pytest.mark.slow
def test_a_hook_at_the_end_that_fails_publishes_nothing_and_names_the_ref(lake: Lake, dbt: Any) -> None:
    project = lake.project.dbt / "dbt_project.yml"
    project.write_text(project.read_text() + '\non-run-end: "select nope from nowhere.at_all"\n')
    said = dbt("run", "--select", "stg_glucose_entries", ok=False)
    (kept,) = lake.catalog.refs()
    assert f"The data is kept on `{kept.name}`" in said
    assert kept.state == "failed"
    assert set(main(lake).tables) == {"raw.glucose_entries"}
