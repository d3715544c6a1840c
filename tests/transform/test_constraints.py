"""The constraints of contracts, on rows that are about to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import ConstraintBroken, InvalidModelConfig
from phlo.transform.constraints import Constraint, read_constraints
from phlo.transform.write import Code, replace_table

if TYPE_CHECKING:
    from phlo.transform.session import Session

ROWS = "select * from (values (1, 'a', 10), (2, 'a', -5), (3, null, null)) as t (id, name, n)"


@pytest.mark.parametrize(
    ("constraint", "count"),
    [
        (Constraint("not_null", ("id",)), 0),
        (Constraint("not_null", ("name", "n")), 1),
        (Constraint("unique", ("id",)), 0),
        (Constraint("unique", ("name",)), 1),
        (Constraint("unique", ("name", "n")), 0),
        (Constraint("primary_key", ("id",)), 0),
        (Constraint("primary_key", ("name",)), 1),
        (Constraint("check", (), "n > 0"), 1),
        (Constraint("check", (), "n > -10 and regexp_like(name, '^[a-z]$')"), 0),
        (Constraint("foreign_key", ("id",), to='"silver"."other"', to_columns=("key",)), 2),
        (Constraint("foreign_key", ("name",), to='"silver"."other"', to_columns=("label",)), 0),
    ],
    ids=str,
)
def test_rows_that_break_a_constraint_are_counted_and_nothing_is_written(
    session: Session, rows: Any, constraint: Constraint, count: int
) -> None:
    replace_table(session, "silver.other", "select 1 as key, 'a' as label")
    replace_table(session, "silver.t", "select 0 as id")
    if not count:
        replace_table(session, "silver.t", Code(ROWS, constraints=(constraint,)))
        assert rows("select count(*) as n from silver.t") == [{"n": 3}]
        return
    with pytest.raises(ConstraintBroken, match=r"`silver\.t` break the constraint") as caught:
        replace_table(session, "silver.t", Code(ROWS, constraints=(constraint,)))
    assert caught.value.values["count"] == count
    assert rows("select * from silver.t") == [{"id": 0}]


def test_they_are_read_from_columns_and_from_the_model() -> None:
    model: dict[str, Any] = {
        "columns": {"id": {"constraints": [{"type": "not_null"}, {"type": "custom", "expression": "x"}]}, "n": {}},
        "constraints": [
            {"type": "primary_key", "columns": ["id", "n"]},
            {"type": "check", "expression": "n > 0"},
            {"type": "foreign_key", "columns": ["n"], "to": '"a"."b"', "to_columns": ["k"]},
        ],
    }
    assert [str(each) for each in read_constraints(model)] == [
        "not_null (id)",
        "primary_key (id, n)",
        "check n > 0",
        'foreign_key (n) "a"."b" (k)',
    ]
    with pytest.raises(InvalidModelConfig, match="a check without its expression"):
        read_constraints({"constraints": [{"type": "check"}]})
