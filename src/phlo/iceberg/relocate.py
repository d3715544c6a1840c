"""Mend a lake whose folder moved: Iceberg writes absolute paths into its metadata, and the catalog points to it.

All that refs, their bases and the publish log can reach is rewritten in place, deepest first, each file at once; the
catalog follows last. So a relocation that was interrupted is finished by another one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pyiceberg.avro.file import AvroFile, AvroOutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import Record
from sqlalchemy import func, literal, select

from phlo.errors import MissingTableFiles, NotRelocatable
from phlo.iceberg import files, layout, states
from phlo.iceberg.database import connect, facts
from phlo.iceberg.leases import live_runs
from phlo.iceberg.moved_deletes import write_moved
from phlo.iceberg.scans import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.schema import Schema
    from pyiceberg.types import StructType
    from sqlalchemy import Connection

IN_WAREHOUSE = re.compile(r"/\w+/\w+-[0-9a-f]{12}(/.*)?", re.DOTALL)
"""The part of a path that moves with the warehouse: a table's folder, and what is in it."""

POINTERS = (
    (layout.iceberg_tables, layout.iceberg_tables.c.metadata_location),
    (layout.iceberg_tables, layout.iceberg_tables.c.previous_metadata_location),
    (layout.bases, layout.bases.c.pointer),
    (layout.changes, layout.changes.c.before),
    (layout.changes, layout.changes.c.after),
    (layout.meta, layout.meta.c.value),  # the folders of dropped tables
)

POSITIONS, GONE, PATH_ID = 1, 2, 2147483546
"""A file of positions, in a manifest; a file that is not in the table any more; the column of paths in the former."""


@dataclass(frozen=True)
class Move:
    """Where the warehouse was and where it is."""

    old: str
    new: str

    def __call__(self, path: str) -> str:
        """Tell where a file of the warehouse is now; anything else stays as it is.

        >>> Move("/a", "/a/b")("/a/raw/g-0123456789ab/data/1.parquet")
        '/a/b/raw/g-0123456789ab/data/1.parquet'
        >>> Move("/a", "/a/b")("/a/b/raw/g-0123456789ab/data/1.parquet")
        '/a/b/raw/g-0123456789ab/data/1.parquet'
        """
        inside = path.removeprefix(self.old)
        return self.new + inside if inside != path and IN_WAREHOUSE.fullmatch(inside) else path


def relocate(uri: str, warehouse: Path) -> int:
    """Make the catalog at ``uri`` and its tables' metadata name the folder they are in now; return how many files.

    Raises ``NotRelocatable`` while runs write to it, or where files hold paths that can not be rewritten, and
    ``MissingTableFiles`` where the folder is not all there.
    """
    root = str(Path(warehouse).absolute().resolve())
    database = connect(uri)
    with database.write() as connection:
        move = Move(facts(connection)["warehouse"], root)
        if runs := sorted(live_runs(connection)):
            raise NotRelocatable(detail=f"{', '.join(runs)} is writing to it")
        if move.old == move.new:
            return 0
        rewriter = Rewriter(move)
        for name, pointer in _pointers(connection):
            rewriter.rewrite(name, move(pointer))
        _follow(connection, move)
    return rewriter.count


class Rewriter:
    """Rewrites each file once."""

    def __init__(self, move: Move) -> None:
        self.move = move
        self.count = 0
        self._seen: set[str] = set()

    def rewrite(self, name: str, pointer: str) -> None:
        """Rewrite a metadata file, and what its snapshots list."""
        if pointer in self._seen:
            return
        self._seen.add(pointer)
        try:
            metadata = json.loads(Path(pointer).read_text(encoding="utf-8"))
            for snapshot in metadata.get("snapshots", []):
                self._manifest_list(self.move(snapshot["manifest-list"]))
        except FileNotFoundError as error:
            raise MissingTableFiles(name=name, file=error.filename or pointer) from error
        self._write_text(pointer, json.dumps(self._moved(metadata), ensure_ascii=False))

    def _manifest_list(self, path: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        lists = _read_avro(path)
        column = {field.name: position for position, field in enumerate(lists.schema.fields)}
        for record in lists.records:
            manifest = self.move(record[column["manifest_path"]])
            self._manifest(manifest)
            record[column["manifest_path"]] = manifest
            record[column["manifest_length"]] = Path(manifest).stat().st_size
        self._write_avro(path, lists)

    def _manifest(self, path: str) -> None:
        if path in self._seen:
            return
        self._seen.add(path)
        entries = _read_avro(path)
        column = {field.name: position for position, field in enumerate(entries.schema.fields)}
        kinds = cast("StructType", entries.schema.find_type("data_file")).fields
        for record in entries.records:
            file = {
                kind.name: self._moved(value)
                for kind, value in zip(kinds, record[column["data_file"]]._data, strict=True)
            }
            if file.get("content") == POSITIONS and record[column["status"]] != GONE:
                self._deletes(file)
            record[column["data_file"]] = Record(*file.values())
        self._write_avro(path, entries)

    def _deletes(self, file: dict[str, Any]) -> None:
        """Rewrite a file of positions or vectors, which holds paths, and say how large it is now."""
        path = local_path(file["file_path"])
        if path not in self._seen:
            self._seen.add(path)
            beside = f"{path}.moved"
            write_moved(path, beside, self.move)
            self._take(beside, path)
        file["file_size_in_bytes"] = Path(path).stat().st_size
        file["split_offsets"] = None
        for bounds in ("lower_bounds", "upper_bounds"):
            file[bounds] = {each: bound for each, bound in (file[bounds] or {}).items() if each != PATH_ID}

    def _moved(self, value: Any) -> Any:
        """Move every path in a value of JSON."""
        if isinstance(value, str):
            return self.move(value)
        if isinstance(value, list):
            return [self._moved(item) for item in value]
        return {key: self._moved(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _write_avro(self, path: str, content: Avro) -> None:
        beside = f"{path}.moved"
        name = json.loads(content.meta["avro.schema"])["name"]
        output = PyArrowFileIO().new_output(beside)
        with AvroOutputFile[Record](output, content.schema, name, metadata=content.meta) as file:
            file.write_block(content.records)
        self._take(beside, path)

    def _write_text(self, path: str, text: str) -> None:
        beside = f"{path}.moved"
        Path(beside).write_text(text, encoding="utf-8")
        self._take(beside, path)

    def _take(self, beside: str, path: str) -> None:
        files.sync(Path(beside))
        Path(beside).replace(path)
        self.count += 1


@dataclass(frozen=True)
class Avro:
    """What an Avro file holds."""

    schema: Schema
    meta: dict[str, str]
    records: list[Record]


def _read_avro(path: str) -> Avro:
    with AvroFile[Record](PyArrowFileIO().new_input(path)) as file:
        records = list(file)
        return Avro(file.schema, file.header.meta, records)


def _pointers(connection: Connection) -> Iterator[tuple[str, str]]:
    """Name every table's metadata file that main, its past, or a ref points to."""
    for row in connection.execute(select(layout.iceberg_tables)).all():
        yield f"{row.table_namespace}.{row.table_name}", row.metadata_location
    bases = select(layout.bases.c.name, layout.bases.c.pointer).where(layout.bases.c.kind == "table")
    for row in connection.execute(bases).all():
        yield row.name, row.pointer
    column, kept = layout.changes.c, states.kept_from(connection)  # maintenance may have deleted what is older
    for change in connection.execute(select(layout.changes).where(column.kind == "table", column.seq > kept)).all():
        for pointer in (change.before, change.after):
            if pointer is not None:
                yield change.name, pointer


def _follow(connection: Connection, move: Move) -> None:
    """Move the catalog's own pointers; a view's has no path and so stays."""
    for table, column in POINTERS:
        old = f"{move.old}/"
        moved = literal(f"{move.new}/") + func.substr(column, len(old) + 1)
        connection.execute(table.update().where(func.substr(column, 1, len(old)) == old).values({column: moved}))
    connection.execute(layout.meta.update().where(layout.meta.c.key == "warehouse").values(value=move.new))
