"""Settings: pyproject.toml, .env and the environment, in that order of weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.config import read_settings
from phlo.engine.duckdb import write_memory
from phlo.errors import InvalidSetting

if TYPE_CHECKING:
    from pathlib import Path


def settings_file(root: Path, *lines: str) -> Path:
    (root / "pyproject.toml").write_text("\n".join(["[tool.phlo]", *lines]))
    return root


def test_a_project_without_settings_speaks_trino_on_the_embedded_profile(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path))
    assert (settings.profile, settings.dialect, settings.partitioning) == ("embedded", "trino", "month")


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(tmp_path, 'partitioning = "day"', 'memory_limit = "1GB"', "threads = 1")
    (tmp_path / ".env").write_text("PHLO_MEMORY_LIMIT=3GB\nPHLO_THREADS=2\nNIGHTSCOUT_BASE_URL=http://x\n")
    monkeypatch.setenv("PHLO_THREADS", "3")
    settings = read_settings(tmp_path)
    assert (settings.partitioning, settings.memory_limit, settings.threads) == ("day", "3GB", 3)


def test_an_unknown_setting_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="did you mean `dialect`"):
        read_settings(settings_file(tmp_path, 'dialct = "trino"'))


def test_a_wrong_value_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="`dialect` is wrong"):
        read_settings(settings_file(tmp_path, 'dialect = "postgres"'))


def test_a_wrong_value_in_the_environment_names_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHLO_THREADS", "many")
    with pytest.raises(InvalidSetting, match="`threads` is wrong"):
        read_settings(settings_file(tmp_path))


@pytest.mark.parametrize(
    "limit",
    ["lots", "", "2", "-1", "-1GB", "none", "0GB", "0.5MB", "100KB", "1.2.3GB", "2GBs", "0%", "101%", "٢GB"],
)
def test_a_memory_limit_that_is_none_is_an_error_that_shows_some(tmp_path: Path, limit: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        read_settings(settings_file(tmp_path, f'memory_limit = "{limit}"'))
    assert str(caught.value) == (
        f"The setting `memory_limit` is wrong: `{limit}` is no amount of memory; "
        'write "512MB", "2GB", or "80%" of the machine\'s'
    )


def test_a_memory_limit_that_is_a_number_alone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="`2` is no amount of memory"):
        read_settings(settings_file(tmp_path, "memory_limit = 2"))


@pytest.mark.parametrize("limit", ["1MB", "512mb", "2GB", " 1.5 GiB ", "0.5TB", "1TiB", "80%", "12.5 %", "100%"])
def test_a_memory_limit_is_one_that_duckdb_takes_for_reads_and_writes(tmp_path: Path, limit: str) -> None:
    allowed = read_settings(settings_file(tmp_path, f'memory_limit = "{limit}"')).memory_limit
    for each in (allowed, write_memory(allowed)):
        with duckdb.connect(config={"memory_limit": each}) as con:
            assert con.sql("SELECT 1").fetchall() == [(1,)]


def test_broken_toml_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.phlo]\ndialect = \n")
    with pytest.raises(InvalidSetting, match="line 2"):
        read_settings(tmp_path)


def test_a_password_in_the_catalog_uri_is_not_shown(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, 'catalog_uri = "postgresql+psycopg://me:secret@localhost/phlo"'))
    assert "secret" not in repr(settings)
