"""What "Building a Glucose Platform with Phlo" prints, run as printed."""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from spec_tools import NIGHTSCOUT_ANSWERS, PRINTED_URL, Shell, number, paths, printed, put, rows, said, valid

import phlo
from phlo.cli.main import COMMANDS
from phlo.ingestion import phlo_ingestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.scaffold.nightscout_server import NightscoutServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("building")]  # one worker makes what they share

DAY = "2024-01-20"
PACKAGE = Path(phlo.__file__).parent

MEDICATION_ANSWERS = ("ingestion", "nightscout", "medication_entries", "_id", "0 */6 * * *", PRINTED_URL)
MEDICATIONS = [
    {"_id": f"m{n}", "insulin_type": "rapid", "units": 1.5 * n, "timestamp": f"{DAY}T0{n}:00:00Z", "notes": "breakfast"}
    for n in range(5)
]

OBSERVATIONS = """
import phlo


@phlo.ingestion(unique_key="station")
def observations(partition_date: str):
    return [{"station": "A", "celsius": 3.5}, {"station": "B", "celsius": -1.0}]
"""


# ── one project, in the document's order ─────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def greeting(shell: Shell) -> list[str]:
    """What `phlo init` printed."""
    return shell.lines("phlo init glucose-platform")


@pytest.fixture(scope="module")
def scaffolded(shell: Shell, greeting: list[str]) -> Shell:
    """A shell in the project as `phlo init` left it."""
    return shell.at("glucose-platform")


@pytest.fixture(scope="module")
def dialogue(scaffolded: Shell) -> list[str]:
    """What `phlo create-workflow` printed, but for its messages on stderr."""
    return scaffolded.lines("phlo create-workflow 2>/dev/null", *NIGHTSCOUT_ANSWERS)


@pytest.fixture(scope="module")
def written(scaffolded: Shell, dialogue: list[str], nightscout: NightscoutServer) -> Shell:
    """The project after its owner typed the document's schema, ingestion and models into it."""
    root = scaffolded.folder
    put(root / "workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    ingestion = printed("glucose_entries.py")
    assert PRINTED_URL in ingestion
    here = ingestion.replace(PRINTED_URL, nightscout.base_url)
    put(root / "workflows/ingestion/nightscout/glucose_entries.py", here)
    put(root / "transforms/dbt/models/bronze/stg_glucose_entries.sql", printed("stg_glucose_entries.sql"))
    put(root / "transforms/dbt/models/silver/fct_glucose_readings.sql", printed("fct_glucose_readings.sql"))
    return scaffolded


@pytest.fixture(scope="module")
def materialized(written: Shell) -> list[str]:
    """What `phlo materialize` printed."""
    return written.lines("phlo materialize glucose_entries --partition 2024-01-20")


@pytest.fixture(scope="module")
def loaded(written: Shell, materialized: list[str]) -> Shell:
    """The project with a day in its raw table."""
    return written


@pytest.fixture(scope="module")
def staged(loaded: Shell) -> Shell:
    """The project with its bronze model built by hand."""
    loaded.run("cd transforms/dbt\ndbt run --models bronze.stg_glucose_entries")
    return loaded


@pytest.fixture(scope="module")
def transformed(staged: Shell) -> Shell:
    """The project with both models built by hand."""
    staged.run("cd transforms/dbt\ndbt run --models silver.fct_glucose_readings")
    return staged


# ── 1 to 4: the package, the project, the first workflow ─────────────────────────────────────────────────


def test_the_package_and_the_project_hold_what_the_picture_says(scaffolded: Shell) -> None:
    assert "• Provides: @phlo_ingestion decorator, CLI tools, core" in printed("separation.txt")
    assert distribution("phlo").entry_points.select(group="console_scripts", name="phlo")
    assert callable(phlo_ingestion)
    assert all((scaffolded.folder / part).is_dir() for part in ("workflows", "workflows/schemas", "transforms/dbt"))
    assert not (scaffolded.folder / "phlo").exists()


def test_the_version_is_printed(shell: Shell) -> None:
    version = said("version.txt")[0].removeprefix("Output: ")
    assert shell.run("phlo --version").stdout == f"{version}\n"


def test_init_prints_its_greeting_and_the_tree(greeting: list[str]) -> None:
    assert greeting[: len(said("init.txt"))] == said("init.txt")


def test_init_makes_every_folder_of_the_tree(scaffolded: Shell) -> None:
    drawn = paths(said("init.txt"))
    assert "workflows/schemas/" in drawn
    assert [path for path in drawn if not (scaffolded.folder / path).exists()] == []


def test_a_project_laid_out_as_in_the_first_tree_is_found_whole(shell: Shell, nightscout: NightscoutServer) -> None:
    from phlo.profiles import open_lake

    root = shell.folder / "first" / "glucose-platform"
    root.parent.mkdir()
    shell.at("first").run("phlo init glucose-platform")
    code = printed("glucose_entries.py").replace(PRINTED_URL, nightscout.base_url)
    put(root / "workflows/ingestion/nightscout/glucose.py", code)
    put(root / "workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    put(root / "tests/test_glucose.py", "def test_nothing(): ...\n")
    assert [path for path in paths(printed("project.txt").splitlines()) if not (root / path).exists()] == []
    assert list(open_lake(root).workflows.ingestions) == ["glucose_entries"]


def test_the_printed_pyproject_is_a_project(shell: Shell, scaffolded: Shell) -> None:
    project = tomllib.loads(printed("pyproject.toml"))["project"]
    made = tomllib.loads((scaffolded.folder / "pyproject.toml").read_text())["project"]
    kept = ("name", "version", "requires-python")
    assert {key: made[key] for key in kept} == {key: project[key] for key in kept}
    assert [requirement[:4] for requirement in made["dependencies"]] == project["dependencies"]
    put(shell.folder / "by-hand/pyproject.toml", printed("pyproject.toml"))
    put(shell.folder / "by-hand/workflows/ingestion/observations.py", OBSERVATIONS)
    assert "raw.observations" in shell.at("by-hand").run("phlo materialize --dry-run").stdout


def test_create_workflow_asks_and_answers_as_printed(dialogue: list[str]) -> None:
    text = "\n".join(dialogue)
    asked = [line.partition(":")[0] for line in said("create_workflow_prompts.txt")]
    found = [text.find(prompt) for prompt in asked]
    assert -1 not in found
    assert found == sorted(found)
    answered = said("create_workflow.txt")
    begun = next(line for line in dialogue if answered[0] in line)
    seen = [answered[0], *dialogue[dialogue.index(begun) + 1 :]]
    assert [line for line in seen if not line.startswith("  3.")] == [
        line for line in answered if not line.startswith("  3.")
    ]
    assert ("  3. Start Dagster: phlo dev" in seen) == ("dev" in COMMANDS)


def test_what_create_workflow_writes_is_there_and_runs(shell: Shell, dialogue: list[str]) -> None:
    files = [line.removeprefix("  ✓ ") for line in said("create_workflow.txt") if "✓" in line]
    assert len(files) == 3
    assert [file for file in files if not (shell.folder / "glucose-platform" / file).exists()] == []


# ── 5 to 10: the code, the load, the models ──────────────────────────────────────────────────────────────


def test_materialize_loads_the_printed_workflow(
    loaded: Shell, materialized: list[str], nightscout: NightscoutServer
) -> None:
    begun, _, done = said("materialize.txt")
    assert materialized[0] == begun
    assert materialized[-1] == done
    held = rows(loaded.folder, 'select _id, sgv, "dateString", partition_date from raw.glucose_entries')
    assert {row["_id"]: row["sgv"] for row in held} == valid(nightscout, DAY)
    assert len(held) == len(valid(nightscout, DAY)) > 200
    assert {str(row["partition_date"]) for row in held} == {DAY}


def test_a_second_load_changes_what_the_source_corrected_and_nothing_else(
    loaded: Shell, nightscout: NightscoutServer
) -> None:
    before = valid(nightscout, DAY)
    entry = next(row for row in nightscout.entries.rows if row["_id"] in before and row["dateString"].startswith(DAY))
    nightscout.put([{**entry, "sgv": 251}])
    loaded.run("phlo materialize glucose_entries --partition 2024-01-20")
    held = rows(loaded.folder, "select _id, sgv from raw.glucose_entries")
    assert {row["_id"]: row["sgv"] for row in held} == before | {entry["_id"]: 251}
    assert len(held) == len(before)


def test_dbt_run_builds_the_printed_bronze_model(staged: Shell, nightscout: NightscoutServer) -> None:
    held = rows(staged.folder, "select * from bronze.stg_glucose_entries order by reading_timestamp")
    assert {row["entry_id"]: row["glucose_mg_dl"] for row in held} == valid(nightscout, DAY)
    by_id = {row["_id"]: row for row in nightscout.entries.rows}
    for row in held:
        entry = by_id[row["entry_id"]]
        assert row["timestamp_iso"] == entry["dateString"]
        assert row["reading_timestamp"].strftime("%Y-%m-%dT%H:%M:%S.000Z") == entry["dateString"]
        assert row["trend"] == (entry.get("direction") or "NONE")


def test_dbt_run_builds_the_printed_silver_model(transformed: Shell, nightscout: NightscoutServer) -> None:
    held = rows(transformed.folder, "select * from silver.fct_glucose_readings")
    assert {row["entry_id"]: row["glucose_mg_dl"] for row in held} == valid(nightscout, DAY)
    for row in held:
        value, time = row["glucose_mg_dl"], row["reading_timestamp"]
        low, high = value < 70, value > 180
        assert row["glucose_category"] == ("hypoglycemia" if low else "hyperglycemia" if high else "in_range")
        assert row["is_in_range"] == int(not low and not high)
        assert (row["hour_of_day"], row["day_of_week"]) == (time.hour, time.isoweekday())


# ── The Complete Separation ──────────────────────────────────────────────────────────────────────────────


def test_the_package_has_every_module_of_its_tree() -> None:
    drawn = paths(printed("package.txt").splitlines())
    assert "ingestion/decorator.py" in drawn
    assert [path for path in drawn if not (PACKAGE / path).exists()] == []


def test_the_finished_project_has_every_file_of_its_tree(written: Shell) -> None:
    drawn = [path for path in paths(printed("project_with_code.txt").splitlines()) if path != "tests/test_glucose.py"]
    assert "transforms/dbt/models/silver/fct_glucose_readings.sql" in drawn
    assert [path for path in drawn if not (written.folder / path).exists()] == []
    assert list((written.folder / "tests").glob("test_*glucose*.py"))


def test_the_shortest_printed_ingestion_is_an_empty_load(shell: Shell) -> None:
    root = shell.folder / "shortest"
    put(root / "pyproject.toml", '[project]\nname = "shortest"\n[tool.phlo]\n')
    put(root / "workflows/ingestion/nightscout/glucose_entries.py", printed("shortest_ingestion.py"))
    put(root / "workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    said_last = shell.at("shortest").lines("phlo materialize glucose_entries --partition 2024-01-20")[-1]
    assert said_last == "✅ Successfully materialized glucose_entries"
    assert number(root, "raw.glucose_entries") == 0


def test_a_project_goes_into_git_as_printed(shell: Shell, scaffolded: Shell) -> None:
    shell.run("git init --bare --initial-branch main origin.git")
    person = {f"GIT_{who}_{what}": "a@b.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "init.defaultBranch", "GIT_CONFIG_VALUE_0": "main"}
    git = scaffolded.at(".", **person, **config)
    git.run("git init")
    git.run("git remote add origin ../origin.git")
    git.run("git add workflows/ transforms/ tests/")
    git.run('git commit -m "Add glucose monitoring workflows"')
    git.run("git push origin main")
    pushed = shell.at("origin.git").run("git ls-tree -r --name-only main").stdout.splitlines()
    assert "transforms/dbt/dbt_project.yml" in pushed
    assert "workflows/__init__.py" in pushed
    assert [file for file in pushed if ".phlo" in file or "target/" in file or "__pycache__" in file] == []


# ── Workflow: Adding a New Data Source ───────────────────────────────────────────────────────────────────


def test_a_second_workflow_is_added_to_the_domain(shell: Shell) -> None:
    root = shell.folder / "second"
    shell.run("phlo init second")
    shell.at("second").run("phlo create-workflow", *NIGHTSCOUT_ANSWERS)
    put(root / "workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    seen = "\n".join(shell.at("second").lines("phlo create-workflow", *MEDICATION_ANSWERS))
    asked = [line.partition(":")[0] for line in said("create_second_workflow_prompts.txt")]
    assert [prompt for prompt in asked if prompt not in seen] == []
    schema = (root / "workflows/schemas/nightscout.py").read_text(encoding="utf-8")
    assert schema.startswith(printed("nightscout_schema.py"))
    assert "class RawMedicationEntries(" in schema
    new = ("workflows/ingestion/nightscout/medication_entries.py", "tests/test_nightscout_medication_entries.py")
    assert [file for file in new if not (root / file).exists()] == []
    assert (root / "workflows/ingestion/nightscout/glucose_entries.py").exists()


@pytest.fixture(scope="module")
def pharmacy() -> Iterator[NightscoutServer]:
    """A site with medications."""
    from phlo.scaffold.nightscout_server import NightscoutServer

    entries = [{**each, "dateString": each["timestamp"], "date": n} for n, each in enumerate(MEDICATIONS)]
    with NightscoutServer(entries) as server:
        yield server


def test_materialize_loads_the_medication_workflow(written: Shell, pharmacy: NightscoutServer) -> None:
    schema = written.folder / "workflows/schemas/nightscout.py"
    written.run("phlo create-workflow", *MEDICATION_ANSWERS)
    put(schema, printed("nightscout_schema.py") + "\n\n" + printed("medication_schema.py"))
    put(written.folder / "workflows/ingestion/nightscout/medication_entries.py", _medications(pharmacy.base_url))
    written.run("phlo materialize medication_entries --partition 2024-01-20")
    held = rows(written.folder, "select _id, insulin_type, units from raw.medication_entries order by _id")
    assert held == [{key: each[key] for key in ("_id", "insulin_type", "units")} for each in MEDICATIONS]


# ── Benefits of This Separation ──────────────────────────────────────────────────────────────────────────


def test_projects_live_side_by_side_each_with_its_own_state(shell: Shell) -> None:
    assert "Team C: Uses phlo to build weather platform (their workflows)" in printed("teams.txt").splitlines()
    (shell.folder / "teams").mkdir()
    teams = shell.at("teams")
    for line in ("phlo init glucose-platform", "phlo init weather-analytics", "phlo init financial-pipeline"):
        teams.run(line)
    put(teams.folder / "weather-analytics/workflows/ingestion/observations.py", OBSERVATIONS)
    teams.at("weather-analytics").run("phlo materialize observations --partition 2024-01-20")
    assert number(teams.folder / "weather-analytics", "raw.observations") == 2
    assert "observations" not in teams.at("financial-pipeline").run("phlo catalog tables").stdout


@pytest.mark.slow
def test_the_project_s_own_tests_pass_both_ways(written: Shell) -> None:
    assert " passed" in written.run("phlo test").stdout
    assert " passed" in written.run("pytest tests/").stdout


@pytest.mark.slow
def test_phlo_test_takes_a_domain(written: Shell) -> None:
    step = next(line for line in said("create_workflow.txt") if "phlo test" in line)
    assert " passed" in written.run(step.partition("Test: ")[2]).stdout


def test_no_workflow_is_mixed_into_the_package() -> None:
    drawn = paths(printed("mixed.txt").splitlines())
    assert "src/phlo/defs/ingestion/nightscout/glucose.py" in [path.replace("//", "/") for path in drawn]
    assert not (PACKAGE / "defs").exists()
    own = [file for file in PACKAGE.rglob("*.py") if "templates" not in file.parts]
    assert [file for file in own if file.parent.name in ("nightscout", "github")] == []


def test_projects_laid_out_as_in_the_last_tree_are_found_whole(shell: Shell, nightscout: NightscoutServer) -> None:
    from phlo.profiles import open_lake

    assert "ingestion/decorator.py" in printed("separate.txt")
    code = printed("glucose_entries.py").replace(PRINTED_URL, nightscout.base_url)
    root = shell.folder / "last"
    put(root / "glucose-platform/workflows/ingestion/nightscout/glucose.py", code)
    put(root / "glucose-platform/workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    put(root / "weather-analytics/workflows/ingestion/openweather/observations.py", OBSERVATIONS)
    for name, table in (("glucose-platform", "glucose_entries"), ("weather-analytics", "observations")):
        put(root / name / "pyproject.toml", f'[project]\nname = "{name}"\n[tool.phlo]\n')
        found = open_lake(root / name).workflows
        assert (list(found.ingestions), found.failures) == ([table], [])


# ── Summary and Next Steps ───────────────────────────────────────────────────────────────────────────────


def test_materialize_without_an_asset_runs_everything(transformed: Shell, nightscout: NightscoutServer) -> None:
    seen = transformed.lines("phlo materialize      # Run YOUR pipelines")
    assert seen[0].startswith("⚡ Materializing ")
    assert seen[-1].startswith("✅ Successfully materialized ")
    assert number(transformed.folder, "silver.fct_glucose_readings") == len(valid(nightscout, DAY))


def test_the_next_steps_run_in_one_go(shell: Shell) -> None:
    steps = "phlo init my-glucose-platform\ncd my-glucose-platform\nphlo create-workflow"
    shell.run(steps, *NIGHTSCOUT_ANSWERS)
    made = shell.folder / "my-glucose-platform/workflows/ingestion/nightscout/glucose_entries.py"
    assert PRINTED_URL in made.read_text(encoding="utf-8")


def _medications(url: str) -> str:
    """The printed ingestion, with its ``{...}`` written out and the imports of the first workflow above it."""
    code = printed("medication_entries.py")
    endpoint = '{"path": "entries.json", "params": {"count": 100, "find[dateString][$gte]": partition_date}}'
    config = f'{{"client": {{"base_url": "{url}"}}, "resources": [{{"name": "medications", "endpoint": {endpoint}}}]}}'
    assert "{...}" in code
    imports = "".join(line for line in printed("glucose_entries.py").splitlines(True) if "import " in line)
    imports = imports[imports.index("from dlt") :].replace("RawGlucoseEntries", "RawMedicationEntries")
    return f"{imports}\n\n{code.replace('{...}', config)}"
