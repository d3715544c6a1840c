"""The project's dbt models as records: what each makes, and which tables it is made from.

dbt itself reads the project, which costs seconds, so its answer is kept in the state folder and read again only when
a file of the dbt project, or dbt or Phlo itself, changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from phlo.project import Project

KINDS = ("model", "seed", "snapshot")
SETTINGS = frozenset({"dbt_project.yml", "profiles.yml", "packages.yml", "dependencies.yml", "package-lock.yml"})
LEFT_OUT = frozenset({"target", "logs", "dbt_packages", ".git", "__pycache__"})
"""Folders whose files do not change what dbt reads; packages count by their lock file."""


@dataclass(frozen=True)
class Model:
    """A table or view that dbt makes."""

    name: str
    table: str
    """``schema.name``, in the catalog."""
    unique_id: str
    kind: str
    """model, seed or snapshot."""
    materialization: str
    path: str
    """Its file, from the project's root."""
    parents: tuple[str, ...] = ()
    """The tables it is made from: sources, other models, and what its ephemeral models are made from."""
    sources: tuple[str, ...] = ()
    """Those of its parents that are sources, as dbt selects them: ``source:raw_iceberg.glucose_entries``."""
    description: str = ""
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    """The descriptions of its columns."""
    tests: tuple[str, ...] = ()
    """The names of the data tests that read it."""


@dataclass(frozen=True)
class DataTest:
    """A test that dbt runs on tables and views."""

    name: str
    unique_id: str
    tables: tuple[str, ...]
    """The tables and views that it reads: sources and models, and what its ephemeral models are made from."""
    path: str
    severity: str = "error"
    """error or warn."""
    description: str = ""
    sql: str = ""
    """What it looks for, compiled; empty where only dbt can run it."""
    counted: str = ""
    """The query that judges it."""
    warn_if: str = "!= 0"
    error_if: str = "!= 0"


def graph(project: Project) -> list[Model]:
    """List the models, parents first; empty where the project has no dbt project.

    Raises ``DbtProjectBroken`` with dbt's words.
    """
    return _read_project(project)[0]


def data_tests(project: Project) -> list[DataTest]:
    """List the data tests on models and sources; raise ``DbtProjectBroken`` with dbt's words."""
    return _read_project(project)[1] if _may_test(project.dbt) else []


def last_read(project: Project) -> tuple[list[Model], list[DataTest]] | None:
    """The models and data tests as dbt read them last, whatever has changed since; None where that is not known."""
    return _stored(_kept(project))


def _read_project(project: Project) -> tuple[list[Model], list[DataTest]]:
    if not _has_nodes(project.dbt):
        return [], []
    kept, fingerprint = _kept(project), _fingerprint(project.dbt)
    stored = _stored(kept, fingerprint)
    if stored is not None:
        return stored
    from phlo.transform.dbt import compile_tests, parse

    manifest = parse(project)
    tests = _tests(manifest, project, compile_tests(project, _plain(manifest)))
    models = _models(manifest, project, tests)
    listed = {"models": [asdict(model) for model in models], "tests": [asdict(test) for test in tests]}
    _keep(kept, {"fingerprint": fingerprint, **listed})
    return models, tests


def _may_test(folder: Path) -> bool:
    """Whether a dbt project may have data tests, by the look of its files: reading it costs seconds."""
    for path in _files(folder, LEFT_OUT):
        if path.suffix in (".yml", ".yaml") and re.search(r"\b(data_)?tests\b|test-paths", path.read_text()):
            return True
        if path.suffix == ".sql" and "tests" in path.relative_to(folder).parts[:-1]:
            return True
    return False


def _plain(manifest: Any) -> list[str]:
    from phlo.transform.plain import is_plain

    return [node.name for node in _test_nodes(manifest) if is_plain(node, manifest)]


def _test_nodes(manifest: Any) -> list[Any]:
    return [node for node in manifest.nodes.values() if str(node.resource_type) == "test"]


def _has_nodes(folder: Path) -> bool:
    """Whether dbt has anything to read: models, or tests of sources, which are described in YAML."""
    described = (path for path in _files(folder, LEFT_OUT) if path.suffix in (".yml", ".yaml"))
    return (folder / "dbt_project.yml").is_file() and (
        bool(model_names(folder)) or any(path.name not in SETTINGS for path in described)
    )


def model_names(folder: Path) -> list[str]:
    """Name the models by their files alone: what a dbt project has, without dbt.

    Macros and tests are files of SQL too; folders of these names are left out.
    """
    skipped = LEFT_OUT | {"macros", "tests", "analyses"}
    return sorted({path.stem for path in _files(folder, skipped) if path.suffix in (".sql", ".csv")})


def _tests(manifest: Any, project: Project, compiled: Mapping[str, str]) -> list[DataTest]:
    from phlo.transform.plain import counted

    return [
        DataTest(
            name=node.name,
            unique_id=node.unique_id,
            tables=tuple(dict.fromkeys(tables_above(node, manifest))),
            path=_path(node, project),
            severity=str(node.config.severity).lower(),
            description=node.description,
            sql=compiled.get(node.unique_id, ""),
            counted=counted(node, compiled[node.unique_id]) if node.unique_id in compiled else "",
            warn_if=node.config.warn_if,
            error_if=node.config.error_if,
        )
        for node in sorted(_test_nodes(manifest), key=lambda node: str(node.unique_id))
    ]


def _models(manifest: Any, project: Project, tests: Sequence[DataTest]) -> list[Model]:
    nodes = {unique_id: node for unique_id, node in manifest.nodes.items() if str(node.resource_type) in KINDS}
    order = sorted(nodes, key=lambda unique_id: (_depth(unique_id, nodes), unique_id))
    return [
        _model(nodes[unique_id], manifest, project, tests)
        for unique_id in order
        if nodes[unique_id].config.materialized != "ephemeral"
    ]


def _depth(unique_id: str, nodes: Mapping[str, Any], known: dict[str, int] | None = None) -> int:
    known = {} if known is None else known
    if unique_id not in known:
        above = [parent for parent in _above(nodes[unique_id]) if parent in nodes]
        known[unique_id] = 1 + max((_depth(parent, nodes, known) for parent in above), default=0)
    return known[unique_id]


def _model(node: Any, manifest: Any, project: Project, tests: Sequence[DataTest]) -> Model:
    parents = dict.fromkeys(tables_above(node, manifest))
    sources = [unique_id for unique_id in _reached(node, manifest) if unique_id in manifest.sources]
    table = f"{node.schema}.{node.alias}"
    return Model(
        name=node.name,
        table=table,
        unique_id=node.unique_id,
        kind=str(node.resource_type),
        materialization=str(node.config.materialized),
        path=_path(node, project),
        parents=tuple(parents),
        sources=tuple(f"source:{manifest.sources[s].source_name}.{manifest.sources[s].name}" for s in sources),
        description=node.description,
        tags=tuple(node.tags),
        meta=dict(node.meta or node.config.meta),
        columns={name: column.description for name, column in node.columns.items()},
        tests=tuple(test.name for test in tests if table in test.tables),
    )


def _path(node: Any, project: Project) -> str:
    file = project.dbt / node.original_file_path
    return str(file.relative_to(project.root)) if file.is_relative_to(project.root) else str(file)


def tables_above(node: Any, manifest: Any) -> Iterator[str]:
    """The tables and views that a node of dbt's is made from; an ephemeral model stands for its own."""
    for unique_id in _reached(node, manifest):
        if unique_id in manifest.sources:
            source = manifest.sources[unique_id]
            yield f"{source.schema}.{source.identifier}"
        else:
            parent = manifest.nodes[unique_id]
            yield f"{parent.schema}.{parent.alias}"


def _reached(node: Any, manifest: Any) -> Iterator[str]:
    """The nearest parents that are tables or views: an ephemeral model stands for its own parents."""
    for unique_id in _above(node):
        parent = manifest.nodes.get(unique_id)
        if parent is not None and parent.config.materialized == "ephemeral":
            yield from _reached(parent, manifest)
        elif parent is not None or unique_id in manifest.sources:
            yield unique_id


def _above(node: Any) -> list[str]:
    # A seed depends on macros alone.
    return list(getattr(node.depends_on, "nodes", ()))


def _kept(project: Project) -> Path:
    return project.state / "dbt" / "graph.json"


def _stored(path: Path, fingerprint: str | None = None) -> tuple[list[Model], list[DataTest]] | None:
    """Read the graph that was kept, unless it is of other files (where that matters), or not a graph at all."""
    try:
        stored = json.loads(path.read_text())
        if fingerprint not in (None, stored["fingerprint"]):
            return None
        models = [Model(**_values(record)) for record in stored["models"]]
        return models, [DataTest(**_values(record)) for record in stored["tests"]]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _values(record: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}


def _keep(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(record, default=str))
    draft.replace(path)


def _fingerprint(folder: Path) -> str:
    """Change with every file that dbt may read, and with the versions of those who read."""
    digest = hashlib.sha256(f"{version('phlo')} {version('dbt-core')} {folder}".encode())
    for path in sorted(_files(folder, LEFT_OUT)):
        stat = path.stat()
        digest.update(f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\n".encode())
    # env_var() in a model or a yml file makes the environment part of the project.
    for name in sorted(os.environ):
        if name.startswith("DBT_"):
            digest.update(f"{name}={os.environ[name]}\n".encode())
    return digest.hexdigest()


def _files(folder: Path, skipped: frozenset[str]) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in skipped]
        yield from (type(folder)(where, name) for name in files)
