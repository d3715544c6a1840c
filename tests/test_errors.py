"""The error tree: every leaf says what, with values, and what to do next."""

from __future__ import annotations

import string
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from phlo.errors import PhloError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(error: type[PhloError] = PhloError) -> Iterator[type[PhloError]]:
    for child in error.__subclasses__():
        yield child
        yield from tree(child)


LEAVES = [error for error in tree() if not error.__subclasses__() and error.__module__ == "phlo.errors"]


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.code)
def test_every_error_has_a_hint_and_a_code_of_its_own(error: type[PhloError]) -> None:
    assert error.hint
    assert error.__doc__
    assert [other.code for other in tree()].count(error.code) == 1
    assert error.code == error.code.lower()


@pytest.mark.parametrize("error", LEAVES, ids=lambda error: error.code)
def test_every_template_formats_and_keeps_its_values(error: type[PhloError]) -> None:
    names = [name for text in (error.message, error.hint) for _, name, _, _ in string.Formatter().parse(text) if name]
    values = {name: f"<{name}>" for name in names}
    made = error(**values)
    assert made.values == values
    assert all(value in f"{made} {made.next_step}" for value in values.values())


def test_usage_errors_exit_with_two_and_others_with_one() -> None:
    codes = defaultdict(set)
    for error in tree():
        codes[issubclass(error, UsageError)].add(error.exit_code)
    assert codes == {True: {2}, False: {1}}


@pytest.mark.parametrize(
    ("name", "known", "tail"),
    [
        ("glucos_entries", ["glucose_entries", "meals"], "; did you mean `glucose_entries`?"),
        ("GLUCOSE", ["glucose_entries"], "; did you mean `glucose_entries`?"),
        ("xyz", ["glucose_entries"], "."),
        ("", ["a"], "."),
    ],
)
def test_the_nearest_names_end_the_sentence(name: str, known: list[str], tail: str) -> None:
    assert nearest(name, known) == tail
