"""`phlo create-workflow` writes what runs, and never over what is there."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from phlo.declarations import SilentReporter
from phlo.errors import InvalidAnswer, SchemaFileBroken, WorkflowExists
from phlo.pipeline import execute
from phlo.plan import days_between, make_plan
from phlo.profiles import open_lake
from phlo.project import find_project, load_workflows
from phlo.scaffold.init import init_project
from phlo.scaffold.workflow import create_workflow

URL = "https://gwp-diabetes.fly.dev/api/v1"
ANSWERS = {
    "domain": "nightscout",
    "table": "glucose_entries",
    "unique_key": "_id",
    "cron": "0 */1 * * *",
    "base_url": URL,
}
SCHEMA = Path("workflows/schemas/nightscout.py")
WORKFLOW = Path("workflows/ingestion/nightscout/glucose_entries.py")
TEST = Path("tests/test_nightscout_glucose_entries.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init_project("my-platform", tmp_path)
    return tmp_path / "my-platform"


def create(root: Path, **changes: str) -> list[tuple[str, bool]]:
    return [(str(file.path), file.updated) for file in create_workflow(root, **{**ANSWERS, **changes})]


def snapshot(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def declared(root: Path) -> Any:
    found = load_workflows(find_project(root))
    assert found.failures == []
    return found


def test_it_writes_the_three_files_of_the_documents(root: Path) -> None:
    assert create(root) == [(str(SCHEMA), False), (str(WORKFLOW), False), (str(TEST), False)]


def test_what_it_writes_declares_what_was_answered(root: Path) -> None:
    create(root)
    entries = declared(root).ingestions["glucose_entries"]
    assert (entries.unique_key, entries.group, entries.cron) == (("_id",), "nightscout", "0 */1 * * *")
    assert entries.merge_strategy == "merge"
    assert entries.validation_schema.__name__ == "RawGlucoseEntries"


def test_a_second_workflow_extends_the_schema_file(root: Path) -> None:
    create(root)
    before = (root / SCHEMA).read_text()
    files = create(root, table="medication_entries", cron="0 */6 * * *")
    assert files == [
        (str(SCHEMA), True),
        ("workflows/ingestion/nightscout/medication_entries.py", False),
        ("tests/test_nightscout_medication_entries.py", False),
    ]
    after = (root / SCHEMA).read_text()
    assert after.startswith(before.rstrip())
    assert after.count("import pandera") == 1
    assert set(declared(root).ingestions) == {"glucose_entries", "medication_entries"}


@pytest.mark.parametrize(
    ("imports", "names"),
    [
        ("import pandera as pa\nfrom pandera.typing import Series\n", ("pa", "Series")),
        ("from pandera.typing import Series as S\nimport pandera.pandas\n", ("pandera.pandas", "S")),
        ("import pandera.pandas as pandas_schema\n", ("pandas_schema", "Series")),
        ('"""Only a docstring."""', ("pa", "Series")),
        ("from __future__ import annotations\n\nX = 1\n", ("pa", "Series")),
        ("", ("pa", "Series")),
        ("# only a comment", ("pa", "Series")),
    ],
)
def test_an_existing_schema_file_keeps_its_imports_and_names(root: Path, imports: str, names: tuple[str, str]) -> None:
    (root / SCHEMA).write_text(imports)
    create(root)
    text = (root / SCHEMA).read_text()
    assert f"class RawGlucoseEntries({names[0]}.DataFrameModel)" in text
    assert f"_id: {names[1]}[str]" in text
    position = 0
    for line in imports.splitlines():
        assert line in text[position:]
        position = text.index(line, position)
    assert "glucose_entries" in declared(root).ingestions


def test_windows_line_ends_and_other_alphabets_survive(root: Path) -> None:
    (root / SCHEMA).write_bytes('"""Schémas, 血糖."""\r\nimport pandera.pandas as pa\r\n'.encode())
    create(root)
    content = (root / SCHEMA).read_bytes()
    assert content.startswith('"""Schémas, 血糖."""\r\nimport pandera.pandas as pa\r\n'.encode())
    assert content.count(b"\n") == content.count(b"\r\n")


def test_a_class_that_is_there_is_used_as_it_is(root: Path) -> None:
    create(root)
    mine = (root / SCHEMA).read_text().replace('description="Unique identifier"', 'description="mine"')
    (root / SCHEMA).write_text(mine)
    (root / WORKFLOW).unlink()
    (root / TEST).unlink()
    assert create(root) == [(str(WORKFLOW), False), (str(TEST), False)]
    assert (root / SCHEMA).read_text() == mine


def test_a_workflow_that_exists_is_an_error_and_nothing_is_written(root: Path) -> None:
    create(root)
    before = snapshot(root)
    with pytest.raises(WorkflowExists) as error:
        create(root)
    assert error.value.values["file"] == WORKFLOW
    assert snapshot(root) == before


def test_a_test_that_exists_is_not_overwritten(root: Path) -> None:
    (root / TEST).write_text("# mine\n")
    before = snapshot(root)
    with pytest.raises(WorkflowExists):
        create(root)
    assert snapshot(root) == before


@pytest.mark.parametrize("decorator", ['@phlo.ingestion(table_name="glucose_entries")', "@phlo_ingestion()"])
def test_a_table_that_another_file_loads_is_an_error_naming_it(root: Path, decorator: str) -> None:
    other = root / "workflows" / "ingestion" / "readings.py"
    name = "readings" if "table_name" in decorator else "glucose_entries"
    other.write_text(f"import phlo\nfrom phlo.ingestion import phlo_ingestion\n\n\n{decorator}\ndef {name}(): ...\n")
    before = snapshot(root)
    with pytest.raises(WorkflowExists, match=r"workflows/ingestion/readings\.py"):
        create(root)
    assert snapshot(root) == before


def test_the_glucose_template_has_its_table_already(tmp_path: Path) -> None:
    init_project("platform", tmp_path, "glucose")
    with pytest.raises(WorkflowExists, match=r"nightscout/readings\.py"):
        create(tmp_path / "platform")
    create(tmp_path / "platform", table="medication_entries")
    assert set(declared(tmp_path / "platform").ingestions) == {"glucose_entries", "medication_entries"}


def test_a_broken_neighbour_does_not_stop_a_new_workflow(root: Path) -> None:
    (root / "workflows" / "ingestion" / "broken.py").write_text("def (")
    (root / "workflows" / "ingestion" / "latin.py").write_bytes(b"# \xe9\n")
    create(root)
    assert (root / WORKFLOW).exists()


def test_a_schema_file_that_is_not_python_is_an_error_naming_the_line(root: Path) -> None:
    (root / SCHEMA).write_text("import pandera\n\nclass X(:\n")
    before = snapshot(root)
    with pytest.raises(SchemaFileBroken) as error:
        create(root)
    assert error.value.values["line"] == 3
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("kind", "inges"),
        ("domain", "night/scout"),
        ("domain", "../x"),
        ("domain", ""),
        ("domain", "1st"),
        ("table", "a.b"),
        ("table", "class"),
        ("table", "x@main"),
        ("table", ""),
        ("unique_key", " , "),
        ("cron", "hourly"),
        ("cron", "61 * * * *"),
        ("cron", "0 0 31 2 *"),
        ("base_url", "gwp-diabetes.fly.dev"),
        ("base_url", "file:///etc/passwd"),
        ("base_url", ""),
    ],
)
def test_an_answer_that_can_not_be_is_refused_with_what_would_do(root: Path, answer: str, value: str) -> None:
    before = snapshot(root)
    with pytest.raises(InvalidAnswer) as error:
        create(root, **{answer: value})
    assert error.value.next_step
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        ({"domain": "class"}, "such as class_data; `class` is a word of Python's"),
        ({"domain": "Blut-zucker mg/dl"}, "such as blut_zucker_mg_dl"),
        ({"domain": "2024"}, "such as data_2024"),
        ({"table": "relevés"}, "such as releves"),
        ({"table": "血糖"}, "such as glucose_entries"),
        ({"table": "silver.2nd", "kind": "quality"}, "such as data_2nd"),
    ],
)
def test_a_name_that_python_can_not_have_gets_one_that_it_can(root: Path, answer: dict[str, str], fix: str) -> None:
    with pytest.raises(InvalidAnswer) as error:
        create(root, **answer)
    assert error.value.next_step.endswith(fix)
    create(root, **answer | {next(iter(answer)): fix.removeprefix("such as ").partition(";")[0]})


@pytest.mark.parametrize("existing", [False, True])
def test_what_it_writes_is_linted_and_formatted(root: Path, existing: bool) -> None:
    create(root, unique_key="id, line", path="entries.json")
    create(root, kind="quality")
    if existing:  # the schema class stays, the rest is written for it
        (root / WORKFLOW).unlink()
        (root / TEST).unlink()
        create(root, cron="")
    create(root, table="other")
    rules = ["--isolated", "--line-length", "120"]
    lint = [sys.executable, "-m", "ruff", "check", *rules, "--select", "E,F,I,B,UP,W", "."]
    style = [sys.executable, "-m", "ruff", "format", *rules, "--check", "."]
    for command in (lint, style):
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_domains_are_folded_to_package_names(root: Path) -> None:
    files = create(root, domain="Open-Weather Map", table="observations")
    assert files[0][0] == "workflows/schemas/open_weather_map.py"
    assert "observations" in declared(root).ingestions


def test_no_schedule_is_written_where_none_is_wanted(root: Path) -> None:
    create(root, cron="")
    assert declared(root).ingestions["glucose_entries"].cron is None


def test_several_keys_and_keys_that_python_can_not_spell(root: Path) -> None:
    create(root, unique_key="site, reading-id, class, 2nd")
    entries = declared(root).ingestions["glucose_entries"]
    assert entries.unique_key == ("site", "reading-id", "class", "2nd")
    assert {'alias="reading-id"', 'alias="class"', 'alias="2nd"'} <= set(
        (root / SCHEMA).read_text().replace("(", " ").replace(",", " ").split()
    )


def test_text_from_the_answers_can_not_become_code(root: Path) -> None:
    hostile = 'https://x/"+__import__("os").getcwd()+"'
    create(root, base_url=hostile, path='"}); raise SystemExit  #')
    constants = [
        node.value for node in ast.walk(ast.parse((root / WORKFLOW).read_text())) if isinstance(node, ast.Constant)
    ]
    assert hostile in constants
    assert "glucose_entries" in declared(root).ingestions


def test_another_folder_of_workflows_is_kept_to(root: Path) -> None:
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.phlo]", '[tool.phlo]\nworkflows = "flows/mine"'))
    files = create(root, workflows="flows/mine")
    assert [file for file, _ in files][:2] == [
        "flows/mine/schemas/nightscout.py",
        "flows/mine/ingestion/nightscout/glucose_entries.py",
    ]
    assert "glucose_entries" in declared(root).ingestions
    with pytest.raises(WorkflowExists):
        create(root, workflows="flows/mine")


def test_checks_can_be_created_too(root: Path) -> None:
    files = create(root, kind="quality", table="silver.fct_glucose_readings", unique_key="entry_id")
    assert files == [
        ("workflows/quality/nightscout/fct_glucose_readings.py", False),
        ("tests/test_nightscout_fct_glucose_readings_quality.py", False),
    ]
    assert [quality.table for quality in declared(root).qualities] == ["silver.fct_glucose_readings"]
    with pytest.raises(WorkflowExists):
        create(root, kind="quality", table="silver.fct_glucose_readings", unique_key="entry_id")


def test_checks_of_a_plain_table_are_of_the_raw_one(root: Path) -> None:
    create(root, kind="quality")
    assert [quality.table for quality in declared(root).qualities] == ["raw.glucose_entries"]


def test_what_it_writes_runs_as_it_is(root: Path) -> None:
    rows = [{"id": 7, "value": 1.5, "tags": ["a"]}, {"id": 8, "value": None}, {"id": 7, "value": 2.5}]
    with ThreadingHTTPServer(("127.0.0.1", 0), json_list(rows)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        create(root, table="things", unique_key="id", base_url=f"http://127.0.0.1:{server.server_port}/v1/things")
        lake = open_lake(root)
        plan = make_plan(lake, ["things"], days_between("2024-01-20", "2024-01-20"))
        run = execute(lake, plan, SilentReporter())
        server.shutdown()
    assert [(load.rows_read, load.rows_written, load.rows_rejected) for load in run.loads] == [(3, 2, 0)]
    assert lake.query("select id from raw.things order by id").to_pylist() == [{"id": "7"}, {"id": "8"}]


def json_list(rows: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    body = json.dumps(rows).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/v1/things"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler
