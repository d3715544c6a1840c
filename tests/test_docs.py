"""The docs say what the code does: generated pages are fresh, and every command they show exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from phlo.cli.main import COMMANDS, phlo

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
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
