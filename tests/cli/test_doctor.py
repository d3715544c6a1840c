"""`phlo doctor`: what keeps Phlo from working is named, with what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from phlo.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Shop

DAY = "2024-01-20"


def findings(shop: Shop) -> dict[str, dict[str, Any]]:
    return {each["what"]: each for each in json.loads(shop.call("doctor", "--json").out)}


def install(name: str, version: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a distribution of that name before all others on the path."""
    folder = place / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(place))


def test_of_a_sound_project_everything_is_fine(shop: Shop) -> None:
    shop.deliver(DAY, [{"id": 1, "value": 1}])
    shop.call("materialize", "--partition", DAY)
    done = shop.call("doctor")
    assert done.code == 0, done.out
    assert "✗" not in done.out
    assert "✓ workflows: 2 ingestions, 1 quality declaration" in done.out
    assert "✓ catalog: 2 tables, 0 views, 0 failed refs" in done.out
    assert f"GiB free for {shop.root}" in done.out


def test_a_broken_workflow_file_is_an_error_with_its_line(shop: Shop) -> None:
    (shop.root / "workflows" / "broken.py").write_text("import nothing_like_it\n")
    done = shop.call("doctor")
    assert done.code == 1
    assert "✗ workflows: `workflows/broken.py` does not import (line 1)" in done.out
    assert "[workflow-import-failed]" in done.out


def test_a_memory_limit_that_is_none_is_told_by_every_command(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHLO_MEMORY_LIMIT", "lots")
    assert "`memory_limit` is wrong: `lots` is no amount of memory" in findings(shop)["settings"]["detail"]
    for arguments in (["materialize", "readings", "--partition", DAY], ["query", "SELECT 1"], ["catalog", "tables"]):
        done = shop.call(*arguments)
        assert done.code == 1
        assert "error[invalid-setting]: The setting `memory_limit` is wrong: `lots`" in done.err


def test_a_catalog_that_can_not_be_read_does_not_send_the_user_back_here(shop: Shop) -> None:
    shop.call("history")
    (file,) = (shop.root / ".phlo").rglob("catalog.db")
    file.write_bytes(b"no database " * 99)
    for beside in file.parent.glob("catalog.db-*"):
        beside.unlink()
    found = findings(shop)["catalog"]
    assert (found["state"], "[catalog-corrupt]" in found["detail"]) == ("error", True)
    assert not found["hint"].startswith("`phlo doctor`")


def test_a_state_that_can_not_be_written_is_named(shop: Shop) -> None:
    (shop.root / ".phlo").write_text("a file where a folder has to be")
    found = findings(shop)
    assert {found[what]["state"] for what in ("workflows", "catalog", "disk")} == {"error"}
    assert found["disk"]["hint"] == "mend the permissions of the folder, or set PHLO_STATE to another"


def test_a_failed_ref_is_counted(shop: Shop) -> None:
    (shop.root / "source" / f"{DAY}.json").write_text("{broken")
    assert shop.call("materialize", "readings", "--partition", DAY).code == 1
    found = findings(shop)["catalog"]
    assert found["detail"].endswith("1 failed ref")
    assert found["hint"] == "`phlo ref list` says why they failed"


def test_another_package_of_the_same_name_is_named(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("phlo", "0.4.2", tmp_path / "other", monkeypatch)
    found = findings(shop)["phlo"]
    assert found["detail"] == "`phlo` 0.4.2 in this environment is another project's package"
    assert shop.call("doctor").code == 1


def test_a_compiled_sqlglot_is_named(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("sqlglotc", "30.30.0", tmp_path / "compiled", monkeypatch)
    found = findings(shop)["sqlglot"]
    assert (found["state"], found["hint"]) == ("error", "pip uninstall sqlglotc")


def test_outside_a_project_it_looks_at_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["doctor"])
    assert stop.value.code == 0
    assert "! project: There is no Phlo project in" in capsys.readouterr().out
