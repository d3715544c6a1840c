"""Models in Python, as dbt compiles them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phlo.errors import PythonModelFailed
from phlo.transform.increment import Increment, increment
from phlo.transform.write import Code, replace_table

if TYPE_CHECKING:
    from phlo.transform.session import Session

READS = """
class dbtObj:
    def __init__(self, load):
        self.ref = lambda name: load('"raw"."' + name + '"')
"""


def model(body: str) -> Code:
    return Code(f"def model(dbt, session):\n{body}\n{READS}", "python")


@pytest.mark.parametrize(
    "body",
    [
        "    df = dbt.ref('glucose_entries').df()\n    return df[df.sgv > 250][['sgv']]",
        "    import pyarrow.compute as pc\n"
        "    return dbt.ref('glucose_entries').to_arrow_table().filter(pc.field('sgv') > 250)",
        "    return dbt.ref('glucose_entries').filter('sgv > 250')",
        "    t = dbt.ref('glucose_entries').filter('sgv > 250')\n    return t.to_arrow_table().to_batches()[0]",
        "    return dbt.ref('glucose_entries').filter('sgv > 250').to_arrow_reader()",
        "    entries = dbt.ref('glucose_entries')\n    return entries.query('e', 'select * from e where sgv > 250')",
    ],
    ids=["pandas", "arrow", "relation", "batch", "reader", "query"],
)
def test_a_model_returns_a_frame_a_table_or_a_relation(session: Session, rows: Any, body: str) -> None:
    assert replace_table(session, "gold.high", model(body)).rows == 9
    assert rows("select min(sgv) as low, count(*) as n from gold.high") == [{"low": 251, "n": 9}]


def test_an_incremental_model_can_be_python(session: Session, rows: Any) -> None:
    replace_table(session, "gold.t", "select 1 as id, 'old' as name union all select 2, 'two'")
    body = "    import pandas\n    return pandas.DataFrame({'id': [1, 3], 'name': ['new', 'three']})"
    increment(session, "gold.t", model(body), Increment("merge", ("id",)))
    assert [tuple(row.values()) for row in rows("select * from gold.t order by id")] == [
        (1, "new"),
        (2, "two"),
        (3, "three"),
    ]


@pytest.mark.parametrize(
    ("body", "words", "line"),
    [
        ("    x = 1\n    return x / 0", "ZeroDivisionError: division by zero", 3),
        ("    return [1, 2]", "it returned list, not a frame or a table", 0),
        ("    return None", "it returned NoneType, not a frame or a table", 0),
        ("    retrun 1", "SyntaxError: ", 2),
    ],
)
def test_what_goes_wrong_in_a_model_has_its_line(session: Session, body: str, words: str, line: int) -> None:
    with pytest.raises(PythonModelFailed, match=words) as caught:
        replace_table(session, "gold.t", model(body))
    assert caught.value.values["line"] == line


def test_a_secret_in_what_a_model_raises_is_not_told(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCOUT_TOKEN", "hunter2-and-more")
    with pytest.raises(PythonModelFailed) as caught:
        replace_table(session, "gold.t", model("    raise ValueError('401 for hunter2-and-more')"))
    assert "hunter2" not in str(caught.value)
