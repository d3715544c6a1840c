"""Let Apache Iceberg's own Java library write tables with all its kinds of deletes, and record what it reads of them.

    python scripts/record_iceberg.py

It takes a JDK, Maven and the right to make the folder ``/lake``, and writes ``tests/iceberg/recorded``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "iceberg"
RECORDED = Path(__file__).parents[1] / "tests" / "iceberg" / "recorded"
LAKE = Path("/lake")
SCHEMA = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "_id", "required": False, "type": "string"},
        {"id": 2, "name": "sgv", "required": False, "type": "int"},
        {"id": 3, "name": "partition_date", "required": False, "type": "date"},
    ],
}


class Oracle:
    """The Java program, which holds one table."""

    def __init__(self, build: Path) -> None:
        copied = ("dependency:copy-dependencies", f"-DoutputDirectory={build}/lib")
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", *copied], check=True)
        subprocess.run(["javac", "-cp", f"{build}/lib/*", "-d", build, HERE / "Oracle.java"], check=True)
        command = ["java", "-cp", f"{build}:{build}/lib/*", "Oracle"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, do: str, **values: Any) -> dict[str, Any]:
        """Do something, and return where the table's metadata is then, with rows that were read."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"do": do, **values}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def readings(*values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return rows by their columns' names."""
    return [dict(zip(("_id", "sgv", "partition_date"), row, strict=True)) for row in values]


def steps(version: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what is done to the table, one snapshot or change of the schema each."""
    january, february = "2024-01-20", "2024-02-01"
    first = readings(("a", 1, january), ("b", 2, january), (None, 3, february), ("c", 4, february), ("c", 5, february))
    second = readings(("b", 9, january), ("d", 5, february), ("d", 5, january), ("e", 6, january))
    third = [{"key": "z", "sgv": 2**40}, {"key": "y", "note": "new"}, {"key": "x", "note": "n"}]
    everywhere = {"everywhere": True}
    return [
        ("append", {"rows": first}),
        ("values", {"rows": [{"_id": "b"}], "columns": ["_id", "sgv"], "by": ["_id"]}),
        ("spec", {"month": "partition_date"}),
        ("append", {"rows": second}),
        (
            "values",
            {"rows": readings(("d", 0, february)), "columns": ["_id", "partition_date"], "by": ["_id"]},
        ),
        *(("positions", {"column": "_id", "value": value}) for value in ("c", "a", "e")),
        ("values", {"rows": [{"_id": None}], "columns": ["_id"], "by": ["_id"], **everywhere}),
        ("schema", {"rename": "_id", "to": "key"}),
        ("schema", {"widen": "sgv"}),
        ("schema", {"add": "note"} | ({"default": "new"} if version == 3 else {})),
        ("append", {"rows": third}),
        ("values", {"rows": [{"sgv": 9}, {"sgv": 2**40}], "columns": ["sgv"], "by": ["sgv"], **everywhere}),
        ("positions", {"column": "key", "value": "y"}),
    ]


def record(oracle: Oracle, version: int) -> None:
    """Write a table of a version of the format, and pack it with the rows after each step."""
    folder = LAKE / "raw" / f"readings{version}-0123456789ab"
    oracle("create", schema=SCHEMA, location=str(folder), version=str(version))
    found = []
    for do, values in steps(version):
        oracle(do, **values)
        answer = oracle("read")
        found.append({"metadata": Path(answer["at"]).name, "rows": answer["rows"]})
    with zipfile.ZipFile(RECORDED / f"version_{version}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("steps.json", json.dumps(found))
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".crc":
                archive.write(path, path.relative_to(LAKE))


def main() -> None:
    """Record both versions."""
    RECORDED.mkdir(exist_ok=True)
    LAKE.mkdir()
    try:
        with tempfile.TemporaryDirectory() as build:
            oracle = Oracle(Path(build))
            for version in (2, 3):
                record(oracle, version)
            assert oracle.process.stdin is not None
            oracle.process.stdin.close()
            oracle.process.wait()
    finally:
        shutil.rmtree(LAKE)


if __name__ == "__main__":
    main()
