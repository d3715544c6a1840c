"""Tells dbt about a raw table, so that ``source('raw_iceberg', …)`` in a model finds it.

The files are the user's: a table is added as one line to the text, and only if the file then says what it said
before and this; otherwise nothing is touched.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "raw_iceberg"
NAME = re.compile(rf"^(\s*)-\s+name:\s*['\"]?{SOURCE}['\"]?\s*(#.*)?$")
TABLES = re.compile(r"^(\s*)tables:\s*(\[\s*\])?\s*(#.*)?$")
LEFT_OUT = {"target", "dbt_packages", "logs"}

NEW = f"""\
version: 2

sources:
  - name: {SOURCE}
    schema: raw
    description: Tables that the workflows in workflows/ingestion load
    tables:
"""


def add_source(dbt: Path, table: str) -> Path | None:
    """Add ``table`` to the source ``raw_iceberg`` of the dbt project in ``dbt`` and return the file it now stands in.

    None where there is nothing to do (no dbt project, or it knows the table) and where the file can't be changed
    safely: dbt names the missing source then.
    """
    if not (dbt / "dbt_project.yml").is_file():
        return None
    for file in _files(dbt):
        source = _find(_read(file))
        if source is not None:
            return None if table in _tables(source) else _add(file, table)
    return _create(dbt, table)


def _files(dbt: Path) -> list[Path]:
    found = [file for pattern in ("*.yml", "*.yaml") for file in dbt.rglob(pattern)]
    return sorted(file for file in found if not LEFT_OUT & set(file.relative_to(dbt).parts))


def _read(file: Path) -> Any:
    return _parse(file.read_bytes().decode(errors="replace"))


def _parse(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:  # dbt names the file and the line, with more to say
        return None


def _find(content: Any) -> dict[str, Any] | None:
    sources = content.get("sources") if isinstance(content, dict) else None
    found = [each for each in sources or () if isinstance(each, dict) and each.get("name") == SOURCE]
    return found[0] if found else None


def _tables(source: dict[str, Any]) -> list[str]:
    return [str(each.get("name")) for each in source.get("tables") or () if isinstance(each, dict)]


def _add(file: Path, table: str) -> Path | None:
    text = file.read_bytes().decode(errors="replace")
    changed = _with_table(text.splitlines(keepends=True), table)
    before, after = _parse(text), _parse(changed or "")
    wanted = copy.deepcopy(before)
    source = _find(wanted)
    assert source is not None  # the caller found it
    source["tables"] = [{"name": table}, *(source.get("tables") or ())]
    if changed is None or after != wanted:
        return None
    file.write_bytes(changed.encode())
    return file


def _with_table(lines: list[str], table: str) -> str | None:
    """Put the table first in its list: the one place that is known without reading what the others say."""
    start = next((number for number, line in enumerate(lines) if NAME.match(line)), len(lines))
    for number in range(start + 1, len(lines)):
        tables = TABLES.match(lines[number].rstrip("\r\n"))
        if tables:
            indent = f"{tables[1]}  "
            if number + 1 < len(lines) and re.match(rf"{tables[1]}\s*- ", lines[number + 1]):
                indent = lines[number + 1].partition("-")[0]
            newline = "\r\n" if lines[number].endswith("\r\n") else "\n"
            head = lines[number].rstrip("\r\n").replace("[]", "").rstrip() + newline
            return "".join([*lines[:number], head, f"{indent}- name: {table}{newline}", *lines[number + 1 :]])
    return None


def _create(dbt: Path, table: str) -> Path | None:
    config = _read(dbt / "dbt_project.yml")
    folders = config.get("model-paths") if isinstance(config, dict) else None
    folder = dbt / str((folders or ["models"])[0])
    file = next((folder / name for name in ("sources.yml", f"{SOURCE}.yml") if not (folder / name).exists()), None)
    if file is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{NEW}      - name: {table}\n", encoding="utf-8")
    return file
