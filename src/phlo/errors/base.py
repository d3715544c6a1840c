"""What every error is, and how it names what comes nearest."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class PhloError(Exception):
    """An error with a stable code, one sentence that carries its values, and a hint that names the next step.

    >>> from phlo.errors import UnknownAsset
    >>> error = UnknownAsset(name="glucos", nearest=nearest("glucos", ["glucose_entries"]))
    >>> print(error)
    There is no asset named `glucos`; did you mean `glucose_entries`?
    >>> error.code, error.values["name"]
    ('unknown-asset', 'glucos')
    """

    code: ClassVar[str] = "error"
    message: ClassVar[str] = "{detail}"
    hint: ClassVar[str] = ""
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, **values: object) -> None:
        self.values = values
        self.next_step = self.hint.format_map(values)
        super().__init__(_counted(self.message, values).format_map(values))

    def __init_subclass__(cls) -> None:
        """Name the import path in tracebacks and docs, in whichever module of the package it stands."""
        if cls.__module__.startswith("phlo.errors."):
            cls.__module__ = "phlo.errors"


def _counted(template: str, values: Mapping[str, object]) -> str:
    """Decide each ``{count} thing(s)`` of a template by the number it counts.

    >>> _counted("{done} of {total} model(s)", {"total": 1}), _counted("{count} row(s)", {"count": 2})
    ('{done} of {total} model', '{count} rows')
    """
    return re.sub(r"(\{(\w+)\}[a-z ]+)\(s\)", lambda found: found[1] + ("" if values[found[2]] == 1 else "s"), template)


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names come nearest to ``name``, as the tail of a sentence.

    >>> nearest("sgv2", ["sgv", "date"])
    '; did you mean `sgv`?'
    >>> nearest("x", [])
    '.'
    """
    found = nearest_names(name, known)
    if not found:
        return "."
    return "; did you mean " + " or ".join(f"`{match}`" for match in found) + "?"


def nearest_names(name: str, known: Iterable[str]) -> list[str]:
    """List the known names that come nearest to ``name``, three at most.

    >>> nearest_names("sgv2", ["sgv", "date"])
    ['sgv']
    """
    folded = {candidate.lower(): candidate for candidate in sorted(set(known))}
    close = difflib.get_close_matches(name.lower(), list(folded), n=3, cutoff=0.6)
    within = [folded[low] for low in folded if name and (name.lower() in low or low in name.lower())]
    return list(dict.fromkeys([*(folded[match] for match in close), *within]))[:3]
