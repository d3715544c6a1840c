"""The models' graph: what it says, and that dbt is asked only when a file changed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from phlo.project import Project
from phlo.transform.models import Model, graph, model_names

if TYPE_CHECKING:
    from pathlib import Path

    from phlo.profiles import Lake

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def models(shared_lake: Lake) -> dict[str, Model]:
    return {model.name: model for model in graph(shared_lake.project)}


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that asks dbt."""
    import phlo.transform.dbt

    monkeypatch.setattr(phlo.transform.dbt, "parse", lambda _: pytest.fail("dbt was asked"))


def test_a_model_has_its_folder_s_schema_its_file_and_its_parents(models: dict[str, Model]) -> None:
    staged = models["stg_glucose_entries"]
    assert staged.table == "bronze.stg_glucose_entries"
    assert staged.path == "transforms/dbt/models/bronze/stg_glucose_entries.sql"
    assert staged.parents == ("raw.glucose_entries",)
    assert staged.sources == ("source:raw_iceberg.glucose_entries",)
    assert (staged.kind, staged.materialization) == ("model", "table")
    assert staged.tags == ("nightscout", "bronze")


def test_models_come_after_their_parents(shared_lake: Lake) -> None:
    seen = {"raw.glucose_entries"}
    for model in graph(shared_lake.project):
        assert set(model.parents) <= seen
        seen.add(model.table)


def test_the_folder_marts_postgres_is_the_schema_marts(models: dict[str, Model]) -> None:
    assert models["mrt_glucose_hourly_patterns"].table == "marts.mrt_glucose_hourly_patterns"
    assert models["mrt_glucose_hourly_patterns"].meta == {"api_name": "hourly_patterns"}


def test_an_ephemeral_model_is_no_table_and_stands_for_its_parents(models: dict[str, Model]) -> None:
    assert "readings_above_zero" not in models
    assert models["latest_readings"].parents == ("bronze.stg_glucose_entries",)


def test_seeds_and_snapshots_are_models_too(models: dict[str, Model]) -> None:
    assert (models["devices"].kind, models["devices"].table, models["devices"].parents) == (
        "seed",
        "bronze.devices",
        (),
    )
    assert (models["glucose_history"].kind, models["glucose_history"].table) == ("snapshot", "silver.glucose_history")


def test_descriptions_come_along(models: dict[str, Model]) -> None:
    assert models["fct_glucose_readings"].description == "One row for each reading"
    assert models["fct_glucose_readings"].columns["entry_id"] == "Nightscout's own identifier"


def test_dbt_is_not_asked_twice(models: dict[str, Model], shared_lake: Lake, unasked: None) -> None:
    assert {model.name: model for model in graph(shared_lake.project)} == models


@pytest.mark.parametrize("path", ["models/silver/new.sql", "models/new.yml", "macros/new.sql", "dbt_project.yml"])
def test_dbt_is_asked_again_when_a_file_came_or_changed(models: dict[str, Model], shared_lake: Lake, path: str) -> None:
    from phlo.transform.models import _fingerprint

    folder = shared_lake.project.dbt
    before, file = _fingerprint(folder), folder / path
    text, stat = (file.read_text(), file.stat()) if file.exists() else (None, None)
    file.write_text((text or "") + "\n")
    assert _fingerprint(folder) != before
    if text is None or stat is None:
        file.unlink()
    else:
        file.write_text(text)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _fingerprint(folder) == before


@pytest.mark.slow
def test_a_new_model_is_found(lake: Lake) -> None:
    (lake.project.dbt / "models" / "gold" / "devices_seen.sql").write_text(
        "{{ config(materialized='view') }} select distinct device from {{ ref('stg_glucose_entries') }}"
    )
    found = {model.name: model for model in graph(lake.project)}["devices_seen"]
    assert (found.table, found.parents) == ("gold.devices_seen", ("bronze.stg_glucose_entries",))


def test_what_dbt_writes_does_not_make_it_be_asked_again(
    models: dict[str, Model], shared_lake: Lake, unasked: None
) -> None:
    target = shared_lake.project.dbt / "target"
    target.mkdir()
    (target / "manifest.json").write_text("{}")
    try:
        assert len(graph(shared_lake.project)) == len(models)
    finally:
        (target / "manifest.json").unlink()
        target.rmdir()


def test_dbt_variables_in_the_environment_count_as_files_do(
    models: dict[str, Model], shared_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phlo.transform.models import _fingerprint

    before = _fingerprint(shared_lake.project.dbt)
    monkeypatch.setenv("DBT_SCHEMA", "elsewhere")
    assert _fingerprint(shared_lake.project.dbt) != before


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"fingerprint": 1, "models": []}'])
def test_a_kept_graph_that_is_damaged_is_read_anew(models: dict[str, Model], shared_lake: Lake, kept: str) -> None:
    file = shared_lake.project.state / "dbt" / "graph.json"
    file.write_text(kept)
    assert {model.name: model for model in graph(shared_lake.project)} == models


def test_a_project_without_dbt_or_without_models_has_none_and_dbt_is_not_asked(tmp_path: Path, unasked: None) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname='x'\n[tool.phlo]\n")
    project = Project(tmp_path, "x")
    assert graph(project) == []
    (project.dbt / "models").mkdir(parents=True)
    (project.dbt / "macros").mkdir()
    (project.dbt / "dbt_project.yml").write_text("name: x\nversion: '1'\nprofile: x\n")
    (project.dbt / "macros" / "m.sql").write_text("{% macro m() %}{% endmacro %}")
    assert graph(project) == []
    assert not (tmp_path / ".phlo").exists()


def test_names_are_read_off_the_files(shared_lake: Lake) -> None:
    assert model_names(shared_lake.project.dbt) == [
        "devices",
        "fct_glucose_readings",
        "glucose_history",
        "latest_readings",
        "mrt_glucose_hourly_patterns",
        "readings_above_zero",
        "readings_per_hour",
        "stg_glucose_entries",
    ]


def test_a_kept_graph_is_read_without_dbt_and_without_heavy_libraries(
    models: dict[str, Model], shared_lake: Lake
) -> None:
    code = (
        "import sys; from phlo.project import find_project; from phlo.transform.models import graph\n"
        f"print(len(graph(find_project({str(shared_lake.project.root)!r}))))\n"
        "print(sorted({'dbt', 'duckdb', 'pyarrow', 'pyiceberg', 'pandas', 'sqlglot'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=True)
    assert out.stdout.splitlines() == [str(len(models)), "[]"]
