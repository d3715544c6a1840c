"""A lake as one file: main, its past and its tables' files in a zip, which opens elsewhere and is read-only there.

What is packed is one state of the catalog; its files never change. Refs, leases and staging stay behind.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sqlalchemy import select

from phlo.errors import BundleBroken, CatalogCorrupt, MissingTableFiles, NotRelocatable
from phlo.iceberg import layout, liveness
from phlo.iceberg.database import SEALED, SQLITE, connect, facts
from phlo.iceberg.relocate import relocate
from phlo.protocols import MAIN

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table

FORMAT = 1
COPIES = 3
"""How often a copy of the catalog is taken when files that it names are gone."""

ABOUT, CATALOG, WAREHOUSE = "bundle.json", "catalog.db", "warehouse"

COPIED: tuple[tuple[Table, ColumnElement[bool] | None], ...] = (
    (layout.meta, layout.meta.c.key != SEALED),
    (layout.publishes, None),
    (layout.changes, None),
    (layout.loads, None),
    (layout.iceberg_tables, layout.iceberg_tables.c.catalog_name == MAIN),
    (layout.views, layout.views.c.ref == MAIN),
)


@dataclass(frozen=True)
class About:
    """What a bundle says of itself."""

    name: str
    dialect: str
    packed_at: str
    seq: int | None
    """The newest publish in it."""
    tables: int
    format: int = FORMAT


def pack(uri: str, file: Path, name: str, dialect: str, moment: str) -> About:
    """Pack the lake of a catalog into a file, which appears when it is complete.

    Maintenance may meanwhile delete what a copy of the catalog still names: then a new copy is taken. Raises
    ``NotRelocatable`` for tables with files outside the warehouse, ``MissingTableFiles`` where some are gone.
    """
    for _ in range(COPIES - 1):
        with suppress(MissingTableFiles):
            return _pack(uri, file, name, dialect, moment)
    return _pack(uri, file, name, dialect, moment)


def unpack(file: Path, folder: Path) -> About:
    """Open a bundle as a project in a new folder; raise ``BundleBroken`` for a file that is none, or damaged."""
    state = folder / ".phlo" / "state"
    try:
        with zipfile.ZipFile(file) as bundle:
            about = _about(file, bundle)
            state.mkdir(parents=True, mode=0o700)
            for name in bundle.namelist():
                if name == CATALOG or name.startswith(f"{WAREHOUSE}/"):
                    bundle.extract(name, state)
        (state / WAREHOUSE).mkdir(exist_ok=True)
        _settle(file, state)
        text = f"[project]\nname = {json.dumps(about.name)}\n\n[tool.phlo]\ndialect = {json.dumps(about.dialect)}\n"
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DAMAGED):
            raise BundleBroken(file=file, detail=str(error)) from error
        raise
    return about


DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, CatalogCorrupt)
"""What reading a damaged zip file, and what was in it, raises."""


def _pack(uri: str, file: Path, name: str, dialect: str, moment: str) -> About:
    with TemporaryDirectory(prefix="phlo-bundle-", dir=file.parent) as folder:
        copy = Path(folder) / CATALOG
        database = connect(f"{SQLITE}{copy}")
        with connect(uri).read() as source, database.write() as target:
            _copy(source, target)
        with database.read() as connection:
            root = facts(connection)["warehouse"]
            pointers = liveness.roots(connection).pointers
            rows = connection.execute(select(layout.iceberg_tables.c.table_name)).all()
            seq = max(connection.scalars(select(layout.publishes.c.seq)), default=None)
        database.engine.dispose()
        about = About(name, dialect, moment, seq, len(rows))
        partial = Path(folder) / file.name
        _write(partial, about, copy, Path(root), liveness.reach(pointers))
        partial.chmod(0o600)
        os.replace(partial, file)  # noqa: PTH105  the atomic step
    return about


def _copy(source: Connection, target: Connection) -> None:
    """Copy main and its past, and seal the copy."""
    layout.metadata.create_all(target)
    for table, condition in COPIED:
        wanted = select(table) if condition is None else select(table).where(condition)
        rows = [dict(row) for row in source.execute(wanted).mappings()]
        if rows:
            target.execute(table.insert(), rows)
    target.execute(layout.meta.insert(), [{"key": SEALED, "value": "a bundle"}])


def _write(partial: Path, about: About, catalog: Path, root: Path, files: set[str]) -> None:
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(ABOUT, json.dumps(asdict(about)))
        bundle.write(catalog, CATALOG)
        for each in sorted(map(Path, files)):
            if not each.is_relative_to(root):
                raise NotRelocatable(detail=f"`{each}` is not in the warehouse `{root}`")
            packed = zipfile.ZIP_STORED if each.suffix in (".parquet", ".avro") else zipfile.ZIP_DEFLATED
            try:
                bundle.write(each, f"{WAREHOUSE}/{each.relative_to(root).as_posix()}", packed)
            except FileNotFoundError as error:
                raise MissingTableFiles(name=each.relative_to(root).parts[0], file=each) from error


def _about(file: Path, bundle: zipfile.ZipFile) -> About:
    try:
        found = json.loads(bundle.read(ABOUT))
        known = int(found["format"])
        about = About(**found) if known <= FORMAT else None
    except (KeyError, TypeError, ValueError) as error:
        raise BundleBroken(file=file, detail="it is a zip file, but not one of Phlo's") from error
    if about is None:
        raise BundleBroken(file=file, detail=f"it has format {known}; this Phlo reads up to {FORMAT}")
    return about


def _settle(file: Path, state: Path) -> None:
    """Let the tables name the folder they are in now, and look that they name no other."""
    uri, root = f"{SQLITE}{state / CATALOG}", (state / WAREHOUSE).resolve()
    relocate(uri, root)
    with connect(uri).read() as connection:
        pointers = liveness.roots(connection).pointers
    for path in liveness.reach(pointers):
        if not Path(path).resolve().is_relative_to(root) or not Path(path).is_file():
            raise BundleBroken(file=file, detail=f"`{path}` is not in it")
