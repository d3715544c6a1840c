"""Settings: ``[tool.phlo]`` in pyproject.toml, overridden by ``.env``, overridden by ``PHLO_*`` in the environment."""

from __future__ import annotations

import datetime as dt  # noqa: TC003  pydantic reads it at run time
import re
import tomllib
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from phlo.errors import InvalidSetting, nearest

if TYPE_CHECKING:
    from pathlib import Path


MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:(%)|([MGT])i?B)\s*", re.ASCII | re.IGNORECASE)
"""An amount of memory; DuckDB takes more spellings, and amounts with which it then does not start."""

MEGABYTES = {"M": 1, "G": 1_000, "T": 1_000_000}


class Settings(BaseSettings):
    """What a project may set."""

    model_config = SettingsConfigDict(env_prefix="PHLO_", env_file_encoding="utf-8", extra="ignore", frozen=True)

    profile: Literal["embedded"] = Field("embedded", description="Which implementations run the project.")
    dialect: Literal["trino", "duckdb"] = Field("trino", description="The SQL that models, checks and queries speak.")
    catalog_uri: str = Field("", description="SQLAlchemy URI of the catalog; empty: SQLite in .phlo/state.", repr=False)
    warehouse: str = Field("", description="Folder of the tables' files; empty: .phlo/state/warehouse.")
    partitioning: Literal["none", "day", "month", "year"] = Field(
        "month", description="Physical partitioning of new raw tables by partition_date: none, day, month or year."
    )
    start_date: dt.date | None = Field(None, description="First day of partitions that name none of their own.")
    memory_limit: str = Field(
        "2GB", description="How much memory the engine may use before it spills to disk: like 512MB, 2GB or 80%."
    )
    threads: int = Field(0, ge=0, description="Threads of the engine; 0: one for each core.")
    state: str = Field("", description="Folder of everything Phlo keeps for the project; empty: .phlo/state.")
    workflows: str = Field("workflows", description="Folder of the workflow files.")
    dbt_project: str = Field("transforms/dbt", description="Folder of the dbt project.")
    keep_failed: int = Field(3, ge=0, description="How many failed refs are kept for each selection.")
    keep_failed_days: int = Field(7, ge=0, description="How many days failed refs are kept.")
    history_days: int = Field(30, ge=0, description="How many days of main's past `phlo maintain` keeps readable.")
    schedule_timezone: str = Field("UTC", description="The time zone that `cron` is read in, such as Europe/Berlin.")
    record_commands: bool = Field(
        True, description="Whether commands record their runs in Dagster's instance themselves, where it is installed."
    )
    concurrent_runs: int = Field(1, ge=1, description="How many runs the server lets work at once; others are queued.")

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _is_memory(cls, limit: object) -> object:
        found = MEMORY.fullmatch(str(limit))
        amount = float(found[1]) * MEGABYTES.get((found[3] or "").upper(), 1) if found else 0
        if not found or amount < 1 or (found[2] and amount > 100):
            raise ValueError(f'`{limit}` is no amount of memory; write "512MB", "2GB", or "80%" of the machine\'s')
        return limit

    @field_validator("schedule_timezone")
    @classmethod
    def _is_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone `{name}`") from error
        return name

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over .env, and both over pyproject.toml (which arrives as arguments)."""
        return env_settings, dotenv_settings, init_settings


def read_settings(root: Path) -> Settings:
    """Read the settings of the project at ``root``; raise ``InvalidSetting`` for names or values that are wrong."""
    file = root / "pyproject.toml"
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text()).get("tool", {}).get("phlo", {}) if file.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(name="pyproject.toml", detail=str(error), file=file.name) from error
    for name in table:
        if name not in Settings.model_fields:
            known = nearest(name, Settings.model_fields)
            raise InvalidSetting(name=name, detail=f"there is no such setting{known}", file=file.name)
    try:
        return Settings(_env_file=root / ".env", **table)  # type: ignore[call-arg]  # pydantic-settings adds it
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        detail = first["msg"].removeprefix("Value error, ")
        raise InvalidSetting(name=name, detail=detail, file=file.name) from error
