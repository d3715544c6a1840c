"""Why a row is rejected, in words that can be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phlo.load.rows import as_text

SHOWN = 60
"""Characters of a value that a reason quotes."""


@dataclass(frozen=True)
class Reason:
    """Why a row is rejected: a column (empty: the row as a whole), what is wrong, and the quoted value.

    >>> str(Reason("sgv", "is not a whole number", "`7.2`")), str(Reason("_id", "is null"))
    ('`sgv` = `7.2` is not a whole number', '`_id` is null')
    """

    column: str
    complaint: str
    value: str = ""

    @property
    def kind(self) -> str:
        """The reason without its value, to count by."""
        return f"`{self.column}` {self.complaint}" if self.column else self.complaint

    def __str__(self) -> str:
        return f"`{self.column}` = {self.value} {self.complaint}" if self.value else self.kind


Reasons = dict[int, Reason]
"""Row number in the batch → what is wrong with its cell."""


def quote(value: Any) -> str:
    """Quote a value in a reason, shortened."""
    text = as_text(value).encode(errors="backslashreplace").decode()
    return f"`{text[:SHOWN]}…`" if len(text) > SHOWN else f"`{text}`"
