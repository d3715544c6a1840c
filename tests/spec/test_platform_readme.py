"""What the README of the glucose platform prints, run as printed."""

from __future__ import annotations

import datetime as dt
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from spec_tools import Shell, environment, number, paths, printed, put, rows, valid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from phlo.scaffold.nightscout_server import NightscoutServer

pytestmark = pytest.mark.xdist_group("readme")  # one worker makes the project that the tests share

DAY = "2024-01-15"
MORE_DIRECTIONS = ("NOT COMPUTABLE", "RATE OUT OF RANGE")
"""What the platform's own schema accepts beyond the printed one."""

WORKFLOW = """import phlo
from workflows.schemas.nightscout import RawGlucoseEntries

SENT = {sent}


{decorator}def glucose_entries(partition_date: str):
    return SENT
"""


@pytest.fixture(scope="module")
def platform(shell: Shell, nightscout: NightscoutServer) -> Shell:
    """A shell in the glucose platform, whose site is the test's."""
    shell.run("phlo init glucose-platform --template glucose")
    return shell.at("glucose-platform", NIGHTSCOUT_BASE_URL=nightscout.base_url)


@pytest.fixture(scope="module")
def one_day(platform: Shell) -> Shell:
    """The platform with one day loaded."""
    platform.run("phlo materialize glucose_entries --partition 2024-01-15")
    return platform


@pytest.fixture(scope="module")
def month(one_day: Shell) -> Shell:
    """The platform with a month loaded."""
    one_day.run("phlo backfill glucose_entries --start-date 2024-01-01 --end-date 2024-01-31")
    return one_day


@pytest.fixture(scope="module")
def marts(month: Shell) -> Shell:
    """The platform with all its tables."""
    month.run("phlo materialize stg_glucose_entries+")
    return month


# ── Project Structure ────────────────────────────────────────────────────────────────────────────────────


def test_the_glucose_template_has_every_file_of_the_tree(platform: Shell) -> None:
    drawn = paths(printed("platform.txt").splitlines())
    assert "transforms/dbt/marts_postgres/mrt_glucose_overview.sql" in drawn
    assert "workflows/quality/plugin_checks.py" in drawn
    assert [path for path in drawn if not (platform.folder / path).exists()] == []


def test_the_api_s_views_can_be_read(platform: Shell) -> None:
    views = platform.run("cat .phlo/api/views.sql").stdout
    assert "view api.glucose_overview" in views
    assert "view api.hourly_patterns" in views


# ── Materializing Assets ─────────────────────────────────────────────────────────────────────────────────


def test_materialize_loads_one_day(one_day: Shell, nightscout: NightscoutServer) -> None:
    held = rows(one_day.folder, f"select _id, sgv from raw.glucose_entries where partition_date = date '{DAY}'")
    assert {row["_id"]: row["sgv"] for row in held} == valid(nightscout, DAY, *MORE_DIRECTIONS)
    assert len(held) > 200


def test_backfill_loads_a_month(month: Shell, nightscout: NightscoutServer) -> None:
    held = rows(month.folder, "select _id, sgv, partition_date as day from raw.glucose_entries")
    assert {row["_id"]: row["sgv"] for row in held} == valid(nightscout, "2024-01", *MORE_DIRECTIONS)
    assert {str(row["day"]) for row in held} == {f"2024-01-{day:02}" for day in range(1, 32)}


@pytest.mark.slow
def test_backfill_loads_a_year_in_parallel(shell: Shell) -> None:
    from phlo.scaffold import synthetic_cgm
    from phlo.scaffold.nightscout_server import NightscoutServer

    (shell.folder / "year").mkdir()
    shell.at("year").run("phlo init glucose-platform --template glucose")
    with NightscoutServer(synthetic_cgm.entries(dt.date(2024, 1, 1), 366)) as server:
        platform = shell.at("year/glucose-platform", NIGHTSCOUT_BASE_URL=server.base_url)
        platform.run("phlo backfill glucose_entries --start-date 2024-01-01 --end-date 2024-12-31 --parallel 4")
        wanted = valid(server, "2024", *MORE_DIRECTIONS)
    held = rows(platform.folder, "select _id, sgv from raw.glucose_entries")
    assert {row["_id"]: row["sgv"] for row in held} == wanted
    assert len(held) > 90_000


@pytest.mark.slow
def test_materialize_takes_an_asset_and_means_today(month: Shell, nightscout: NightscoutServer) -> None:
    days = {dt.datetime.now(dt.UTC).date()}
    seen = month.lines("phlo materialize glucose_entries  # Materialize an asset")
    assert seen[-1] == "✅ Successfully materialized glucose_entries"
    days.add(dt.datetime.now(dt.UTC).date())  # midnight may have come
    asked = [unquote(request) for request in nightscout.requests[-4:]]
    assert any(f"{day}T00:00:00.000Z" in request for request in asked for day in days)


@pytest.mark.slow
def test_backfill_without_dates_loads_from_the_project_s_first_day_on(shell: Shell) -> None:
    root = shell.folder / "first-day"
    today = dt.datetime.now(dt.UTC).date()
    start = today - dt.timedelta(days=3)
    put(root / "pyproject.toml", f'[project]\nname = "first-day"\n[tool.phlo]\nstart_date = {start}\n')
    code = 'import phlo\n\n\n@phlo.ingestion(unique_key="day")\ndef days(partition_date: str):\n'
    put(root / "workflows/ingestion/days.py", f'{code}    return [{{"day": partition_date}}]\n')
    shell.at("first-day").run("phlo backfill days     # Backfill partitions")
    held = {row["day"] for row in rows(root, "select day from raw.days")}
    first_three = {str(start + dt.timedelta(days=n)) for n in range(3)}
    assert held - {str(today), str(today + dt.timedelta(days=1))} == first_three
    assert str(today) in held


# ── Data Flow ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_step_of_the_data_flow_has_its_table(marts: Shell, nightscout: NightscoutServer) -> None:
    wanted = valid(nightscout, "2024-01", *MORE_DIRECTIONS)
    held = rows(marts.folder, "select entry_id, glucose_mg_dl from silver.fct_glucose_readings")
    assert {row["entry_id"]: row["glucose_mg_dl"] for row in held} == wanted
    assert number(marts.folder, "bronze.stg_glucose_entries") == len(wanted)
    assert number(marts.folder, "gold.fct_daily_glucose_metrics") == 31
    assert number(marts.folder, "marts.mrt_glucose_overview") == 31
    assert number(marts.folder, "marts.mrt_glucose_hourly_patterns") == 24


def test_the_marts_have_the_columns_that_the_queries_name(marts: Shell) -> None:
    named = "reading_date, avg_glucose_mg_dl, time_in_range_pct, estimated_a1c_7d_avg"
    newest = rows(marts.folder, f"select {named} from marts.mrt_glucose_overview order by reading_date desc limit 30")
    assert str(newest[0]["reading_date"]) == "2024-01-31"
    assert all(0 <= row["time_in_range_pct"] <= 100 and row["estimated_a1c_7d_avg"] > 3 for row in newest)


# ── Merge Strategy ───────────────────────────────────────────────────────────────────────────────────────


def test_the_printed_merge_keeps_the_last_of_each_key(shell: Shell) -> None:
    root = _project(shell, "merging", "merge_last.py", [_entry("a", 100), _entry("b", 110), _entry("a", 101)])
    for _ in range(2):
        _execute(root)
        assert _held(root) == [("a", 101), ("b", 110)]


def test_the_printed_append_keeps_every_row_once_however_often_it_runs(shell: Shell) -> None:
    root = _project(shell, "appending", "append.py", [_entry("a", 100), _entry("b", 110), _entry("a", 101)])
    for _ in range(2):
        _execute(root)
        assert _held(root) == [("a", 100), ("a", 101), ("b", 110)]


# ── Core Operations ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_platform_s_own_tests_pass(platform: Shell) -> None:
    assert " passed" in platform.run("phlo test                 # Run tests").stdout


# ── Quality Framework ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def checked(marts: Shell) -> Iterator[Shell]:
    """The platform with the printed check beside its own."""
    file = put(marts.folder / "workflows/quality/printed.py", printed("quality.py"))
    yield marts
    file.unlink()


@pytest.mark.slow
def test_the_printed_check_of_a_column_that_is_not_there_names_the_one_that_is(checked: Shell) -> None:
    published = rows(checked.folder, "select count(*) as n from silver.fct_glucose_readings")
    failed = checked.run("phlo materialize fct_glucose_readings", code=1)
    assert "`sgv`" in failed.stderr
    assert "`glucose_mg_dl`" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "Successfully" not in failed.stdout
    assert rows(checked.folder, "select count(*) as n from silver.fct_glucose_readings") == published


# ── Table Catalog ────────────────────────────────────────────────────────────────────────────────────────


def test_catalog_lists_every_table(marts: Shell) -> None:
    listed = marts.run("phlo catalog tables").stdout
    wanted = {
        "raw.glucose_entries",
        "rejected.glucose_entries",
        "bronze.stg_glucose_entries",
        "silver.fct_glucose_readings",
        "gold.fct_daily_glucose_metrics",
        "marts.mrt_glucose_overview",
        "marts.mrt_glucose_hourly_patterns",
    }
    assert [name for name in wanted if name not in listed] == []


@pytest.mark.slow
def test_catalog_lists_the_tables_of_one_schema(marts: Shell) -> None:
    raw = marts.run("phlo catalog tables --schema raw").stdout
    silver = marts.run("phlo catalog tables --schema silver").stdout
    assert re.findall(r"\b\w+\.\w+_\w+", raw) == ["raw.glucose_entries"]
    assert re.findall(r"\b\w+\.\w+_\w+", silver) == ["silver.fct_glucose_readings"]


def test_catalog_describes_the_raw_table_as_printed(month: Shell, nightscout: NightscoutServer) -> None:
    described = month.run("phlo catalog describe raw.glucose_entries").stdout
    sample = printed("describe.txt").splitlines()
    shown = [_label(line) for line in described.splitlines()]
    assert [label for label in map(_label, sample) if label not in shown] == []
    assert [shown.index(_label(line)) for line in sample if line] == sorted(
        shown.index(_label(line)) for line in sample if line
    )
    values = dict(line.strip().split(":", 1) for line in described.splitlines() if re.search(r":\s+\S", line))
    assert values["Table"].strip() == "raw.glucose_entries"
    assert values["Schema"].strip() == "raw"
    assert values["Format"].strip() == "Iceberg"
    assert values["Total Rows"].strip() == f"{number(month.folder, 'raw.glucose_entries'):,}"
    assert re.fullmatch(r"[\d.,]+ [KMG]?B", values["Total Size"].strip())
    for label in ("Last Modified", "Timestamp"):
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", values[label].strip())
    assert values["Snapshot ID"].strip().isdigit()


def test_catalog_describes_a_model_s_table(marts: Shell) -> None:
    described = marts.run("phlo catalog describe silver.fct_glucose_readings").stdout
    assert described.startswith("Table: silver.fct_glucose_readings\nSchema: silver\n")


@pytest.mark.slow
def test_catalog_shows_the_snapshots(month: Shell) -> None:
    whole = month.run("phlo catalog history raw.glucose_entries").stdout
    first_ten = month.run("phlo catalog history raw.glucose_entries --limit 10").stdout
    ids = [re.findall(r"\b\d{15,}\b", text) for text in (whole, first_ten)]
    assert ids[1] == ids[0][:10]
    assert len(ids[0]) >= 2


# ── logs, metrics, alerts ────────────────────────────────────────────────────────────────────────────────


def test_logs_show_what_runs_said(marts: Shell) -> None:
    recent = marts.run("phlo logs                        # View recent logs").stdout
    assert "began" in recent
    assert "ended: success" in recent
    filtered = marts.run("phlo logs --asset glucose_entries # Filter by asset").stdout
    assert "raw.glucose_entries 2024-01-31: " in filtered
    assert "silver.fct_glucose_readings: success" not in filtered


@pytest.mark.slow
def test_logs_show_errors_of_the_last_hour(shell: Shell) -> None:
    broken = 'import phlo\n\n\n@phlo.ingestion()\ndef entries():\n    raise ValueError("the sensor is off")\n'
    put(shell.folder / "errors/pyproject.toml", '[project]\nname = "errors"\n[tool.phlo]\n')
    put(shell.folder / "errors/workflows/ingestion/entries.py", broken)
    project = shell.at("errors")
    project.run("phlo materialize entries", code=1)
    lines = project.run("phlo logs --level ERROR --since 1h").stdout.splitlines()
    assert ["the sensor is off" in line for line in lines] == [True]


def test_logs_follow_until_they_are_stopped(one_day: Shell) -> None:
    command = ["bash", "-c", "exec phlo logs --follow               # Real-time tail"]
    env = environment(one_day.settings)
    with subprocess.Popen(command, cwd=one_day.folder, env=env, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert "began" in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        tail.stdout.read()
    assert tail.returncode == 130


def test_metrics_show_the_summary_as_printed(marts: Shell) -> None:
    sample = [_figureless(line) for line in printed("metrics.txt").splitlines()]
    for command in ("phlo metrics                     # Summary dashboard", "phlo metrics summary"):
        shown = [_figureless(line) for line in marts.run(command).stdout.splitlines()]
        assert [line for line in sample if line not in shown] == []
    assert marts.run("phlo metrics summary --period 7d").stdout.startswith("Pipeline Metrics (Last 7 Days)\n")


def test_metrics_of_one_asset(marts: Shell) -> None:
    entries = marts.run("phlo metrics asset glucose_entries").stdout
    assert entries.startswith("raw.glucose_entries (")
    assert f"{number(marts.folder, 'raw.glucose_entries'):,} rows" in entries
    readings = marts.run("phlo metrics asset fct_glucose_readings").stdout
    assert "Success Rate:" in readings
    assert f"{number(marts.folder, 'silver.fct_glucose_readings'):,} rows" in readings


def test_the_settings_of_alerts_reach_the_rules_of_the_platform(shell: Shell) -> None:
    shell.run("phlo init alerting-platform --template glucose")
    project = shell.at("alerting-platform")
    lines = [
        "PHLO_ALERT_SLACK_WEBHOOK=https://hooks.slack.com/services/YOUR/WEBHOOK",
        "PHLO_ALERT_SLACK_CHANNEL=#glucose-alerts",
    ]
    assert "is not set" in project.run("phlo alerts list").stdout
    put(project.folder / ".env", "\n".join(lines))
    listed = project.run("phlo alerts list").stdout
    assert re.search(r"^slack +slack +ready", listed, re.MULTILINE)
    assert [rule in listed for rule in ("check_failed", "freshness", "query", "run_failed")] == [True] * 4


def _figureless(line: str) -> str:
    """A line of metrics without its numbers, and without the spaces that line them up."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*K?", "N", line)).strip()


def _label(line: str) -> str:
    """What stands for a line of the description: its heading or field name, or what is listed without its value."""
    if line.strip().startswith("-"):
        return line.split(" (")[0]
    return line.split(":")[0]


def _entry(key: str, value: int) -> dict[str, Any]:
    time = {"date": 1705323600000, "dateString": "2024-01-15T13:00:00.000Z"}
    return {"_id": key, "sgv": value, **time, "direction": "Flat", "device": "pen"}


def _project(shell: Shell, name: str, decorator: str, sent: list[dict[str, Any]]) -> Path:
    """A project whose ingestion has the printed decorator; its last argument, the printed dots, is the schema."""
    root = shell.folder / name
    dots = "    ...\n"
    assert dots in printed(decorator)
    written = printed(decorator).replace(dots, "    validation_schema=RawGlucoseEntries,\n")
    put(root / "pyproject.toml", f'[project]\nname = "{name}"\n[tool.phlo]\n')
    put(root / "workflows/schemas/nightscout.py", printed("nightscout_schema.py"))
    put(root / "workflows/ingestion/glucose.py", WORKFLOW.format(sent=sent, decorator=written))
    return root


def _execute(root: Path) -> None:
    from phlo.declarations import SilentReporter
    from phlo.pipeline import execute
    from phlo.plan import make_plan
    from phlo.profiles import open_lake

    lake = open_lake(root)
    execute(lake, make_plan(lake, ["glucose_entries"], [dt.date(2024, 1, 15)]), SilentReporter())


def _held(root: Path) -> list[tuple[str, int]]:
    held = rows(root, "select _id, sgv from raw.glucose_entries order by _id, sgv")
    return [(row["_id"], row["sgv"]) for row in held]
