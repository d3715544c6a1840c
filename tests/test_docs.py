"""The docs say what the code does: generated pages are fresh, and every command they show exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from phlo.cli.main import COMMANDS, phlo

if TYPE_CHECKING:
    from tests.conftest import Shop

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
RUN = ["rejected-rows", "exactly-once", "schema-evolution"]
"""Concepts whose workflows and commands are run, and must say what the page says."""

BLOCK = re.compile(r"```(python|console)\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"(?:^|`|\$ |\n)phlo ((?:--project \S+ )?[a-z][a-z-]*)(?: ([a-z]+))?")


def test_the_generated_pages_are_what_the_code_says() -> None:
    """In a process of its own, as a developer runs it: no other test's modules or settings have a say."""
    check = subprocess.run(
        [sys.executable, ROOT / "scripts" / "generate_docs.py", "--check"], capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_a_page_shows_exists(page: Path) -> None:
    shown = COMMAND.findall(page.read_text())
    unknown = []
    for name, sub in shown:
        command = phlo.get_command(click.Context(phlo), name.split()[-1])
        groups_miss = isinstance(command, click.Group) and sub and sub not in command.commands
        if command is None or groups_miss:
            unknown.append(f"phlo {name} {sub}".strip())
    planned = page.name == "spec.md"
    assert planned or unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_command_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text()
    assert [name for name in COMMANDS if f"## phlo {name}\n" not in text] == []


@pytest.mark.parametrize("concept", RUN)
def test_the_commands_of_a_concept_say_what_its_page_says(concept: str, shop: Shop) -> None:
    """Each shown line of output has to come, in this order; an … stands for anything."""
    page = (ROOT / "docs" / "concepts" / f"{concept}.md").read_text()
    (shop.root / "workflows" / "ingestion" / "shop.py").unlink()
    commands = 0
    for kind, block in BLOCK.findall(page):
        if kind == "python":
            name, _, code = block.partition("\n")
            (shop.root / name.removeprefix("# ")).write_text(code)
            continue
        for shown in block.split("$ ")[1:]:
            command, *lines = shown.splitlines()
            done = shop.call(*shlex.split(command)[1:])
            assert done.code == (1 if "error[" in shown else 0), done.err
            said = iter([*done.err.splitlines(), *done.out.splitlines()])
            for line in lines:
                wanted = re.compile(".*".join(re.escape(part.strip()) for part in line.split("…")))
                assert any(wanted.search(each) for each in said), (command, line, done)
            commands += 1
    assert commands >= 3
