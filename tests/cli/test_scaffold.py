"""`phlo init`, `create-workflow` and `test`, as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phlo.cli.scaffold import _next_steps

INIT = """\
🚀 Phlo Project Initializer

Creating new project: glucose-platform

✅ Successfully initialized Phlo project: glucose-platform

📁 Created structure:
  glucose-platform/
  ├── pyproject.toml       # Project dependencies
  ├── .env.example         # Environment variables template
  ├── workflows/           # Your workflow definitions
  │   ├── ingestion/       # Data ingestion workflows
  │   └── schemas/         # Pandera validation schemas
  ├── transforms/dbt/      # dbt transformation models
  └── tests/               # Workflow tests
"""

CREATED = """
🚀 Creating ingestion workflow for nightscout.glucose_entries...

✅ Created files:
  ✓ workflows/schemas/nightscout.py
  ✓ workflows/ingestion/nightscout/glucose_entries.py
  ✓ tests/test_nightscout_glucose_entries.py

<- Next steps:
  1. Edit schema: workflows/schemas/nightscout.py
  2. Configure API: workflows/ingestion/nightscout/glucose_entries.py
"""

ANSWERS = "ingestion\nnightscout\nglucose_entries\n_id\n0 */1 * * *\nhttps://gwp-diabetes.fly.dev/api/v1\n"
OPTIONS = ("--domain", "nightscout", "--table", "glucose_entries", "--unique-key", "_id", "--base-url", "https://x.org")


def phlo(*arguments: str, cwd: Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phlo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, input=given or "", check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert phlo("init", "my-platform", cwd=tmp_path).returncode == 0
    return tmp_path / "my-platform"


def test_init_prints_what_the_documents_show(tmp_path: Path) -> None:
    done = phlo("init", "glucose-platform", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, INIT)
    assert "cd glucose-platform" in done.stderr


def test_init_makes_the_glucose_platform(tmp_path: Path) -> None:
    done = phlo("init", "my-glucose-platform", "--template", "glucose", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "my-glucose-platform" / "workflows/ingestion/nightscout/readings.py").exists()


@pytest.mark.parametrize("place", ["{}/deep/down/weather", "deep/down/weather", "./weather"])
def test_init_takes_a_path_whose_last_part_is_the_name(place: str, tmp_path: Path) -> None:
    target = place.format(tmp_path)
    assert phlo("init", target, cwd=tmp_path).returncode == 0
    assert 'name = "weather"' in (tmp_path / target / "pyproject.toml").read_text()


def test_init_takes_the_folder_it_stands_in(tmp_path: Path) -> None:
    (tmp_path / "weather").mkdir()
    assert phlo("init", ".", cwd=tmp_path / "weather").returncode == 0
    assert 'name = "weather"' in (tmp_path / "weather" / "pyproject.toml").read_text()


def test_init_twice_is_an_error_that_touches_nothing(root: Path) -> None:
    (root / "README.md").write_text("mine")
    done = phlo("init", "my-platform", cwd=root.parent)
    assert done.returncode == 1
    assert done.stderr.startswith("error[project-exists]:")
    assert done.stdout == ""
    assert (root / "README.md").read_text() == "mine"


def test_init_refuses_a_name_that_can_not_be(tmp_path: Path) -> None:
    done = phlo("init", "1 bad name", cwd=tmp_path)
    assert done.returncode == 2
    assert "error[invalid-project-name]: `1 bad name` can not be a project's name" in done.stderr
    assert phlo("init", "", cwd=tmp_path).returncode == 2


def test_create_workflow_asks_and_answers_as_documented(root: Path) -> None:
    done = phlo("create-workflow", cwd=root, given=ANSWERS)
    assert done.returncode == 0, done.stderr
    prompts, _, printed = done.stdout.partition("\n")
    assert prompts == "Workflow type: Domain name: Table name: Unique key field: Cron schedule: API base URL: "
    assert ("\n" + printed.lstrip("\n")).startswith(CREATED)
    assert "Test: phlo test nightscout" in done.stdout
    expected = ["ingestion fills a table", "such as nightscout", "such as glucose_entries", "such as id", "every hour"]
    expected += ["such as https://", "models/sources.yml\n", "\n  5. Run it: phlo run\n"]
    found = [done.stderr.find(each) for each in expected]
    assert found == sorted(found)
    assert -1 not in found


def test_a_next_step_that_needs_the_extra_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, files = {"kind": "quality"}, [Path("workflows/quality/nightscout/readings.py")]
    assert "Start Dagster: phlo dev" in _next_steps(answers, files)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (step,) = (each for each in _next_steps(answers, files) if "phlo dev" in each)
    assert step.startswith("Start Dagster: phlo dev   # first: pip install ")
    assert "[dagster]" in step


def test_create_workflow_says_which_schema_it_updated(root: Path) -> None:
    phlo("create-workflow", *OPTIONS, cwd=root)
    done = phlo("create-workflow", *OPTIONS, "--table", "medication_entries", cwd=root)
    assert "  ✓ workflows/schemas/nightscout.py (updated)\n" in done.stdout
    assert "  ✓ workflows/ingestion/nightscout/medication_entries.py\n" in done.stdout
    assert "  ✓ transforms/dbt/models/sources.yml (updated)\n" in done.stderr


def test_create_workflow_takes_every_answer_as_an_option(root: Path) -> None:
    done = phlo("create-workflow", "--type", "ingestion", "--cron", "", *OPTIONS, "--path", "e.json", cwd=root)
    assert done.returncode == 0, done.stderr
    text = (root / "workflows/ingestion/nightscout/glucose_entries.py").read_text()
    assert '"path": "e.json"' in text
    assert "cron" not in text


def test_create_workflow_with_options_asks_for_nothing_that_has_a_default(root: Path) -> None:
    done = phlo("create-workflow", *OPTIONS, cwd=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("\n🚀 Creating ingestion workflow")
    assert 'cron="0 */1 * * *"' in (root / "workflows/ingestion/nightscout/glucose_entries.py").read_text()


def test_create_workflow_refuses_a_type_it_does_not_know_before_it_asks(root: Path) -> None:
    done = phlo("create-workflow", "--type", "foo", cwd=root)
    assert done.returncode == 2
    assert "`foo` is not one of `ingestion`, `quality`" in done.stderr
    assert done.stdout == ""


def test_create_workflow_refuses_a_bad_answer_before_the_next_question(root: Path) -> None:
    done = phlo("create-workflow", cwd=root, given="ingestion\nnightscout\n2024\n")
    assert done.returncode == 2
    assert "error[invalid-answer]: Table name: `2024` will not do\nhint: use small letters" in done.stderr
    assert "such as data_2024" in done.stderr
    assert "Unique key field" not in done.stdout


def test_create_workflow_without_an_answer_names_the_option(root: Path) -> None:
    done = phlo("create-workflow", "--domain", "nightscout", cwd=root)
    assert done.returncode == 2
    assert "`Table name` has no answer; give it as --table" in done.stderr


def test_create_workflow_for_checks_asks_for_no_source(root: Path) -> None:
    given = "quality\nnightscout\nsilver.fct_glucose_readings\nentry_id\n"
    done = phlo("create-workflow", cwd=root, given=given)
    assert done.returncode == 0, done.stderr
    assert "API base URL" not in done.stdout
    assert "1. Edit checks: workflows/quality/nightscout/fct_glucose_readings.py" in done.stdout


def test_create_workflow_outside_a_project_is_an_error(tmp_path: Path) -> None:
    done = phlo("create-workflow", *OPTIONS, cwd=tmp_path)
    assert done.returncode == 1
    assert "error[no-project]" in done.stderr


@pytest.mark.slow
def test_a_new_project_and_what_is_created_in_it_pass_their_tests(root: Path) -> None:
    quality = ("--type", "quality", "--domain", "nightscout", "--table", "glucose_entries", "--unique-key", "_id")
    phlo("create-workflow", *OPTIONS, cwd=root)
    phlo("create-workflow", *quality, cwd=root)
    done = phlo("test", cwd=root / "workflows")
    assert done.returncode == 0, done.stdout
    assert "tests/test_nightscout_glucose_entries.py ..." in done.stdout
    assert "tests/test_nightscout_glucose_entries_quality.py .." in done.stdout


@pytest.mark.slow
def test_the_glucose_platform_passes_its_tests(tmp_path: Path) -> None:
    phlo("init", "glucose-platform", "--template", "glucose", cwd=tmp_path)
    done = phlo("test", cwd=tmp_path / "glucose-platform")
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout.lower()
    nightscout = phlo("test", "nightscout", "--collect-only", "-q", cwd=tmp_path / "glucose-platform")
    assert "test_metrics_of_days_and_hours" in nightscout.stdout
    assert "test_workflows" not in nightscout.stdout


@pytest.mark.slow
def test_a_domains_tests_run_alone_with_options_for_pytest(root: Path) -> None:
    (root / "tests" / "test_weather.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    (root / "tests" / "test_weather_daily.py").write_text("def test_c(): assert False\n")
    done = phlo("test", "weather", "-k", "not test_c", "-v", cwd=root)
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 deselected" in done.stdout
    assert phlo("test", "weather", cwd=root).returncode == 1
    assert "1 passed" in phlo("test", "tests/test_weather.py::test_a", cwd=root).stdout


@pytest.mark.slow
def test_a_domains_folder_of_tests_counts(root: Path) -> None:
    (root / "tests" / "weather").mkdir()
    (root / "tests" / "weather" / "test_x.py").write_text("def test_a(): pass\n")
    assert "1 passed" in phlo("test", "weather", cwd=root).stdout


def test_an_unknown_domain_gets_the_nearest(root: Path) -> None:
    (root / "tests" / "test_weather_daily.py").write_text("def test_c(): pass\n")
    done = phlo("test", "wether", cwd=root)
    assert done.returncode == 2
    assert "There are no tests of a domain `wether`; did you mean `weather`?" in done.stderr


@pytest.mark.slow
def test_a_project_without_tests_says_so(root: Path) -> None:
    (root / "tests" / "test_workflows.py").unlink()
    done = phlo("test", cwd=root)
    assert done.returncode == 5
    assert "There are no such tests yet" in done.stderr
