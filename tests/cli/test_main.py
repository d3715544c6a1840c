"""The command line itself: light, lazy, and plain about what goes wrong."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from phlo.cli.main import COMMANDS, main
from phlo.cli.main import phlo as phlo_group
from phlo.cli.render import elapsed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Shop

HEAVY = ["dlt", "pandas", "pyarrow", "pyiceberg", "duckdb", "dagster", "dbt", "pandera", "sqlalchemy", "sqlglot"]


def phlo(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phlo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("code", ["import phlo", "from phlo.cli.main import phlo; phlo(['--help'], 'phlo', False)"])
def test_import_and_help_load_no_heavy_library(code: str) -> None:
    script = f"""
import sys, json, contextlib
with contextlib.suppress(SystemExit, BaseException), contextlib.redirect_stdout(sys.stderr):
    {code.replace("; ", chr(10) + "    ")}
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_seconds_count_from_the_start_of_the_process_or_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, float]] = []
    monkeypatch.setattr(phlo_group, "main", lambda obj, **_: given.append(obj))
    used, now = time.process_time(), time.monotonic()
    for arguments in (None, []):
        with pytest.raises(SystemExit):
            main(arguments)
    with click.Context(phlo_group, obj=given[0]):
        assert elapsed() >= used
    assert given[1]["began"] >= now


def test_the_group_of_commands_can_be_called_without_the_entry_point(shop: Shop) -> None:
    arguments = ["--project", str(shop.root), "materialize", "readings", "--partition", "2024-01-20", "--dry-run"]
    done = CliRunner().invoke(phlo_group, arguments)
    assert done.exit_code == 0, done.output
    assert "raw.readings" in done.output


def test_the_version_is_printed_as_documented() -> None:
    assert phlo("--version").stdout == "phlo, version 1.0.0\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_in_the_table_is_true_of_an_existing_command(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help
    assert COMMANDS[name][1].endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    for each in [command, *getattr(command, "commands", {}).values()]:
        assert each.help
        assert [p.name for p in each.params if isinstance(p, click.Option) and not p.help] == []


@pytest.mark.parametrize(
    ("arguments", "says", "command"),
    [
        (["materialise", "x"], "There is no command `materialise`; did you mean `materialize`?", "phlo"),
        (["query"], "Missing argument `SQL`", "phlo query"),
        (["run", "--partitio", "x"], "No such option `--partitio`. Did you mean `--partition`?", "phlo run"),
        (["ref", "diff", "main"], "main is what refs branch off; `phlo ref list` names the refs", "phlo ref diff"),
    ],
)
def test_wrong_arguments_are_an_error_like_any_other(
    arguments: list[str], says: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = exit_code(arguments)
    hint = f"hint: `{command} --help` shows what it takes"
    assert (code, capsys.readouterr().err) == (2, f"error[wrong-arguments]: {says}\n{hint}\n")


def test_the_bare_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([]) == 2
    assert "Usage: phlo [OPTIONS] COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (
            OSError(28, "No space left on device", "/data/x"),
            "error[system]: No space left on device: `/data/x`\nhint: ",
        ),
        (KeyError("sgv"), "error[internal]: KeyError: 'sgv'\nhint: run it again as `phlo --debug …`"),
    ],
)
def test_what_nobody_foresaw_is_one_sentence_too(
    raised: Exception, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(phlo_group, "main", fail)
    assert exit_code(["history"]) == 1
    assert capsys.readouterr().err.startswith(says)


def exit_code(arguments: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code


def test_outside_a_project_there_is_an_error_with_a_hint_and_no_traceback(tmp_path: Path) -> None:
    done = phlo("history", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error[no-project]: There is no Phlo project in")
    assert "\nhint: `phlo init NAME`" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


ODD = """
import phlo
import pandera.pandas as pa


class Reading(pa.DataFrameModel):
    id: str


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def odd(partition_date: str):
    return [{"id": "half of \\ud800", "\\ud800\\x1b[2J": "é\\x1b[2J"}]
"""


def test_what_no_terminal_can_show_is_shown_as_an_escape(shop: Shop) -> None:
    (shop.root / "workflows" / "odd.py").write_text(ODD)
    screen = io.TextIOWrapper(io.BytesIO(), "latin-1")
    with contextlib.redirect_stdout(screen), pytest.raises(SystemExit) as stop:
        main(["--project", str(shop.root), "materialize", "odd", "--partition", "2024-01-20"])
    screen.flush()
    said = screen.buffer.getvalue()  # type: ignore[attr-defined]
    assert (stop.value.code, b"\\u2705 Successfully" in said, b"\x1b" in said) == (0, True, False)
    shown = shop.call("rejected", "show", "odd").out
    assert r"`half of \ud800` is not valid text" in shown
    assert "\x1b" not in shown
    (row,) = shop.call("rejected", "show", "odd", "--json").records
    assert row["row"] == {"id": "half of \ud800", "\ud800\x1b[2J": "é\x1b[2J"}


STUCK = """
import time
from pathlib import Path

import phlo

STATE = Path(__file__).resolve().parents[1] / ".phlo"


@phlo.ingestion(unique_key="id")
def stuck(partition_date: str):
    while not any(STATE.rglob("warehouse/**/*.parquet")):  # until the other table is written, and DuckDB open
        time.sleep(0.05)
    (STATE / "begun").touch()
    time.sleep(60)
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_process_at_once_and_quietly_though_a_source_still_works(shop: Shop) -> None:
    (shop.root / "workflows" / "stuck.py").write_text(STUCK)
    shop.deliver("2024-01-20", [{"id": 1}])
    process = shop.start("materialize", "readings", "stuck", "--partition", "2024-01-20")
    ends = time.monotonic() + 60
    while not (shop.root / ".phlo" / "begun").exists():
        assert time.monotonic() < ends
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing was published" in err
    assert "leaked" not in err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = phlo("--debug", "history", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
