"""A new raw table is known to dbt, and the user's files say everything they said before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from phlo.scaffold.init import init_project
from phlo.scaffold.sources import add_source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dbt(tmp_path: Path) -> Path:
    init_project("platform", tmp_path)
    return tmp_path / "platform" / "transforms" / "dbt"


def listed(file: Path) -> list[str]:
    (source,) = yaml.safe_load(file.read_text())["sources"]
    return [table["name"] for table in source["tables"]]


def test_the_first_table_makes_the_file(dbt: Path) -> None:
    file = add_source(dbt, "orders")
    assert file == dbt / "models" / "sources.yml"
    assert listed(file) == ["orders"]


def test_further_tables_are_added_once(dbt: Path) -> None:
    for table in ("orders", "visits", "orders"):
        file = add_source(dbt, table)
    assert file is None
    assert listed(dbt / "models" / "sources.yml") == ["visits", "orders"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "sources:\n  - name: raw_iceberg\n    schema: raw\n    tables:\n      - name: a\n        columns: []\n",
            "sources:\n  - name: raw_iceberg\n    schema: raw\n    tables:\n      - name: orders\n      - name: a\n"
            "        columns: []\n",
        ),
        (
            "sources:\n- name: 'raw_iceberg'\n  tables:\n  - name: a\n- name: other\n  tables:\n  - name: b\n",
            "sources:\n- name: 'raw_iceberg'\n  tables:\n  - name: orders\n  - name: a\n- name: other\n"
            "  tables:\n  - name: b\n",
        ),
        (
            "sources:\r\n  - name: raw_iceberg\r\n    tables:\r\n      - name: ä\r\n",
            "sources:\r\n  - name: raw_iceberg\r\n    tables:\r\n      - name: orders\r\n      - name: ä\r\n",
        ),
        (
            "sources:\n  - name: b\n    tables: []\n  - name: raw_iceberg  # ours\n    tables: []\n",
            "sources:\n  - name: b\n    tables: []\n  - name: raw_iceberg  # ours\n    tables:\n      - name: orders\n",
        ),
        (
            "sources:\n  - name: raw_iceberg\n    tables:\n\n      # first\n      - name: a\n",
            "sources:\n  - name: raw_iceberg\n    tables:\n      - name: orders\n\n      # first\n      - name: a\n",
        ),
        (
            "sources:\n- name: raw_iceberg\n  tables:\n  # none yet\n",
            "sources:\n- name: raw_iceberg\n  tables:\n    - name: orders\n  # none yet\n",
        ),
    ],
)
def test_a_file_says_what_it_said_and_one_line_more(dbt: Path, text: str, wanted: str) -> None:
    file = dbt / "models" / "bronze" / "schema.yml"
    file.write_bytes(text.encode())
    assert add_source(dbt, "orders") == file
    assert file.read_bytes().decode() == wanted


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n  - {name: raw_iceberg, tables: [{name: a}]}\n",
        "sources:\n  - name: raw_iceberg\n    tables: [{name: a}]\n",
        "sources:\n  - name: raw_iceberg\n    schema: raw\n",
        "sources:\n  - name: raw_iceberg\n  - name: other\n    tables:\n      - name: a\n",
    ],
)
def test_a_file_that_can_not_be_changed_safely_is_left_alone(dbt: Path, text: str) -> None:
    file = dbt / "models" / "schema.yml"
    file.write_text(text)
    assert add_source(dbt, "orders") is None
    assert file.read_text() == text
    assert not (dbt / "models" / "sources.yml").exists()


def test_files_that_are_no_yaml_are_passed_over(dbt: Path) -> None:
    (dbt / "models" / "broken.yml").write_text("sources: [")
    (dbt / "models" / "list.yml").write_text("- a\n")
    (dbt / "models" / "sources.yml").write_text("version: 2\n")
    assert add_source(dbt, "orders") == dbt / "models" / "raw_iceberg.yml"


def test_the_glucose_platform_keeps_its_own_file(tmp_path: Path) -> None:
    init_project("platform", tmp_path, "glucose")
    dbt = tmp_path / "platform" / "transforms" / "dbt"
    assert add_source(dbt, "glucose_entries") is None
    assert add_source(dbt, "meals") == dbt / "bronze" / "sources.yml"
    assert listed(dbt / "bronze" / "sources.yml") == ["meals", "glucose_entries"]


def test_where_there_is_no_dbt_project_nothing_happens(tmp_path: Path) -> None:
    assert add_source(tmp_path, "orders") is None
    assert list(tmp_path.iterdir()) == []
