"""``phlo create-workflow``: a schema, a workflow and its test, which run as they are written.

What a user has written is never overwritten: a schema file that exists gets one more class, everything else has to
be new. All is decided before the first file is written.
"""

from __future__ import annotations

import ast
import json
import keyword
import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from phlo.errors import InvalidAnswer, InvalidDeclaration, SchemaFileBroken, WorkflowExists
from phlo.scaffold.snippets import (
    INGESTION,
    INGESTION_TEST,
    LOAD_TEST,
    QUALITY,
    QUALITY_TEST,
    SCHEMA_CLASS,
    SCHEMA_FILE,
)

Kind = Literal["ingestion", "quality"]

KINDS: tuple[Kind, ...] = ("ingestion", "quality")
QUESTIONS = {
    "kind": "Workflow type",
    "domain": "Domain name",
    "table": "Table name",
    "unique_key": "Unique key field",
    "cron": "Cron schedule",
    "base_url": "API base URL",
}
OF_SOURCES = ("cron", "base_url")
"""What only an ingestion is asked for."""


@dataclass(frozen=True)
class WorkflowFile:
    """A file that was written, relative to the project."""

    path: Path
    updated: bool = False


@dataclass(frozen=True)
class _Answers:
    domain: str
    table: str
    keys: tuple[str, ...]
    cron: str
    base_url: str
    path: str
    folder: Path
    """Of the workflow files, in the project."""

    @property
    def package(self) -> str:
        """What that folder is imported as."""
        return ".".join(self.folder.parts)

    @property
    def short(self) -> str:
        """The table's name without its namespace."""
        return self.table.rpartition(".")[2]

    @property
    def model(self) -> str:
        return "Raw" + "".join(part.capitalize() for part in self.short.split("_"))

    @property
    def row(self) -> str:
        """A row that has nothing but its key, as Python source."""
        return json.dumps({key: str(number) for number, key in enumerate(self.keys, 1)})

    @property
    def source(self) -> str:
        """The unique key as Python source: one string, or a list."""
        return json.dumps(self.keys[0] if len(self.keys) == 1 else list(self.keys))


def create_workflow(
    root: Path,
    *,
    kind: str = "ingestion",
    domain: str,
    table: str,
    unique_key: str,
    cron: str = "",
    base_url: str = "",
    path: str = "",
    workflows: str = "workflows",
) -> list[WorkflowFile]:
    """Write the files of a workflow into the project at ``root`` and return them: schema, workflow, test.

    ``unique_key`` may name several columns, separated by commas; an empty ``cron`` means no schedule; the source is
    ``base_url`` and ``path``, which answers a JSON list; ``workflows`` is the project's folder of workflow files.

    Raises ``InvalidAnswer`` for an answer that can't be, ``WorkflowExists`` where there is one already, and
    ``SchemaFileBroken`` for a schema file that is not Python; nothing is written then.
    """
    answers = _check(kind, domain, table, unique_key, cron, base_url, path, Path(workflows))
    contents = _ingestion(root, answers) if kind == "ingestion" else _quality(root, answers)
    written = []
    for file, text in contents.items():
        known = (root / file).exists()
        _write(root / file, text)
        written.append(WorkflowFile(file, updated=known))
    return written


def _check(
    kind: str, domain: str, table: str, unique_key: str, cron: str, base_url: str, path: str, folder: Path
) -> _Answers:
    given = {
        "kind": kind, "domain": domain, "table": table, "unique_key": unique_key, "cron": cron, "base_url": base_url
    }  # fmt: skip
    for answer, value in given.items():
        if kind == "ingestion" or answer not in OF_SOURCES:
            check_answer(answer, value, kind)
    keys = tuple(key.strip() for key in unique_key.split(",") if key.strip())
    name = ".".join(_table_parts(table, kind))
    return _Answers(_domain(domain), name, keys, cron.strip(), base_url.strip(), path.strip(), folder)


def check_answer(name: str, value: str, kind: str = "ingestion") -> None:
    """Raise ``InvalidAnswer``, naming what would do, for an answer that can't be.

    >>> check_answer("table", "glucose_entries")
    """
    if name == "kind" and value not in KINDS:
        _refuse(name, value, f"answer {' or '.join(KINDS)}")
    if name == "domain":
        _require_name(name, _domain(value), "nightscout")
    if name == "table":
        for part in _table_parts(value, kind):
            _require_name(name, part, "glucose_entries")
    if name == "unique_key" and not value.strip(", "):
        _refuse(name, value, "name a field of the source, such as id")
    if name == "cron" and value.strip():
        _check_cron(value)
    if name == "base_url" and not (urlsplit(value).scheme in ("http", "https") and urlsplit(value).netloc):
        _refuse(name, value, "write it as https://host/path")


def _check_cron(value: str) -> None:
    from phlo.declarations import Source
    from phlo.ingestion.decorator import check_cron

    try:
        check_cron(value.strip(), Source("", 0, ""))
    except InvalidDeclaration as error:
        _refuse("cron", value, f"{error.values['detail']}; {error.values['fix']}")


def _refuse(name: str, value: str, fix: str) -> NoReturn:
    raise InvalidAnswer(question=QUESTIONS[name], value=value, fix=fix)


def _domain(answer: str) -> str:
    return re.sub(r"[\s-]+", "_", answer.strip().lower())


def _table_parts(answer: str, kind: str) -> list[str]:
    """Split off the namespace: an ingestion's is always raw."""
    table = answer.strip()
    return [table.removeprefix("raw.")] if kind == "ingestion" else table.split(".", 1)


def _require_name(name: str, value: str, example: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) or keyword.iskeyword(value):
        fix = f"use small letters, digits and underscores, a letter first, such as {_spelled(value) or example}"
        _refuse(name, value, fix + (f"; `{value}` is a word of Python's" if keyword.iskeyword(value) else ""))


def _spelled(value: str) -> str:
    """Spell a name as Python can: without accents, blanks, a digit in front, or being a keyword.

    >>> _spelled("relevé en mg/dl"), _spelled("2024"), _spelled("class"), _spelled("血糖")
    ('releve_en_mg_dl', 'data_2024', 'class_data', '')
    """
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_").lower()
    if keyword.iskeyword(name):
        return f"{name}_data"
    return f"data_{name}" if name[:1].isdigit() else name


def _ingestion(root: Path, answers: _Answers) -> dict[Path, str]:
    workflow = Path(answers.folder, "ingestion", answers.domain, f"{answers.short}.py")
    test = Path("tests", f"test_{answers.domain}_{answers.short}.py")
    _require_new(root, workflow, test, answers)
    schema = Path(answers.folder, "schemas", f"{answers.domain}.py")
    text = _schema(root, schema, answers)
    values = {
        "package": answers.package,
        "domain": answers.domain,
        "table": answers.short,
        "title": f"{answers.domain} {answers.short.replace('_', ' ')}",
        "model": answers.model,
        "keys": answers.source,
        "key_list": json.dumps(list(answers.keys)),
        "schedule": f"    cron={json.dumps(answers.cron)},\n" if answers.cron else "",
        "base_url": json.dumps(answers.base_url),
        "path": json.dumps(answers.path),
    }
    if text is None:
        test_text = INGESTION_TEST.substitute(values, helpers="validate", loads="")
        return {workflow: INGESTION.substitute(values), test: test_text}
    loads = LOAD_TEST.substitute(values).rstrip() + "\n"
    test_text = INGESTION_TEST.substitute(values, helpers="example_row, run_ingestion, validate", loads=loads)
    return {schema: text, workflow: INGESTION.substitute(values), test: test_text}


def _quality(root: Path, answers: _Answers) -> dict[Path, str]:
    workflow = Path(answers.folder, "quality", answers.domain, f"{answers.short}.py")
    test = Path("tests", f"test_{answers.domain}_{answers.short}_quality.py")
    for file in (workflow, test):
        if (root / file).exists():
            raise WorkflowExists(table=answers.table, file=file)
    values = {
        "package": answers.package,
        "domain": answers.domain,
        "table": answers.table if "." in answers.table else f"raw.{answers.table}",
        "short": answers.short,
        "keys": json.dumps(list(answers.keys)),
        "row": answers.row,
    }
    return {workflow: QUALITY.substitute(values), test: QUALITY_TEST.substitute(values)}


def _require_new(root: Path, workflow: Path, test: Path, answers: _Answers) -> None:
    for file in sorted((root / answers.folder).rglob("*.py")):
        if answers.short in _declared_tables(file):
            raise WorkflowExists(table=answers.short, file=file.relative_to(root))
    for file in (workflow, test):
        if (root / file).exists():
            raise WorkflowExists(table=answers.short, file=file)


def _declared_tables(file: Path) -> set[str]:
    """Read which tables a file declares, without importing it; a file that is not Python declares none."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return set()
    found = set()
    for function in ast.walk(tree):
        for call in getattr(function, "decorator_list", []):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("phlo.ingestion", "phlo_ingestion")):
                named = [each.value for each in call.keywords if each.arg == "table_name"]
                constants = [str(value.value) for value in named if isinstance(value, ast.Constant)]
                found.add(constants[0] if constants else function.name)  # type: ignore[attr-defined]
    return found


def _schema(root: Path, file: Path, answers: _Answers) -> str | None:
    """Return the schema file's new text; None when it has the class already."""
    if not (root / file).exists():
        return SCHEMA_FILE.substitute(domain=answers.domain, classes=_class(answers, "pa", "Series"))
    with (root / file).open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise SchemaFileBroken(file=file, line=error.lineno, detail=error.msg) from error
    if any(isinstance(node, ast.ClassDef) and node.name == answers.model for node in tree.body):
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    pa, series, missing = _names(tree)
    added = _class(answers, pa, series).replace("\n", newline)
    return _with_imports(text, tree, missing, newline).rstrip() + newline * 3 + added


def _class(answers: _Answers, pa: str, series: str) -> str:
    columns = "".join(_column(key, pa, series) for key in answers.keys)
    return SCHEMA_CLASS.substitute(table=answers.short, model=answers.model, columns=columns, pa=pa, series=series)


def _names(tree: ast.Module) -> tuple[str, str, list[str]]:
    """Find what a schema file calls pandera and Series, and the imports that it lacks."""
    pa = series = ""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name in ("pandera", "pandera.pandas"):
                    pa = name.asname or name.name
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if node.module == "pandera" and name.name == "pandas":
                    pa = name.asname or name.name
                if (node.module or "").startswith("pandera.typing") and name.name == "Series":
                    series = name.asname or name.name
    missing = [] if pa else ["import pandera.pandas as pa"]
    return pa or "pa", series or "Series", missing if series else [*missing, "from pandera.typing import Series"]


def _with_imports(text: str, tree: ast.Module, imports: list[str], newline: str) -> str:
    if not imports:
        return text
    lines = text.splitlines(keepends=True)
    last = 0
    for position, node in enumerate(tree.body):
        docstring = position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring or isinstance(node, (ast.Import, ast.ImportFrom)):
            last = node.end_lineno or last
    if last and not lines[last - 1].endswith("\n"):
        lines[last - 1] += newline
    return "".join([*lines[:last], *(line + newline for line in imports), *lines[last:]])


def _column(key: str, pa: str, series: str) -> str:
    """Write a key's column; a name that Python can't spell becomes an alias."""
    name = re.sub(r"\W", "_", key)
    name = f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
    alias = "" if name == key else f"alias={json.dumps(key)}, "
    return f'    {name}: {series}[str] = {pa}.Field({alias}nullable=False, description="Unique identifier")\n'


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        draft.replace(file)
    except OSError as error:  # about the file that the user knows, not its draft
        raise type(error)(error.errno, error.strerror, str(file)) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
