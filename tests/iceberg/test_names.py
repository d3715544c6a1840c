"""Names that tables and refs may have."""

from __future__ import annotations

import pytest

from phlo.errors import InvalidRefName, InvalidTableName
from phlo.iceberg.names import check_ref_name, split


@pytest.mark.parametrize("name", ["raw.g", "RAW.Glucose_2", "_a._b", "1.2"])
def test_letters_digits_and_underscores_name_a_table(name: str) -> None:
    assert ".".join(split(name)) == name


@pytest.mark.parametrize(
    "name",
    ["g", "raw.g.x", "raw.", ".g", "raw.g@run", "raw.g#1", "raw.a b", "raw.é", "", "raw.g\n", "raw.g/..", "a" * 300],
)
def test_nothing_else_names_a_table(name: str) -> None:
    with pytest.raises(InvalidTableName, match="can not name a table"):
        split(name)


@pytest.mark.parametrize("name", ["run-20240120-ab12", "dev-ann", "a.b", "_", "x" * 255])
def test_refs_may_have_dashes_and_dots(name: str) -> None:
    check_ref_name(name)


@pytest.mark.parametrize("name", ["main", "", "-x", ".x", "a b", "a@b", "a/b", "ä", "x" * 256, "a\n"])
def test_nothing_else_names_a_ref(name: str) -> None:
    with pytest.raises(InvalidRefName, match="can not name a ref"):
        check_ref_name(name)
