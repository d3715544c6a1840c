"""What Trino 476 answered to its documentation's examples and to statements of ours, against what we answer.

Each statement has the same value and type here, or is refused by name and listed in ``trino_refused.txt``; a value that
differs in silence fails. What Trino refuses is refused here too, but for ``trino_accepted.txt``.
``scripts/record_trino.py`` records anew and writes both lists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.trino_values import Answers, differs

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
FILES = ("trino_documented.json", "trino_recorded.json", "trino_edges.json")
RECORDED: list[dict[str, Any]] = [entry for file in FILES for entry in json.loads((HERE / file).read_text())]
REFUSED = set((HERE / "trino_refused.txt").read_text().splitlines())
ACCEPTED = set((HERE / "trino_accepted.txt").read_text().splitlines())
DIFFERENT = {  # NaN is the largest number of DuckDB's, and none of Trino's
    "select max(x), min(x) from (values nan(), 2e0, 1e0) t(x)",
    "select x from (values nan(), 2e0) t(x) where x > 1",
    "select array_max(array[nan(), 1e0])",
    "select greatest(nan(), 1e0)",
}
"""What is known to differ, and why; the reference page on the dialect says so."""
AT_ONCE = 40
CHUNKS = [RECORDED[at : at + AT_ONCE] for at in range(0, len(RECORDED), AT_ONCE)]


@pytest.fixture(scope="module")
def answers() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: chunk[0]["sql"][:60])
def test_statements_have_trinos_values_or_are_refused_by_name(chunk: list[dict[str, Any]], answers: Answers) -> None:
    wrong = {entry["sql"]: word for entry in chunk if (word := _wrong(entry, answers))}
    assert wrong == {}


def _wrong(entry: dict[str, Any], answers: Answers) -> str:
    """What is wrong with our answer; empty where nothing is."""
    answer = answers.to(entry["sql"])
    line = " ".join(entry["sql"].split())
    if answer.refused:
        return "" if line in REFUSED or "error" in entry else f"refused: {answer.refused}"
    if "error" in entry:
        return "" if line in ACCEPTED else "Trino refuses this"
    if line in REFUSED:
        return "it is in trino_refused.txt, but runs"
    difference = differs(answer, entry)
    return ("" if difference else "it does not differ") if entry["sql"] in DIFFERENT else difference


def test_the_lists_name_only_recorded_statements() -> None:
    lines = {" ".join(entry["sql"].split()) for entry in RECORDED}
    assert (REFUSED | ACCEPTED) - lines == set()


def test_nearly_all_of_the_documentation_runs() -> None:
    documented = [entry["sql"] for entry in RECORDED if "page" in entry]
    refused = [sql for sql in documented if " ".join(sql.split()) in REFUSED]
    assert len(documented) >= 400
    assert len(refused) / len(documented) <= 0.05


def test_little_of_what_models_do_is_refused() -> None:
    ours = [entry["sql"] for entry in RECORDED if "page" not in entry and "error" not in entry]
    assert len([sql for sql in ours if " ".join(sql.split()) in REFUSED]) / len(ours) < 0.06
