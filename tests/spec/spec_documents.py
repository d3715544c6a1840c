"""Read the two documents that Phlo promises to fulfil: what a reader of them could type, copy or compare.

They lie beside the repository (``../shared/spec``), not in it; what the tests run is kept under ``printed/`` and
compared with them wherever they are present.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[2] / "shared" / "spec"
FILES = {"building": "building-with-phlo-package.md", "readme": "phlo-glucose-platform-readme.md"}

FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
SETTING = re.compile(r"[A-Z][A-Z0-9_]*=\S")
COMMENTED = re.compile(r"# (?=phlo [a-z])")
INLINE = re.compile(r"`((?:phlo [a-z]|pip install|python -m|dbt run|uv sync)[^`]*)`")


@dataclass(frozen=True)
class Item:
    """One thing a document shows: a command, a setting, or a block with its whole text."""

    line: int
    kind: str
    text: str

    @property
    def digest(self) -> str:
        """What names the text: 12 digits of its SHA-256."""
        return digest(self.text)


def digest(text: str) -> str:
    """Name a text by 12 digits of its SHA-256."""
    return sha256(text.encode()).hexdigest()[:12]


def items(document: str) -> list[Item]:
    """List what a document shows, in its order: one item for a block, and one for each command of a shell block."""
    lines = (FOLDER / FILES[document]).read_text(encoding="utf-8").splitlines(keepends=True)
    return sorted(_items(lines), key=lambda item: item.line)


def _items(lines: list[str]) -> Iterator[Item]:
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        number += 1
        if not fence:
            for command in INLINE.findall(lines[number - 1]):
                yield Item(number, "command", command)
            continue
        start, indent = number, len(fence[1])
        while not FENCE.match(lines[number]):
            number += 1
        body = [line[indent:] for line in lines[start:number]]
        number += 1
        if fence[2] == "bash":
            yield from _shell(body, start + 1)
        else:
            yield Item(start, "block", "".join(body))


def _shell(body: list[str], first: int) -> Iterator[Item]:
    """Take a shell block apart: its commands, its settings, and the outputs that stand in its comments."""
    output: list[str] = []
    for number, line in enumerate([*body, "\n"], first):
        if output and not line.startswith("#"):
            yield Item(number - len(output), "output", "".join(output))
            output = []
        if output or line.startswith(("# Output:", "# Prompts:")):
            output.append(line)
        elif COMMENTED.match(line):
            yield Item(number, "command", line[2:].strip())
        elif SETTING.match(line):
            yield Item(number, "setting", line.strip())
        elif line.strip() and not line.startswith("#"):
            yield Item(number, "command", line.strip())
