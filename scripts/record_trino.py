"""Record what a live Trino answers to the statements of tests/engine/trino_*.json, and list what is refused here.

    python scripts/record_trino.py --url http://127.0.0.1:8080 tests/engine/trino_edges.json [more.sql]
    python scripts/record_trino.py --lists

Statements in further files, separated by ``;;``, are added; of those that Trino refuses its error's name is kept.
``--lists`` needs no Trino: it answers all statements here and writes trino_refused.txt (what has a value in Trino and
is refused here) and trino_accepted.txt (the other way round). Look at what it changes before you commit it.

A Trino for this: JDK 25 and ``mvn dependency:copy -Dartifact=io.trino:trino-server:476:tar.gz``, of which ``lib``,
``bin``, ``plugin/memory`` and ``plugin/tpch`` are enough; ``etc/catalog/memory.properties``: ``connector.name=memory``.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "tests" / "engine"


def main() -> int:
    """Evaluate every statement again, write the file anew, and say what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--lists", action="store_true", help="write the lists of what is refused and accepted here")
    parser.add_argument("recorded", type=Path, nargs="?")
    parser.add_argument("added", type=Path, nargs="*")
    options = parser.parse_args()
    if options.lists:
        return write_lists()
    known = json.loads(options.recorded.read_text()) if options.recorded.exists() else []
    added = [{"sql": sql} for file in options.added for sql in statements(file.read_text())]
    entries: dict[str, dict[str, Any]] = {}
    for entry in [*known, *added]:
        try:
            columns, rows = run(options.url, entry["sql"])
        except ValueError as error:
            print(f"refused by Trino: {entry['sql']}\n  {error}", file=sys.stderr)
            entries.setdefault(entry["sql"], {"sql": entry["sql"], "error": str(error).partition(":")[0]})
            continue
        fresh = {**entry, "types": [column["type"] for column in columns], "rows": rows}
        if entry.get("rows", rows) != rows:
            print(f"changed: {entry['sql']}\n  was {entry['rows']}\n  now {rows}", file=sys.stderr)
        entries.setdefault(entry["sql"], fresh)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries.values())
    options.recorded.write_text(f"[\n{lines}\n]\n")
    print(f"{len(entries)} statements", file=sys.stderr)
    return 0


def write_lists() -> int:
    """Answer every recorded statement here, and write down which are refused on one side alone."""
    sys.path.insert(0, str(RECORDED.parents[1]))
    from tests.engine.trino_values import Answers

    refused: dict[str, None] = {}
    accepted: dict[str, None] = {}
    with Answers() as answers:
        for file in sorted(RECORDED.glob("trino_*.json")):
            for entry in json.loads(file.read_text()):
                here, there = bool(answers.to(entry["sql"]).refused), "error" in entry
                if here != there:
                    (refused if here else accepted)[" ".join(entry["sql"].split())] = None
    (RECORDED / "trino_refused.txt").write_text("\n".join(refused) + "\n")
    (RECORDED / "trino_accepted.txt").write_text("\n".join(accepted) + "\n")
    print(f"{len(refused)} refused here alone, {len(accepted)} accepted here alone", file=sys.stderr)
    return 0


def statements(text: str) -> list[str]:
    """Split a file into statements of one line each."""
    return [" ".join(part.split()) for part in text.split(";;") if part.strip()]


def run(url: str, sql: str) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Run a statement to its end over Trino's protocol; ``ValueError`` holds Trino's own."""
    headers = {
        "X-Trino-User": "recorder",
        "X-Trino-Catalog": "memory",
        "X-Trino-Schema": "default",
        "X-Trino-Time-Zone": "UTC",
        "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
    }
    request = urllib.request.Request(f"{url}/v1/statement", data=sql.encode(), headers=headers)
    columns: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    answer = _read(request)
    while True:
        if "error" in answer:
            raise ValueError(f"{answer['error']['errorName']}: {answer['error']['message']}")
        columns = answer.get("columns", columns)
        rows += answer.get("data", [])
        if "nextUri" not in answer:
            return columns, rows
        answer = _read(urllib.request.Request(answer["nextUri"]))


def _read(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


if __name__ == "__main__":
    raise SystemExit(main())
