"""The walk that applies the rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from phlo.engine.dialect.reader import parse
from phlo.engine.dialect.rules import translate
from phlo.engine.dialect.writer import write
from phlo.errors import PhloError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.engine.dialect.nodes import Node

HERE = Path(__file__).parents[1]


def statements() -> Iterator[str]:
    yield from filter(str.strip, (HERE / "tpch" / "queries.sql").read_text().split(";;"))
    yield from (each["sql"] for each in json.loads((HERE / "trino_edges.json").read_text())[::24])


def places(tree: Node) -> list[tuple[object, ...]]:
    return [(node, id(node), id(node.parent), node.arg_key, node.index) for node in tree.walk()]


def test_the_tree_that_was_read_stays_as_it_is_so_that_it_can_be_read_once_for_all_that_look_at_it() -> None:
    translated = 0
    for sql in statements():
        tree = parse(sql)
        before = places(tree)
        try:
            written = write(translate(tree))
        except PhloError:
            continue
        assert places(tree) == before, sql
        assert write(translate(tree)) == written
        translated += 1
    assert translated > 30
